"""The two heads that open a websocket: what each must say, and what is said in their place.

Source: RFC 6455 sections 4.1 and 4.2.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha1
from typing import Final

from gateway.http1.fields import Fields
from gateway.http1.names import fold
from gateway.http1.request import value_of
from gateway.http1.response import ResponseHead

KEY: Final = b"sec-websocket-key"
VERSION: Final = b"sec-websocket-version"
_ACCEPT: Final = b"sec-websocket-accept"
SPOKEN_VERSION: Final = b"13"

# The two hop-by-hop fields are the gateway's own, on both sides (RFC 9110 section 7.8).
UPGRADE_LINES: Final = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"

# > a base64-encoded [...] value that, when decoded, is 16 bytes in length. The last letter before
# > the padding has four bits to carry, so that it is one of four.
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]==")
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def is_key(value: bytes) -> bool:
    """Whether *value* is 16 bytes in base64."""
    return _KEY.fullmatch(value) is not None


def accept_of(key: bytes) -> bytes:
    """Return what a service must answer to a key, to prove that it speaks the protocol."""
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


def values_of(lines: Iterable[bytes], name: bytes) -> list[bytes]:
    """Return the values of all fields that some service may read as *name* (lower case)."""
    return [value_of(line) for line in lines if fold(line.partition(b":")[0]) == name]


def is_only_websocket(fields: Fields) -> bool:
    """Whether the client offers to switch to the websocket protocol and to no other."""
    return fields.upgrade == [b"websocket"]


def has_switched(response: ResponseHead, accept: bytes) -> bool:
    """Whether a 101 is the one that the handshake asked for."""
    proofs = values_of(response.head.split(b"\r\n")[1:], _ACCEPT)
    return response.upgrade == [b"websocket"] and proofs == [accept]
