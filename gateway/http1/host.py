"""The authority that a request names: the ``Host`` field and absolute-form targets."""

import ipaddress
import re
from functools import lru_cache
from typing import Final

from gateway.errors import ProtocolError, Reason

# Narrower than RFC 3986's reg-name: no sub-delims and no escapes, which no DNS name needs and which
# two readers split differently ("gw.test, evil", "gw.test/admin?"; Starlette's CVE-2026-48710). No
# longer than a DNS name can be (RFC 1035 section 2.3.4): hosts are kept, and walked label by label.
_NAME: Final = re.compile(
    rb"(?P<name>[A-Za-z0-9\-._~]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
)
_MAX_PORT: Final = 65535


@lru_cache(maxsize=1024)
def parse_host(value: bytes) -> bytes:
    """Read an authority and return its host as routes compare it.

    Args:
        value: ``host[:port]`` without surrounding white space.

    Returns:
        The host in lower case, without port and without the root label's dot; IPv6 in brackets.

    Raises:
        ProtocolError: 400, whatever is not exactly one host with an optional port.

    Source: RFC 9110 section 7.2, RFC 3986 section 3.2.
    """
    match = _NAME.fullmatch(value)
    if match is None or int(match["port"] or 0) > _MAX_PORT:
        raise ProtocolError(Reason.BAD_REQUEST, "The Host field is not one host name.")
    name = match["name"].lower()
    if name.startswith(b"["):
        try:
            ipaddress.IPv6Address(name[1:-1].decode("ascii"))
        except ValueError:
            raise ProtocolError(
                Reason.BAD_REQUEST, "The Host field is not one host name."
            ) from None
        return name
    return name.removesuffix(b".") or name
