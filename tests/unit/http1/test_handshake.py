"""gateway.http1.handshake: what the two heads of a websocket must say."""

import pytest

from gateway.http1.fields import parse_fields
from gateway.http1.handshake import (
    accept_of,
    has_switched,
    is_key,
    is_only_websocket,
    values_of,
)
from gateway.http1.names import NameTable
from gateway.http1.response import parse_response_head
from tests.kit.websocket import ACCEPT, KEY


def test_the_proof_is_that_of_the_specification() -> None:
    """RFC 6455 section 1.3."""
    assert accept_of(KEY) == ACCEPT


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        (KEY, True),
        (b"AAAAAAAAAAAAAAAAAAAAAA==", True),
        (b"AAAAAAAAAAAAAAAAAAAAAB==", False),  # bits that belong to no byte
        (b"c2hvcnQ=", False),
        (KEY[:-1], False),
        (KEY + b"=", False),
        (b" " + KEY[1:], False),
        (b"", False),
    ],
)
def test_a_key_is_sixteen_bytes(value: bytes, *, is_one: bool) -> None:
    """RFC 6455 section 4.2.1, item 5."""
    assert is_key(value) is is_one


def test_any_spelling_of_a_name_counts() -> None:
    """A service may read ``_`` as ``-``: two keys must not pass as one."""
    lines = [b"Sec-WebSocket-Key: a", b"sec_websocket_key:b", b"Other: c"]

    assert values_of(lines, b"sec-websocket-key") == [b"a", b"b"]


@pytest.mark.parametrize(
    ("upgrade", "is_only"),
    [(b"WebSocket", True), (b"websocket, h2c", False), (b"websocket\r\nUpgrade: websocket", False)],
)
def test_nothing_else_may_be_offered(upgrade: bytes, *, is_only: bool) -> None:
    """THREATS.md WS-05."""
    section = b"Connection: upgrade\r\nUpgrade: " + upgrade + b"\r\n\r\n"

    assert is_only_websocket(parse_fields(section, NameTable(), max_fields=9)) is is_only


GOOD = b"Upgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + ACCEPT + b"\r\n"


@pytest.mark.parametrize(
    ("line", "fields", "has"),
    [
        pytest.param(b"HTTP/1.1 101 OK", GOOD, True, id="good"),
        pytest.param(b"HTTP/1.0 101 OK", GOOD, False, id="http10"),
        pytest.param(b"HTTP/1.1 101 OK", GOOD.replace(b"s3p", b"x3p"), False, id="another-proof"),
        pytest.param(b"HTTP/1.1 101 OK", GOOD.replace(b"Accept", b"Other"), False, id="no-proof"),
        pytest.param(
            b"HTTP/1.1 101 OK", GOOD + b"Sec-WebSocket-Accept: x\r\n", False, id="two-proofs"
        ),
        pytest.param(b"HTTP/1.1 101 OK", GOOD + b"Upgrade: h2c\r\n", False, id="two-protocols"),
        pytest.param(
            b"HTTP/1.1 101 OK", GOOD.replace(b": Upgrade", b": keep-alive"), False, id="no-option"
        ),
    ],
)
def test_a_service_has_switched_only_with_its_proof(
    line: bytes, fields: bytes, *, has: bool
) -> None:
    """THREATS.md WS-08: Upgrade, Connection and the proof, each once."""
    response = parse_response_head(line + b"\r\n" + fields + b"\r\n", max_fields=9)

    assert has_switched(response, ACCEPT) is has
