"""What a client asks before it sends, and what it offers besides: neither changes the message.

The rows are THREATS.md A4, SMG-33 to SMG-40.

Source: RFC 9110 sections 7.8 and 10.1.1.
"""

import pytest

from tests.kit.gateway import GatewayProcess, bearer
from tests.kit.script import await_end, send
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire, read_verdict

HOST = b"Host: gw.test\r\n"
GET = b"GET /public HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: gw.test\r\n\r\n"


def get(path: bytes, fields: bytes = b"") -> bytes:
    """Return a GET."""
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path, HOST, fields)


def expecting(fields: bytes, version: bytes = b"1.1") -> bytes:
    """Return the head of a request that asks before it sends five bytes."""
    line = b"POST /p HTTP/%b\r\n" % version
    return line + HOST + fields + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"


def test_a_refused_upload_is_not_asked_for(wire: Wire, upstream: Upstream) -> None:
    """SMG-33: the refusal comes at once, in place of 100, and the connection ends."""
    head = expecting(b"").replace(b": 5", b": 10000000000")
    wire.send(head)

    response = wire.read_response(b"POST")
    assert (response.status, response.interim, response.closes) == (401, [], True)
    assert wire.is_ended()
    assert upstream.byte_count == 0


def test_an_accepted_upload_is_asked_for(wire: Wire, upstream: Upstream) -> None:
    """RFC 9110 section 10.1.1: 100 comes after the decision and before the body."""
    wire.send(expecting(bearer()))
    assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
    wire.send(b"hello")

    response = wire.read_response(b"POST")
    assert (response.status, response.interim) == (200, [])
    assert upstream.requests[0].body == b"hello"
    assert upstream.requests[0].header(b"expect") == []


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"417 Expectation Failed"])
def test_an_early_refusal_by_the_service_is_passed_on(
    gateway: GatewayProcess, wire: Wire, upstream: Upstream, status: bytes
) -> None:
    """SMG-34: the service answers without the body; its connection is not used again."""
    upstream.play(send(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status), await_end)
    wire.send(expecting(bearer()))

    response = wire.read_response(b"POST")
    assert b"%d" % response.status == status[:3]
    number = upstream.requests[0].connection
    assert upstream.wait_for_end(number)
    with Wire(gateway.port) as other:
        other.send(GET)
        assert other.read_response().status == 200
    assert upstream.requests[1].connection != number


@pytest.mark.parametrize("value", [b"foo", b"y 100-continue", b"100-continue, foo"])
def test_another_expectation_fails(wire: Wire, upstream: Upstream, value: bytes) -> None:
    """SMG-35: what is not 100-continue is 417."""
    wire.send(get(b"/public", b"Expect: %b\r\n" % value))

    assert read_verdict(wire) == (417, "expectation_failed", True)
    assert upstream.byte_count == 0


def test_http10_is_never_asked(wire: Wire, upstream: Upstream) -> None:
    """RFC 9110 section 15.2: a client of HTTP/1.0 knows no 1xx."""
    wire.send(expecting(bearer(), b"1.0") + b"hello")

    response = wire.read_response(b"POST")
    assert (response.status, response.interim) == (200, [])
    assert upstream.requests[0].body == b"hello"


LENGTH = b"Content-Length: %d\r\n" % len(SMUGGLED)
CHUNKED_BODY = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)


@pytest.mark.parametrize("in_one_segment", [True, False])
@pytest.mark.parametrize(
    ("version", "framing", "body"),
    [
        pytest.param(b"1.1", LENGTH, SMUGGLED, id="length"),
        pytest.param(b"1.1", CHUNKED, CHUNKED_BODY, id="chunked"),
        pytest.param(b"1.0", LENGTH, SMUGGLED, id="http10"),
    ],
)
def test_an_offer_to_upgrade_is_an_ordinary_request(
    wire: Wire,
    upstream: Upstream,
    version: bytes,
    framing: bytes,
    body: bytes,
    *,
    in_one_segment: bool,
) -> None:
    """SMG-36, SMG-37, SMG-38, SMG-40: the body arrives whole and is no request; no upgrade."""
    offer = b"Connection: Upgrade, HTTP2-Settings, keep-alive\r\nUpgrade: h2c\r\n"
    settings = b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
    head = b"POST /p HTTP/%b\r\n" % version + HOST + bearer() + offer + settings + framing
    wire.send(head + b"\r\n" + (body if in_one_segment else b""))
    upstream.wait_for_requests(1)
    if not in_one_segment:
        wire.send(body)

    response = wire.read_response(b"POST")
    assert (response.status, response.interim) == (200, [])
    wire.send(GET)
    assert wire.read_response().status == 200
    first, second = upstream.requests
    assert (first.body, second.target) == (SMUGGLED, b"/public")
    assert {b"upgrade", b"http2-settings", b"connection"}.isdisjoint(first.names)


def test_an_offer_without_a_body_is_an_ordinary_request(wire: Wire, upstream: Upstream) -> None:
    """RFC 9110 section 7.8: a server may ignore Upgrade; what follows is the next request."""
    wire.send(get(b"/public", b"Connection: Upgrade\r\nUpgrade: h2c\r\n") + GET)

    assert [wire.read_response().status for _ in range(2)] == [200, 200]
    assert len(upstream.requests) == 2
