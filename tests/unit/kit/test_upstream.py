"""The kit's service: it must see what came, byte for byte, and do what the script says."""

import threading

import pytest

from tests.kit.script import (
    OK,
    await_end,
    close,
    echo,
    flood,
    half_close,
    read_body,
    reset,
    respond,
    send,
    swallow,
    tell,
    wait_for,
)
from tests.kit.upstream import RefusedPort, Upstream
from tests.kit.wire import TruncatedError, Wire

POST = b"POST /a?b HTTP/1.1\r\nHost: a\r\nX-One:  1\r\nContent-Length: 2\r\n\r\nhi"

NOT_A_REQUEST = [
    pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no-host"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n", id="space-before-colon"),
    pytest.param(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n",
        id="trailer",
    ),
]


def test_a_request_is_recorded_as_it_came() -> None:
    """The head is kept byte for byte, the echo tells all of it."""
    with Upstream() as upstream, Wire(upstream.port) as wire:
        wire.send(POST)
        told = wire.read_response().json()

        request = upstream.requests[0]
        assert request.head + request.body == POST
        assert (request.complete, upstream.byte_count) == (True, len(POST))
        assert request.header(b"x-one") == [b"1"]
        assert told["body"] == "hi"
        assert ["X-One", "1"] in told["headers"]


def test_programs_are_taken_in_order_and_then_echo() -> None:
    """One program for each request, whichever connection brings it."""
    with Upstream() as upstream, Wire(upstream.port) as one, Wire(upstream.port) as other:
        upstream.play(respond(OK))
        upstream.play(respond(b"HTTP/1.1 204 No Content\r\n\r\n"))
        statuses = []
        for wire in (one, other, one):
            wire.send(POST)
            statuses.append(wire.read_response().status)

        assert statuses == [200, 204, 200]
        assert upstream.connection_count == 2
        assert [request.connection for request in upstream.requests] in ([0, 1, 0], [1, 0, 1])


@pytest.mark.parametrize("data", NOT_A_REQUEST)
def test_what_h11_refuses_is_a_violation(data: bytes) -> None:
    """A request that is not HTTP is noted, and ends the connection."""
    with Upstream() as upstream, Wire(upstream.port) as wire:
        wire.send(data)
        assert wire.read_to_end() == b""

        assert len(upstream.violations) == 1


def test_an_early_answer_comes_before_the_body() -> None:
    """Without ``read_body`` a program answers on the head alone."""
    with Upstream() as upstream, Wire(upstream.port) as wire:
        upstream.play(send(OK), await_end)
        wire.send(POST[:-1])

        assert wire.read_response().status == 200
        assert not upstream.requests[0].complete


def test_a_delay_lasts_until_the_test_ends_it() -> None:
    """Waiting is by events, in both directions."""
    begun, released = threading.Event(), threading.Event()
    with Upstream() as upstream, Wire(upstream.port) as wire:
        upstream.play(tell(begun), wait_for(released), echo)
        wire.send(POST)
        assert begun.wait(30)
        released.set()

        assert wire.read_response().status == 200


@pytest.mark.parametrize(
    ("step", "was_reset"), [(close, False), (half_close, False), (reset, True)]
)
def test_a_connection_ends_as_told(step: object, *, was_reset: bool) -> None:
    """FIN and RST are told apart."""
    with Upstream() as upstream, Wire(upstream.port) as wire:
        upstream.play(read_body, step)  # type: ignore[arg-type]  # parametrize gives no types
        wire.send(POST)

        with pytest.raises(TruncatedError):
            wire.read_response()
        assert wire.was_reset is was_reset


def test_a_flood_ends_with_its_count_and_swallow_reads_as_much() -> None:
    """Large bodies are made and read without being kept."""
    with Upstream() as upstream, Wire(upstream.port) as wire:
        upstream.play(
            swallow(2),
            send(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n"),
            flood(b"abc", 10),
        )
        wire.send(POST)

        assert wire.read_response().body == b"abc" * 10
        assert upstream.requests[0].body == b""


def test_the_end_of_a_connection_can_be_waited_for() -> None:
    """A client that goes away is noticed."""
    with Upstream() as upstream:
        with Wire(upstream.port) as wire:
            wire.send(POST)
            wire.read_response()

        assert upstream.wait_for_end(0)


def test_settling_ends_and_forgets_everything() -> None:
    """The next test begins without connections, requests and programs."""
    with Upstream() as upstream, Wire(upstream.port) as wire:
        wire.send(POST)
        wire.read_response()
        upstream.play(close)
        upstream.settle()

        assert wire.is_ended()
        assert (upstream.requests, upstream.byte_count) == ([], 0)
        with Wire(upstream.port) as other:
            other.send(POST)
            assert other.read_response().status == 200


def test_a_refused_port_refuses() -> None:
    """Nothing listens there, until somebody does."""
    with RefusedPort() as refused:
        with pytest.raises(ConnectionRefusedError):
            Wire(refused.port)
        refused.sock.listen()
        Wire(refused.port).close()
