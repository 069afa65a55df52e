"""Connections to the service: used again when clean, never when in doubt, never too many."""

import threading

import pytest

from tests.conftest import StartGateway
from tests.kit.gateway import configuration
from tests.kit.script import OK, await_end, close, echo, reset, respond, send, tell, wait_for
from tests.kit.upstream import RefusedPort, Upstream
from tests.kit.wire import Barrier, Wire

HOST = b"Host: gw.test\r\n"
GET = b"GET /public HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /public HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\nx"


def test_a_clean_connection_is_used_again(wire: Wire, upstream: Upstream) -> None:
    """One client or several: requests one after the other share one connection."""
    for request in (GET, POST, GET):
        wire.send(request)
        assert wire.read_response().status == 200

    assert len({request.connection for request in upstream.requests}) == 1


NOT_AGAIN = [
    pytest.param(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", id="close"
    ),
    pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", id="http-1.0"),
    pytest.param(OK + b"extra", id="extra-bytes"),
]


@pytest.mark.parametrize("answer", NOT_AGAIN)
def test_a_connection_in_doubt_is_not_used_again(
    wire: Wire, upstream: Upstream, answer: bytes
) -> None:
    """THREATS.md 0.4, 5: complete, kept alive by both sides, and not one byte too many."""
    upstream.play(respond(answer), await_end)
    wire.send(GET)
    assert wire.read_response().body == b"ok"
    assert upstream.wait_for_end(upstream.requests[0].connection)
    wire.send(GET)

    assert wire.read_response().status == 200
    assert upstream.requests[0].connection != upstream.requests[1].connection


def test_bytes_on_an_idle_connection_end_it(wire: Wire, upstream: Upstream) -> None:
    """CVE-2026-71324: what comes unasked would be the next client's answer."""
    released = threading.Event()
    upstream.play(respond(OK), wait_for(released), send(OK), await_end)
    wire.send(GET)
    assert wire.read_response().body == b"ok"
    released.set()
    assert upstream.wait_for_end(upstream.requests[0].connection)
    wire.send(GET)

    assert wire.read_response().json()["target"] == "/public"


def _warm_up(wire: Wire, upstream: Upstream) -> int:
    """Leave one idle connection, and return its number."""
    wire.send(GET)
    assert wire.read_response().status == 200
    return upstream.requests[-1].connection


@pytest.mark.parametrize("end", [close, reset])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS"])
def test_a_stale_connection_is_noticed_and_the_request_repeated(
    wire: Wire, upstream: Upstream, method: bytes, end: object
) -> None:
    """SMG-56: the service closed it as the request was written; a safe one is sent once more."""
    stale = _warm_up(wire, upstream)
    upstream.play(end)  # type: ignore[arg-type]  # parametrize gives no types
    wire.send(method + b" /public HTTP/1.1\r\n" + HOST + b"\r\n")

    assert wire.read_response(method).status == 200
    assert [request.connection for request in upstream.requests[:2]] == [stale, stale]
    assert upstream.requests[2].connection != stale


def test_a_request_is_repeated_once(wire: Wire, upstream: Upstream) -> None:
    """SMG-56: a service that closes the fresh connection too has refused."""
    _warm_up(wire, upstream)
    upstream.play(close)
    upstream.play(close)
    wire.send(GET)

    response = wire.read_response()
    assert (response.status, response.reason) == (502, "upstream_unreachable")
    assert len(upstream.requests) == 3


@pytest.mark.parametrize(
    "request_bytes", [POST, POST.replace(b"POST", b"GET")], ids=["post", "get-with-body"]
)
def test_what_is_not_safe_is_never_repeated(
    wire: Wire, upstream: Upstream, request_bytes: bytes
) -> None:
    """RFC 9110 section 9.2.2: a POST may have been done although its answer is missing."""
    _warm_up(wire, upstream)
    upstream.play(close)
    wire.send(request_bytes)

    response = wire.read_response()
    assert (response.status, response.reason) == (502, "upstream_unreachable")
    assert len(upstream.requests) == 2


def test_a_restart_of_the_service_is_not_seen(wire: Wire, upstream: Upstream) -> None:
    """Idle connections that the service has closed are forgotten, for POST too."""
    _warm_up(wire, upstream)
    upstream.drop_connections()
    wire.send(GET)
    assert wire.read_response().status == 200
    wire.send(POST)

    assert wire.read_response().status == 200


def test_connections_are_bounded_and_so_is_the_wait(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """DOS-14, ``max_connections``: the next waits ``upstream_wait``, then 503; a later gets on."""
    gateway = start_gateway(
        configuration(
            own_upstream.port,
            upstream={"max_connections": 1},
            limits={"upstream_wait": "1s"},
        )
    )
    begun, released = threading.Event(), threading.Event()
    own_upstream.play(tell(begun), wait_for(released), echo)
    with Wire(gateway.port) as first, Wire(gateway.port) as second, Wire(gateway.port) as third:
        first.send(GET)
        assert begun.wait(30)
        second.send(GET)
        refused = second.read_response()
        third.send(GET)
        released.set()
        answers = [first.read_response().status, third.read_response().status]

    assert (refused.status, refused.reason) == (503, "upstream_overloaded")
    assert refused.header(b"retry-after") != []
    assert answers == [200, 200]
    assert own_upstream.connection_count == 1


def test_a_client_that_leaves_the_queue_leaves_its_turn(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """A waiter that is gone gets no connection, and the next one in line does."""
    gateway = start_gateway(
        configuration(
            own_upstream.port, upstream={"max_connections": 1}, limits={"upstream_wait": "30s"}
        )
    )
    begun, released = threading.Event(), threading.Event()
    own_upstream.play(tell(begun), wait_for(released), echo)
    with Wire(gateway.port) as first, Wire(gateway.port) as gone, Wire(gateway.port) as third:
        first.send(GET)
        assert begun.wait(30)
        gone.send(GET.replace(b"/public", b"/public/gone"))
        gone.reset()
        with Barrier(gateway.port) as barrier:
            barrier.cross()
        third.send(GET)
        released.set()

        assert [first.read_response().status, third.read_response().status] == [200, 200]
    assert [request.target for request in own_upstream.requests] == [b"/public"] * 2


def test_a_refused_connection_is_502(start_gateway: StartGateway) -> None:
    """Nobody listens where the service should be; the client's connection lives on."""
    with RefusedPort() as refused, Wire(start_gateway(configuration(refused.port)).port) as wire:
        for _ in range(2):
            wire.send(GET)
            response = wire.read_response()
            assert (response.status, response.reason) == (502, "upstream_unreachable")
            assert not response.closes


def test_an_answer_that_does_not_come_is_504(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """``response_timeout``: the exchange ends on both sides, and its connection with it."""
    gateway = start_gateway(
        configuration(own_upstream.port, upstream={"response_timeout": "200ms"})
    )
    own_upstream.play(await_end)
    with Wire(gateway.port) as wire:
        wire.send(GET)
        response = wire.read_response()

    assert (response.status, response.reason) == (504, "upstream_timeout")
    assert own_upstream.wait_for_end(0)


def test_a_route_has_a_timeout_of_its_own(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """``timeout`` of a route stands in place of its upstream's ``response_timeout``."""
    document = configuration(own_upstream.port)
    route = next(route for route in document["routes"] if route["path"] == "/public/**")
    route["timeout"] = "200ms"
    gateway = start_gateway(document)
    own_upstream.play(await_end)
    with Wire(gateway.port) as wire:
        wire.send(GET)
        response = wire.read_response()

    assert (response.status, response.reason) == (504, "upstream_timeout")


def test_a_body_that_stops_is_cut(start_gateway: StartGateway, own_upstream: Upstream) -> None:
    """``idle_timeout``: between two reads of a body; the client sees that it is cut."""
    gateway = start_gateway(configuration(own_upstream.port, upstream={"idle_timeout": "200ms"}))
    own_upstream.play(respond(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbegin"), await_end)
    with Wire(gateway.port) as wire:
        wire.send(GET)
        said = wire.read_to_end()

    assert said.endswith(b"begin")
    assert own_upstream.wait_for_end(0)
