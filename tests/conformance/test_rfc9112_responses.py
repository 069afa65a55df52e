"""What a service may answer, and what of it reaches the client and the next request.

The rows are THREATS.md A4, SMG-41 to SMG-49, and the responses of DESIGN.md section 10.

Source: RFC 9112 sections 4 to 9, RFC 9110 section 15.
"""

import pytest

from tests.kit.gateway import GatewayProcess
from tests.kit.script import OK, Step, await_end, close, reset, respond, send
from tests.kit.upstream import Upstream
from tests.kit.wire import TruncatedError, Wire

HOST = b"Host: gw.test\r\n"
GET = b"GET /public HTTP/1.1\r\n" + HOST + b"\r\n"
HEAD = b"HEAD /public HTTP/1.1\r\n" + HOST + b"\r\n"


def status(code: bytes) -> bytes:
    """Return a bodiless answer with this status code and phrase."""
    return b"HTTP/1.1 " + code + b"\r\nContent-Length: 0\r\n\r\n"


def ok(fields: bytes, body: bytes = b"") -> bytes:
    """Return a 200 with these fields."""
    return b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"

# Answered with 502: none of it reaches the client.
UNFIT = [
    pytest.param(b"hello\r\n\r\n", id="no-status-line"),
    pytest.param(b"\x15\x03\x01\x00\x02\x02\x28", id="tls-alert"),
    pytest.param(b"SSH-2.0-x\r\n", id="ssh"),
    pytest.param(b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", id="version-2.0"),
    pytest.param(
        b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", id="SMG-41"
    ),
    pytest.param(b"HTTP/1.1 101 Switching\r\n\r\n", id="SMG-41-without-upgrade"),
    pytest.param(ok(b"Content-Length: 2\r\n" + CHUNKED, b"0\r\n\r\n"), id="SMG-45-cl-te"),
    pytest.param(ok(CHUNKED + b"Content-Length: 2\r\n", b"0\r\n\r\n"), id="SMG-45-te-cl"),
    pytest.param(ok(b"Content-Length: 2\r\nContent-Length: 3\r\n", b"abc"), id="SMG-45-two-cl"),
    pytest.param(ok(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"ab"), id="SMG-45-equal-cl"),
    pytest.param(ok(b"Content-Length: 2, 2\r\n", b"ab"), id="cl-list"),
    pytest.param(ok(b"Content-Length: +2\r\n", b"ab"), id="cl-plus"),
    pytest.param(ok(b"Content-Length: -1\r\n"), id="cl-minus"),
    pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", id="SMG-45-bare-lf"),
    pytest.param(ok(b"X-A: a\n"), id="SMG-45-bare-lf-in-fields"),
    pytest.param(ok(b"X-A: a\r\n b\r\n"), id="SMG-45-obs-fold"),
    pytest.param(ok(b"Content-Length : 2\r\n", b"ab"), id="SMG-45-space-before-colon"),
    pytest.param(ok(b"X-A: a\x00b\r\n"), id="SMG-45-nul-in-value"),
    pytest.param(ok(b"X-A: a\rb\r\n"), id="cr-in-value"),
    pytest.param(ok(b"X-\x80: a\r\n"), id="high-byte-in-name"),
    pytest.param(ok(b"Transfer-Encoding: gzip\r\n", b"ab"), id="SMG-46-gzip"),
    pytest.param(ok(b"Transfer-Encoding: chunked, gzip\r\n", b"ab"), id="SMG-46-gzip-last"),
    pytest.param(ok(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"), id="gzip-chunked"),
    pytest.param(ok(CHUNKED + CHUNKED, b"0\r\n\r\n"), id="chunked-twice"),
    pytest.param(b"HTTP/1.0 200 OK\r\n" + CHUNKED + b"\r\n0\r\n\r\n", id="chunked-in-1.0"),
    pytest.param(status(b"000 Zero"), id="SMG-49-000"),
    pytest.param(status(b"999 High"), id="SMG-49-999"),
    pytest.param(status(b"1000 Long"), id="SMG-49-1000"),
    pytest.param(status(b"99 Short"), id="SMG-49-99"),
    pytest.param(status(b"600 Beyond"), id="600"),
    pytest.param(ok(b"X-A: " + b"a" * 70_000 + b"\r\n"), id="SMG-51-head-of-70-kb"),
    pytest.param(ok(b"X-A: a\r\n" * 101), id="SMG-51-101-fields"),
    pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000 + OK, id="SMG-52-10000-interim"),
]


@pytest.mark.parametrize("answer", UNFIT)
@pytest.mark.parametrize("how", ["whole", "byte-by-byte"])
def test_an_unfit_answer_is_502(
    gateway: GatewayProcess, wire: Wire, upstream: Upstream, answer: bytes, how: str
) -> None:
    """What is not one valid HTTP/1 response is not passed on, and its connection is given up."""
    pieces = (
        [answer] if how == "whole" else [answer[i : i + 1] for i in range(min(len(answer), 200))]
    )
    if how != "whole":
        pieces.append(answer[200:])
    upstream.play(respond(b""), *[send(piece) for piece in pieces if piece], await_end)
    wire.send(GET)

    response = wire.read_response()
    assert (response.status, response.reason) == (502, "upstream_protocol")
    assert upstream.wait_for_end(upstream.requests[0].connection)
    _check_next_is_untouched(gateway, upstream)


def _check_next_is_untouched(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The next client's exchange is on another connection and gets its own answer."""
    earlier = {request.connection for request in upstream.requests}
    with Wire(gateway.port) as other:
        other.send(b"GET /public/next HTTP/1.1\r\n" + HOST + b"\r\n")
        assert other.read_response().json()["target"] == "/public/next"
    assert upstream.requests[-1].connection not in earlier


# Passed on whole; what stands behind the message is not, and ends the connection.
EXTRA = [
    pytest.param(GET, OK + OK, 200, b"ok", id="SMG-42-second-response"),
    pytest.param(GET, OK + b"x", 200, b"ok", id="SMG-42-one-byte"),
    pytest.param(GET, ok(CHUNKED, b"2\r\nok\r\n0\r\n\r\n") + OK, 200, b"ok", id="behind-chunked"),
    pytest.param(HEAD, OK, 200, b"", id="SMG-43-head-with-body"),
    pytest.param(HEAD, ok(CHUNKED, b"2\r\nok\r\n0\r\n\r\n"), 200, b"", id="head-with-chunks"),
    pytest.param(
        GET,
        b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok",
        204,
        b"",
        id="SMG-44-204-with-length",
    ),
    pytest.param(
        GET,
        b"HTTP/1.1 204 No\r\n" + CHUNKED + b"\r\n2\r\nok\r\n0\r\n\r\n",
        204,
        b"",
        id="SMG-44-204-te",
    ),
    pytest.param(
        GET, b"HTTP/1.1 304 Not\r\nContent-Length: 2\r\n\r\nok", 304, b"", id="SMG-44-304-with-body"
    ),
]


@pytest.mark.parametrize(("request_bytes", "answer", "code", "body"), EXTRA)
def test_bytes_behind_a_response_reach_nobody(
    gateway: GatewayProcess,
    upstream: Upstream,
    request_bytes: bytes,
    answer: bytes,
    code: int,
    body: bytes,
) -> None:
    """A response ends where RFC 9112 section 6.3 says; more bytes poison the connection."""
    upstream.play(respond(answer), await_end)
    with Wire(gateway.port) as wire:
        wire.send(request_bytes)
        response = wire.read_response(request_bytes[: request_bytes.index(b" ")])

    assert (response.status, response.body) == (code, body)
    assert upstream.wait_for_end(upstream.requests[0].connection)
    _check_next_is_untouched(gateway, upstream)


def test_a_head_is_answered_without_a_body_and_the_connection_lives(
    wire: Wire, upstream: Upstream
) -> None:
    """SMG-43: the length of a response to HEAD is passed on and not waited for."""
    upstream.play(respond(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
    wire.send(HEAD + GET)

    response = wire.read_response(b"HEAD")
    assert response.header(b"content-length") == [b"5"]
    assert wire.read_response().status == 200
    assert upstream.requests[0].connection == upstream.requests[1].connection


@pytest.mark.parametrize("code", [204, 304])
def test_a_bodiless_response_has_no_body(wire: Wire, upstream: Upstream, code: int) -> None:
    """RFC 9110 sections 15.3.5 and 15.4.5; neither has a transfer coding."""
    upstream.play(respond(b"HTTP/1.1 %d X\r\nETag: a\r\n\r\n" % code))
    wire.send(GET + GET)

    response = wire.read_response()
    assert (response.status, response.body, response.header(b"etag")) == (code, b"", [b"a"])
    assert response.header(b"transfer-encoding") == []
    assert wire.read_response().status == 200


# Cut after the head has gone out: visible to the client as a cut.
CUT = [
    pytest.param(ok(b"Content-Length: 10\r\n", b"abc"), close, id="SMG-47-length"),
    pytest.param(ok(b"Content-Length: 10\r\n", b"abc"), reset, id="length-reset"),
    pytest.param(ok(CHUNKED, b"3\r\nabc\r\n"), close, id="SMG-48-chunked"),
    pytest.param(ok(CHUNKED, b"3\r\nabc\r\n0\r\n"), close, id="SMG-48-in-the-last-chunk"),
    pytest.param(ok(CHUNKED, b"3\r\nabc\r\nxyz\r\n"), await_end, id="chunk-size-garbage"),
    pytest.param(ok(CHUNKED, b"3\r\nabcdef\r\n0\r\n\r\n"), await_end, id="chunk-too-long"),
    pytest.param(ok(CHUNKED, b"3\r\nabc\n0\r\n\r\n"), await_end, id="chunk-bare-lf"),
    pytest.param(ok(b"", b"abc"), reset, id="until-close-reset"),
]


@pytest.mark.parametrize(("answer", "end"), CUT)
def test_a_cut_body_is_visibly_cut(
    gateway: GatewayProcess, wire: Wire, upstream: Upstream, answer: bytes, end: Step
) -> None:
    """DESIGN.md section 8, guarantee 7: no last chunk, no full length, no clean end."""
    upstream.play(respond(answer), end)
    wire.send(GET)

    try:
        response = wire.read_response()
    except TruncatedError:
        pass
    else:  # it may not have begun: then it is a refusal
        assert (response.status, response.reason) == (502, "upstream_protocol")
    _check_next_is_untouched(gateway, upstream)


def test_a_cut_body_is_cut_for_http10_too(wire: Wire, upstream: Upstream) -> None:
    """Where the end of the connection ends the body, a cut must be a reset."""
    upstream.play(respond(ok(CHUNKED, b"3\r\nabc\r\n")), reset)
    wire.send(b"GET /public HTTP/1.0\r\n\r\n")

    with pytest.raises(TruncatedError):
        wire.read_response()


@pytest.mark.parametrize("end", [close, reset])
def test_no_answer_at_all_is_502(wire: Wire, upstream: Upstream, end: Step) -> None:
    """A service that ends the connection in place of an answer is the gateway's 502."""
    upstream.play(respond(b"HTTP/1.1 200 OK\r\nConte"), end)
    wire.send(b"POST /public HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\nx")

    response = wire.read_response(b"POST")
    assert response.status == 502
    assert response.reason in ("upstream_protocol", "upstream_unreachable")
