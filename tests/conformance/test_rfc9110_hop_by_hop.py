"""Fields that concern one connection stay on it, and nothing else can be made to.

The rows are THREATS.md A1, HDR-09 to HDR-19.

Source: RFC 9110 section 7.6.1.
"""

import pytest

from tests.kit.gateway import GatewayProcess, bearer
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire, read_verdict, replay

HOST = b"Host: gw.test\r\n"


def get(fields: bytes, path: bytes = b"/p") -> bytes:
    """Return a GET."""
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path, HOST, fields)


NAMING_IDENTITY = [
    pytest.param(b"Connection: close, X-User\r\n", id="HDR-09"),
    pytest.param(b"Connection: x-user\r\n", id="HDR-10-lower"),
    pytest.param(b"Connection: X-USER \t,  x-user-roles\r\n", id="HDR-10-white-space"),
    pytest.param(b"Connection: keep-alive\r\nConnection: X-User\r\n", id="HDR-10-two-fields"),
    pytest.param(b"Connection: X_User\r\n", id="underscore"),
    pytest.param(b"X-User: admin\r\nConnection: X-User\r\n", id="named-and-sent"),
    pytest.param(b"Connection: Authorization\r\n", id="HDR-11-authorization"),
    pytest.param(b"Connection: Cookie, access-token\r\n", id="HDR-11-cookie"),
]


@pytest.mark.parametrize("fields", NAMING_IDENTITY)
def test_connection_cannot_take_identity_away(
    gateway: GatewayProcess, upstream: Upstream, fields: bytes
) -> None:
    """Connection removes only what the client sent: not what is set, not what is decided on."""
    verdicts = replay(gateway.port, get(bearer() + fields))

    assert {(verdict.status, verdict.closed) for verdict in verdicts} == {(200, b"close" in fields)}
    for request in upstream.requests:
        assert request.header(b"x-user") == [b"alice"]
        assert request.header(b"x-user-roles") == [b"user"]


@pytest.mark.parametrize("name", [b"Host", b"Content-Length", b"transfer-encoding"])
def test_connection_cannot_name_the_framing(wire: Wire, upstream: Upstream, name: bytes) -> None:
    """HDR-12: a message that could be cut or routed in two ways is refused."""
    wire.send(
        b"POST /public HTTP/1.1\r\n%bConnection: %b\r\nContent-Length: 5\r\n\r\nhello"
        % (HOST, name)
    )

    assert read_verdict(wire) == (400, "bad_request", True)
    assert upstream.byte_count == 0


def test_connection_cannot_take_forwarding_fields_away(wire: Wire, upstream: Upstream) -> None:
    """HDR-13: the address of the client reaches the service whatever the client says."""
    named = b"X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Real-Ip, X-Request-Id"
    wire.send(get(b"Connection: " + named + b"\r\n", b"/public"))

    assert wire.read_response().status == 200
    request = upstream.requests[0]
    assert request.header(b"x-forwarded-for") == [b"127.0.0.1"]
    assert request.header(b"x-forwarded-proto") == [b"http"]
    assert request.header(b"x-forwarded-host") == [b"gw.test"]
    assert len(request.header(b"x-request-id")) == 1


def test_connection_takes_away_what_the_client_sent(wire: Wire, upstream: Upstream) -> None:
    """What the client names besides goes no further, in any case; the rest does."""
    wire.send(get(b"X-Hop: a\r\nConnection: x-hop\r\nX-End: b\r\n", b"/public"))

    assert wire.read_response().status == 200
    assert upstream.requests[0].header(b"x-hop") == []
    assert upstream.requests[0].header(b"x-end") == [b"b"]


HOP_BY_HOP = [
    b"TE: trailers, gzip",
    b"Proxy-Authorization: Basic YTpi",
    b"Proxy-Authenticate: Basic",
    b"Keep-Alive: 1",
    b"Proxy-Connection: keep-alive",
    b"HTTP2-Settings: x",
    b"Trailer: X-User",
    b"Upgrade: h2c",
    b"Connection: keep-alive",
]


@pytest.mark.parametrize("line", HOP_BY_HOP)
def test_hop_by_hop_fields_stay(gateway: GatewayProcess, upstream: Upstream, line: bytes) -> None:
    """HDR-16: they are dropped whether Connection names them or not."""
    name = line[: line.index(b":")].lower()
    verdicts = replay(gateway.port, get(line + b"\r\n", b"/public"))

    assert verdicts == {(200, "", False)}
    assert not any(request.header(name) for request in upstream.requests)


SPOOFED = [
    b"X-Original-URL: /admin",
    b"X-Original-Method: GET",
    b"X-Rewrite-Url: /admin",
    b"X-Forwarded-Uri: /public",
    b"X-Forwarded-Prefix: //evil",
    b"X-Forwarded-Method: GET",
    b"X-Forwarded-Port: 1",
    b"X-Real-Ip: 127.0.0.1",
    b"Forwarded: for=127.0.0.1;host=evil",
    b"X-HTTP-Method-Override: DELETE",
    b"X-Method-Override: DELETE",
    b"X-HTTP-Method: DELETE",
]


@pytest.mark.parametrize("path", [b"/public", b"/admin"])
@pytest.mark.parametrize("line", SPOOFED)
def test_a_field_that_would_change_the_request_is_ignored_and_dropped(
    gateway: GatewayProcess, upstream: Upstream, line: bytes, path: bytes
) -> None:
    """HDR-17, HDR-19: from a client they neither route nor reach the service."""
    verdicts = replay(gateway.port, get(line + b"\r\n", path))

    assert {verdict.status for verdict in verdicts} == {200 if path == b"/public" else 401}
    assert len(verdicts) == 1
    for request in upstream.requests:
        assert request.method == b"GET"
        assert request.target == b"/public"
        assert request.header(line[: line.index(b":")].lower()) == []


def test_a_query_cannot_change_the_method(wire: Wire, upstream: Upstream) -> None:
    """HDR-19: ``_method`` is data; the route's methods are asked with the real one."""
    wire.send(b"POST /get?_method=GET HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n")

    response = wire.read_response(b"POST")
    assert (response.status, response.reason) == (405, "method_not_allowed")
    assert response.header(b"allow") == [b"GET, HEAD"]
    assert upstream.byte_count == 0


def test_end_to_end_fields_keep_their_bytes_and_order(wire: Wire, upstream: Upstream) -> None:
    """What is passed on is passed on as it came: case, inner spaces, repetition, high bytes."""
    lines = [b"x-OnE: a  b", b"Accept: */*", b"X-One:c", b"X-High: \xe9", b"DNT: 1"]
    wire.send(get(b"\r\n".join(lines) + b"\r\n", b"/public"))

    assert wire.read_response().status == 200
    head = upstream.requests[0].head
    positions = [head.index(b"\r\n" + line + b"\r\n") for line in lines]
    assert positions == sorted(positions)
