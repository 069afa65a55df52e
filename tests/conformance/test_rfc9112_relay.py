"""What of a response is relayed: its body however it is framed, interim ones, fields, no phrase.

The rows are THREATS.md A4, SMG-50 to SMG-57.

Source: RFC 9112 sections 6 and 7, RFC 9110 sections 7.6.1 and 15.2.
"""

import pytest

from tests.kit.gateway import GatewayProcess
from tests.kit.script import OK, await_end, close, flood, respond, send
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire

HOST = b"Host: gw.test\r\n"
GET = b"GET /public HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def ok(fields: bytes, body: bytes = b"") -> bytes:
    """Return a 200 with these fields."""
    return b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + body


BODIES = [
    pytest.param(ok(b"Content-Length: 5\r\n", b"hello"), False, id="length"),
    pytest.param(ok(CHUNKED, b"2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n"), False, id="chunked"),
    pytest.param(ok(CHUNKED, b"5\r\nhello\r\n0\r\nX-T: a\r\n\r\n"), False, id="trailer"),
    pytest.param(ok(b"", b"hello"), True, id="until-close"),
    pytest.param(ok(b"Connection: close\r\n", b"hello"), True, id="until-announced-close"),
    pytest.param(b"HTTP/1.0 200 OK\r\n\r\nhello", True, id="http-1.0"),
]


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize(("answer", "ends"), BODIES)
def test_a_body_arrives_however_it_is_framed(
    wire: Wire, upstream: Upstream, answer: bytes, version: bytes, *, ends: bool
) -> None:
    """Framing is made anew on each side: chunked for 1.1, the connection's end for 1.0."""
    upstream.play(respond(answer), *([close] if ends else []))
    wire.send(b"GET /public HTTP/%b\r\n%b\r\n" % (version, HOST))

    response = wire.read_response()
    assert (response.status, response.body) == (200, b"hello")
    if version == b"1.0":
        assert response.header(b"transfer-encoding") == []
        assert wire.is_ended()
    else:
        wire.send(GET)
        assert wire.read_response().status == 200


@pytest.mark.parametrize("offset", range(1, 60, 3))
def test_a_response_is_the_same_however_it_is_cut(
    wire: Wire, upstream: Upstream, offset: int
) -> None:
    """The relay does not depend on where TCP cuts a response."""
    answer = ok(CHUNKED, b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
    upstream.play(respond(answer[:offset]), send(answer[offset:]))
    upstream.play(respond(b""), *[send(answer[i : i + 1]) for i in range(len(answer))])
    wire.send(GET + GET)

    assert [wire.read_response().body for _ in range(2)] == [b"hello", b"hello"]


@pytest.mark.parametrize(
    ("interim", "forwarded"),
    [
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", [], id="SMG-53-100"),
        pytest.param(b"HTTP/1.1 199 Odd\r\n\r\n", [], id="SMG-53-199"),
        pytest.param(b"HTTP/1.1 102 Processing\r\n\r\n", [102], id="102"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 16, [103] * 16, id="103"),
    ],
)
def test_interim_responses_come_before_the_final_one(
    wire: Wire, upstream: Upstream, interim: bytes, forwarded: list[int]
) -> None:
    """RFC 9110 section 15.2: hints are passed on, what was not asked for is not."""
    upstream.play(respond(interim + OK))
    wire.send(GET)

    response = wire.read_response()
    assert (response.interim, response.body) == (forwarded, b"ok")


def test_http10_gets_no_interim_response(wire: Wire, upstream: Upstream) -> None:
    """RFC 9110 section 15.2: a server MUST NOT send a 1xx response to an HTTP/1.0 client."""
    upstream.play(respond(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK))
    wire.send(b"GET /public HTTP/1.0\r\n" + HOST + b"\r\n")

    assert wire.read_response().interim == []


@pytest.mark.parametrize("phrase", [b"O\x00K", b"\x1b[31m", b"\xe9", b"", b"Fine, thanks"])
def test_a_phrase_is_the_gateways_own(wire: Wire, upstream: Upstream, phrase: bytes) -> None:
    """SMG-50: phrases carry nothing, so nothing of the service's is passed on in them."""
    upstream.play(respond(b"HTTP/1.1 200 " + phrase + b"\r\nContent-Length: 2\r\n\r\nok"))
    wire.send(GET)

    response = wire.read_response()
    if response.status == 200:
        assert (response.phrase, response.body) == (b"OK", b"ok")
    else:
        assert (response.status, response.reason) == (502, "upstream_protocol")


def test_connection_cannot_take_a_security_field_away(wire: Wire, upstream: Upstream) -> None:
    """SMG-54: only the fixed list of hop-by-hop fields is removed from a response."""
    upstream.play(
        respond(
            ok(
                b"Connection: Set-Cookie, close\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"
                b"Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nUpgrade: h2c\r\n"
                b"Content-Length: 0\r\n"
            )
        ),
        close,
    )
    wire.send(GET)

    response = wire.read_response()
    assert response.header(b"set-cookie") == [b"a=b", b"c=d"]
    names = {name for name, _ in response.headers}
    assert names.isdisjoint((b"keep-alive", b"proxy-connection", b"upgrade"))
    wire.send(GET)  # the service's ``close`` is not the client's
    assert wire.read_response().status == 200


def test_an_early_answer_ends_the_upload(
    gateway: GatewayProcess, wire: Wire, upstream: Upstream
) -> None:
    """SMG-55: a 413 in the middle of an upload is passed on; neither connection is used again."""
    answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
    upstream.play(send(answer), await_end)
    wire.send(b"POST /public HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000\r\n\r\nbegin")

    response = wire.read_response(b"POST")
    assert (response.status, response.body, response.closes) == (413, b"no", True)
    assert wire.is_ended()
    number = upstream.requests[0].connection
    assert upstream.wait_for_end(number)
    with Wire(gateway.port) as other:
        other.send(GET)
        assert other.read_response().status == 200
    assert upstream.requests[1].connection != number


def test_an_endless_response_ends_with_its_client(
    gateway: GatewayProcess, upstream: Upstream
) -> None:
    """SMG-57: a download that the client leaves is left by the gateway too."""
    upstream.play(respond(ok(CHUNKED)), flood(b"5\r\nhello\r\n"))
    with Wire(gateway.port) as wire:
        wire.send(GET)
        wire.read_until(b"hello")
        wire.reset()

    assert upstream.wait_for_end(upstream.requests[0].connection)
