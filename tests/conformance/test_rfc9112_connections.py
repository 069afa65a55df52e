"""Several requests on one connection: each judged on its own, answered in order, never confused.

The rows are THREATS.md A4, SMG-28 to SMG-32 and SMG-57 to SMG-60, and HDR-32 and HDR-33.

Source: RFC 9112 sections 6 and 9.
"""

import threading

import pytest

from tests.kit.gateway import GatewayProcess, bearer
from tests.kit.script import await_end, echo, respond, tell, wait_for
from tests.kit.upstream import Upstream
from tests.kit.wire import TruncatedError, Wire, read_verdict

HOST = b"Host: gw.test\r\n"
GET = b"GET /public HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: gw.test\r\n\r\n"


def get(path: bytes, fields: bytes = b"") -> bytes:
    """Return a GET."""
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path, HOST, fields)


def test_pipelined_requests_are_each_authorised(wire: Wire, upstream: Upstream) -> None:
    """SMG-28, HDR-32: a token counts for its own request, and answers keep the order."""
    wire.send(get(b"/p/1", bearer()) + get(b"/p/2") + get(b"/p/3", bearer(sub="bob")))

    first, second, third = (wire.read_response() for _ in range(3))
    assert [first.status, second.status, third.status] == [200, 401, 200]
    assert second.reason == "credential_missing"
    assert [r.target for r in upstream.requests] == [b"/p/1", b"/p/3"]
    assert [r.header(b"x-user") for r in upstream.requests] == [[b"alice"], [b"bob"]]


def test_identity_is_never_bound_to_a_connection(wire: Wire, upstream: Upstream) -> None:
    """HDR-33: alice, bob and nobody take turns on one connection to one service connection."""
    statuses = []
    for fields in (bearer(), bearer(sub="bob"), b"", bearer()):
        wire.send(get(b"/optional", fields))
        statuses.append(wire.read_response().status)

    assert statuses == [200] * 4
    users = [request.header(b"x-user") for request in upstream.requests]
    assert users == [[b"alice"], [b"bob"], [], [b"alice"]]


def test_many_pipelined_requests_wait_in_the_kernel(
    gateway: GatewayProcess, wire: Wire, upstream: Upstream
) -> None:
    """SMG-29: while the service thinks, reading stops; nothing is queued without bound."""
    begun, released = threading.Event(), threading.Event()
    upstream.play(tell(begun), wait_for(released), echo)
    before = gateway.memory_bytes()
    sender = threading.Thread(target=wire.send, args=(GET * 10_000,))
    sender.start()
    assert begun.wait(30)

    with Wire(gateway.port) as other:  # the gateway is not busy with the other 9,999
        other.send(GET)
        assert other.read_response().status == 200
    assert len(upstream.requests) == 2
    assert gateway.memory_bytes() - before < 30 * 2**20
    released.set()
    statuses = {wire.read_response().status for _ in range(10_000)}
    sender.join()
    assert statuses == {200}
    assert len(upstream.requests) == 10_001


def test_garbage_behind_a_request_does_not_spoil_its_answer(wire: Wire, upstream: Upstream) -> None:
    """SMG-30: the valid request is answered, then the garbage is refused."""
    wire.send(GET + b"\x00garbage")

    assert wire.read_response().status == 200
    assert read_verdict(wire) == (400, "bad_request", True)
    assert len(upstream.requests) == 1


def test_what_follows_a_close_is_not_read(wire: Wire, upstream: Upstream) -> None:
    """SMG-31: after ``Connection: close`` there is no second request."""
    wire.send(get(b"/public", b"Connection: close\r\n") + GET)

    response = wire.read_response()
    assert (response.status, response.closes) == (200, True)
    assert wire.is_ended()
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"DELETE"])
@pytest.mark.parametrize(
    ("fields", "body"),
    [
        pytest.param(b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED, id="length"),
        pytest.param(CHUNKED, b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED), id="chunked"),
    ],
)
def test_a_body_is_a_body_whatever_the_method(
    wire: Wire, upstream: Upstream, method: bytes, fields: bytes, body: bytes
) -> None:
    """SMG-32: a body that is unusual for its method goes along, and is never the next request."""
    wire.send(b"%b /public HTTP/1.1\r\n%b%b\r\n%b" % (method, HOST, fields, body) + GET)

    assert wire.read_response(method).status == 200
    assert wire.read_response().status == 200
    assert [(r.method, r.body) for r in upstream.requests] == [(method, SMUGGLED), (b"GET", b"")]


@pytest.mark.parametrize("target", [b"/p", b"/nowhere", b"/small"])
def test_the_body_of_a_refused_request_is_never_a_request(
    wire: Wire, upstream: Upstream, target: bytes
) -> None:
    """What stands behind a refused head is thrown away or never read."""
    body = SMUGGLED * 100
    head = b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (target, HOST, len(body))
    wire.send(head + body)

    response = wire.read_response(b"POST")
    assert response.status in (401, 404, 413)
    if response.closes:
        assert wire.is_ended()
    else:
        wire.send(GET)
        assert wire.read_response().status == 200
    assert all(request.target == b"/public" for request in upstream.requests)


def test_a_trailer_ends_with_its_message(wire: Wire, upstream: Upstream) -> None:
    """SMG-22, HDR-15: a trailer in a segment of its own is neither header nor request."""
    wire.send(b"POST /p HTTP/1.1\r\n" + HOST + bearer() + CHUNKED + b"\r\n5\r\nhello\r\n0\r\n")
    upstream.wait_for_requests(1)
    wire.send(b"X-User: admin\r\nHost: evil\r\n\r\n" + GET)

    assert [wire.read_response().status for _ in range(2)] == [200, 200]
    assert upstream.requests[0].header(b"x-user") == [b"alice"]
    assert upstream.requests[0].header(b"host") == [b"gw.test"]
    assert upstream.requests[1].header(b"x-user") == []


def test_a_client_may_close_its_half(wire: Wire, upstream: Upstream) -> None:
    """A request that is complete is answered although the client has sent a FIN."""
    upstream.play(echo)
    wire.send(GET)
    wire.half_close()

    assert wire.read_response().status == 200
    assert wire.is_ended()


def test_a_request_that_ends_early_is_no_request(wire: Wire, upstream: Upstream) -> None:
    """A FIN in the head is not answered as a request would be, and reaches no service."""
    wire.send(GET[:-2])
    wire.half_close()

    said = wire.read_to_end()  # returns: the connection has ended
    assert said == b"" or said.startswith(b"HTTP/1.1 400 ")
    assert upstream.byte_count == 0


def test_an_http10_connection_ends_with_its_answer(wire: Wire, upstream: Upstream) -> None:
    """RFC 9112 section 9.3: in HTTP/1.0 a connection is kept only where the client asks for it."""
    wire.send(b"GET /public HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n")
    assert not wire.read_response().closes
    wire.send(b"GET /public HTTP/1.0\r\n" + HOST + b"\r\n")

    assert wire.read_response().status == 200
    assert wire.is_ended()
    assert [request.head.split(b"\r\n")[0][-8:] for request in upstream.requests] == [
        b"HTTP/1.1"
    ] * 2


def test_a_client_that_goes_away_takes_its_exchange_along(
    gateway: GatewayProcess, upstream: Upstream
) -> None:
    """SMG-57, SMG-60: between request and answer, the service's connection is given up with it."""
    upstream.play(await_end)
    with Wire(gateway.port) as wire:
        wire.send(GET)
        number = upstream.wait_for_requests(1)[0].connection
        wire.reset()

    assert upstream.wait_for_end(number)


def test_a_client_that_aborts_an_upload_aborts_it_for_the_service(
    gateway: GatewayProcess, upstream: Upstream
) -> None:
    """SMG-57: half a body is never finished on the client's behalf."""
    with Wire(gateway.port) as wire:
        wire.send(b"POST /public HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n5\r\nhello\r\n")
        number = upstream.wait_for_requests(1)[0].connection
        wire.reset()

    assert upstream.wait_for_end(number)
    assert not upstream.requests[0].complete


def test_resets_leave_nothing_behind(gateway: GatewayProcess, upstream: Upstream) -> None:
    """SMG-59: after 1,000 clients that went away in the middle, nothing of them is held."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegun"
    descriptors = gateway.descriptor_count()
    before = gateway.memory_bytes()
    for _ in range(1000):
        upstream.play(respond(answer), await_end)
        with Wire(gateway.port) as wire:
            wire.send(GET)
            wire.read_until(b"begun")
            wire.reset()
    numbers = {request.connection for request in upstream.wait_for_requests(1000)}

    assert all(upstream.wait_for_end(number) for number in numbers)
    assert gateway.descriptor_count() <= descriptors + 2
    assert gateway.memory_bytes() - before < 30 * 2**20


def test_the_answer_to_a_client_that_closed_is_not_waited_for_forever(
    wire: Wire, upstream: Upstream
) -> None:
    """A FIN gives the running exchange a second; then it is aborted on both sides."""
    upstream.play(await_end)
    wire.send(GET)
    number = upstream.wait_for_requests(1)[0].connection
    wire.half_close()

    assert upstream.wait_for_end(number)
    with pytest.raises(TruncatedError):
        wire.read_response()
