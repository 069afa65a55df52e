"""Connections from their first byte to their last: whoever ends them, and when, leaves nothing."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import argon2
import pytest

from tests.conftest import StartGateway
from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.script import (
    OK,
    Step,
    await_end,
    close,
    echo,
    flood,
    reset,
    respond,
    send,
    swallow,
    tell,
    wait_for,
)
from tests.kit.upstream import RefusedPort, Upstream
from tests.kit.wire import Barrier, TruncatedError, Wire

HOST: Final = b"Host: gw.test\r\n"
GET: Final = b"GET /public HTTP/1.1\r\n" + HOST + b"\r\n"
UPLOAD: Final = b"POST /public HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000\r\n"
PIECE: Final = b"a" * 65536
DOWNLOAD: Final = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (100 * len(PIECE))
LOGIN: Final = b'{"username":"alice","password":"wrong"}'
AUTHENTICATE: Final = (
    b"POST /authenticate HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
)

LEASES: Final = 64  # of the service; as many as these must be free again afterwards
ROUNDS: Final = 90
MARGIN_BYTES: Final = 20 * 2**20
LOOKS: Final = 2000  # at what the gateway has open, each behind a barrier


# --- clients that reset their connection ---


def _before_the_head_ends(wire: Wire, _: Upstream) -> None:
    wire.send(GET[:-3])


def _while_the_service_thinks(wire: Wire, upstream: Upstream) -> None:
    _send_until_it_begins(wire, GET, upstream)


def _with_requests_behind_it(wire: Wire, upstream: Upstream) -> None:
    _send_until_it_begins(wire, GET * 50, upstream)


def _once_it_may_continue(wire: Wire, upstream: Upstream) -> None:
    _send_until_it_begins(wire, UPLOAD + b"Expect: 100-continue\r\n\r\n", upstream)
    wire.read_until(b"100 Continue\r\n\r\n")


def _in_an_upload(wire: Wire, upstream: Upstream) -> None:
    _send_until_it_begins(wire, UPLOAD + b"\r\n" + PIECE, upstream)


def _in_an_upload_that_nobody_reads(wire: Wire, upstream: Upstream) -> None:
    released = threading.Event()
    _send_until_it_begins(wire, UPLOAD + b"\r\n" + PIECE * 10, upstream, wait_for(released))
    released.set()


def _send_until_it_begins(wire: Wire, data: bytes, upstream: Upstream, *steps: Step) -> None:
    """Send *data*; return when the service has begun its program, which ends with the request."""
    begun = threading.Event()
    upstream.play(tell(begun), *steps, await_end)
    wire.send(data)
    assert begun.wait(30)


def _in_a_download(wire: Wire, upstream: Upstream) -> None:
    upstream.play(respond(DOWNLOAD), flood(PIECE, 100))
    wire.send(GET)
    wire.read_until(b"aaaa")


def _in_an_answer_to_half_a_client(wire: Wire, upstream: Upstream) -> None:
    _send_until_it_begins(wire, GET, upstream)
    wire.half_close()


def _between_two_requests(wire: Wire, _: Upstream) -> None:
    wire.send(GET)
    wire.read_response()


def _after_a_refusal(wire: Wire, _: Upstream) -> None:
    wire.send(b"\0" + GET)
    wire.read_until(b"400 Bad Request")


def _in_a_login(wire: Wire, _: Upstream) -> None:
    wire.send(AUTHENTICATE + b"Content-Length: %d\r\n\r\n" % len(LOGIN) + LOGIN)


STAGES: Final = (
    _before_the_head_ends, _while_the_service_thinks, _with_requests_behind_it,
    _once_it_may_continue, _in_an_upload, _in_an_upload_that_nobody_reads, _in_a_download,
    _in_an_answer_to_half_a_client, _between_two_requests, _after_a_refusal, _in_a_login,
)  # fmt: skip


def test_a_thousand_resets_at_every_stage_leave_nothing(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """Descriptors and memory come back, and every connection to the service can be had again."""
    gateway = start_gateway(
        _before(
            own_upstream,
            upstream={"max_connections": LEASES},
            limits={"upstream_wait": "30s"},  # half a client is given up after a second
        )
    )
    for stage in STAGES:
        _reset_at(stage, gateway, own_upstream)
    assert _take_every_lease(gateway, own_upstream) == [200] * LEASES
    descriptors = _descriptors(gateway, own_upstream)
    memory = gateway.memory_bytes()
    for _ in range(ROUNDS):
        for stage in STAGES:
            _reset_at(stage, gateway, own_upstream)

    assert _take_every_lease(gateway, own_upstream) == [200] * LEASES
    assert _descriptors(gateway, own_upstream, wanted=descriptors) <= descriptors
    assert gateway.memory_bytes() - memory < MARGIN_BYTES


def _reset_at(
    stage: Callable[[Wire, Upstream], None], gateway: GatewayProcess, upstream: Upstream
) -> None:
    upstream.clear()
    wire = Wire(gateway.port, receive_buffer_bytes=4096)
    stage(wire, upstream)
    wire.reset()


def _before(service: Upstream, **changes: object) -> dict[str, object]:
    """Return a configuration with a user whose password takes next to no time to check."""
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    user = {"username": "alice", "password_hash": weak.hash("right")}
    return configuration(service.port, users=[user], **changes)


def _take_every_lease(gateway: GatewayProcess, upstream: Upstream) -> list[int]:
    """Ask as often at once as there are connections to the service; return the statuses."""
    upstream.clear()
    released = threading.Event()
    wires = [Wire(gateway.port) for _ in range(LEASES)]
    for _ in wires:
        upstream.play(wait_for(released), echo)
    for wire in wires:
        wire.send(GET)
    upstream.wait_for_requests(LEASES)
    released.set()
    statuses = [wire.read_response().status for wire in wires]
    for wire in wires:
        wire.close()
    return statuses


def _descriptors(gateway: GatewayProcess, upstream: Upstream, *, wanted: int = 0) -> int:
    """Return how many descriptors are left once every connection has ended."""
    upstream.drop_connections()
    with Barrier(gateway.port) as barrier:
        for _ in range(LOOKS):
            barrier.cross()
            if gateway.descriptor_count() <= wanted:
                break
        return gateway.descriptor_count()


def test_a_client_that_leaves_while_it_is_checked_frees_its_place(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """A login that nobody waits for ends; those behind it are let in."""
    gateway = start_gateway(_before(own_upstream))
    for _ in range(200):
        with Wire(gateway.port) as wire:
            _in_a_login(wire, own_upstream)
            wire.reset()
    with Wire(gateway.port) as wire, Barrier(gateway.port) as barrier:
        status = 429
        while status == 429:  # the last of those hashes
            barrier.cross()
            _in_a_login(wire, own_upstream)
            status = wire.read_response(b"POST").status

    assert status == 401


# --- services that end their connection ---

CUT: Final = [
    pytest.param([close], id="before-the-body"),
    pytest.param([reset], id="reset-before-the-body"),
    pytest.param([swallow(1000), close], id="in-the-body"),
    pytest.param([send(b"HTTP/1.1 200"), close], id="in-a-status-line"),
    pytest.param([send(b"HTTP/1.1 103 Hints\r\n\r\n"), close], id="behind-hints"),
]


@pytest.mark.parametrize("steps", CUT)
def test_an_upload_to_a_service_that_dies_is_refused(
    wire: Wire, upstream: Upstream, steps: list[Step]
) -> None:
    """502, the rest of the body is not taken for a request, and the next client is served."""
    upstream.play(*steps)
    wire.send(UPLOAD + b"\r\n")
    upstream.wait_for_requests(1)
    wire.send(GET * 100)

    response = wire.read_response(b"POST")
    assert (response.status, response.closes) == (502, True)
    assert wire.is_ended()
    with Wire(wire.sock.getpeername()[1]) as other:
        other.send(GET)
        assert other.read_response().status == 200
    assert [request.method for request in upstream.requests] == [b"POST", b"GET"]


def test_waiting_requests_outlive_the_connection_that_they_wait_for(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """The only connection dies: one request is lost with it, the others get the next one."""
    gateway = start_gateway(
        configuration(
            own_upstream.port, upstream={"max_connections": 1}, limits={"upstream_wait": "30s"}
        )
    )
    released = threading.Event()
    own_upstream.play(wait_for(released), close)
    wires = [Wire(gateway.port) for _ in range(20)]
    wires[0].send(GET)
    own_upstream.wait_for_requests(1)
    for wire in wires[1:]:
        wire.send(GET)
    with Barrier(gateway.port) as barrier:
        barrier.cross()
    released.set()

    assert [wire.read_response().status for wire in wires] == [502] + [200] * 19
    for wire in wires:
        wire.close()


def test_waiting_requests_are_refused_when_nobody_listens(start_gateway: StartGateway) -> None:
    """More requests than connections may be tried at once: each has its answer, none hangs."""
    with RefusedPort() as refused:
        gateway = start_gateway(
            configuration(
                refused.port, upstream={"max_connections": 2}, limits={"upstream_wait": "30s"}
            )
        )
        wires = [Wire(gateway.port) for _ in range(100)]
        for wire in wires:
            wire.send(GET)

        assert {wire.read_response().reason for wire in wires} == {"upstream_unreachable"}
        for wire in wires:
            wire.close()


def test_a_service_that_comes_up_is_found(start_gateway: StartGateway) -> None:
    """Refused at first; nothing of that is remembered."""
    with RefusedPort() as refused, Wire(start_gateway(configuration(refused.port)).port) as wire:
        wire.send(GET)
        assert wire.read_response().status == 502
        refused.sock.listen()
        wire.send(GET)
        with refused.sock.accept()[0] as service:
            head = b""
            while not head.endswith(b"\r\n\r\n"):  # an answer to no request is no answer
                head += service.recv(65536)
            service.sendall(OK)
            assert wire.read_response().status == 200


# --- slow sides, short deadlines ---


def test_a_slow_upload_is_not_held_against_the_service(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """``response_timeout`` counts from the request's end: until then it is the client that owes."""
    gateway = start_gateway(
        configuration(
            own_upstream.port,
            upstream={"response_timeout": "100ms"},
            limits={"body_timeout": "1s"},
        )
    )
    with Wire(gateway.port) as wire:
        wire.send(UPLOAD + b"\r\nhello")
        response = wire.read_response(b"POST")

    assert (response.status, response.reason) == (408, "request_timeout")


def test_a_service_that_does_not_read_is_given_up(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """The client is not to blame for a body that is not taken: 504, not 408."""
    document = configuration(
        own_upstream.port,
        upstream={"response_timeout": "3s"},
        limits={"body_timeout": "1s"},
    )
    for route in document["routes"]:
        route["max_body"] = "1GiB"
    gateway = start_gateway(document)
    refused = threading.Event()
    own_upstream.play(wait_for(refused), close)
    with Wire(gateway.port) as wire:
        wire.send(b"POST /public HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000000\r\n\r\n")
        sender = threading.Thread(target=wire.send, args=(PIECE * 1000,))
        sender.start()
        response = wire.read_response(b"POST")
        refused.set()
        sender.join()  # what is left of the body is read and thrown away, until the gateway closes

    assert (response.status, response.reason) == (504, "upstream_timeout")


def test_a_reader_that_stops_is_cut_off(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """``write_timeout``: both connections end, though the service would have gone on."""
    gateway = start_gateway(configuration(own_upstream.port, limits={"write_timeout": "300ms"}))
    own_upstream.play(respond(DOWNLOAD.replace(b"\r\n\r\n", b"0000\r\n\r\n")), flood(PIECE))
    with Wire(gateway.port, receive_buffer_bytes=4096) as wire:
        wire.send(GET)
        own_upstream.wait_for_requests(1)
        assert own_upstream.wait_for_end(0)
        with pytest.raises(TruncatedError):
            wire.read_response()


# --- the end of the process ---


def test_a_drain_lets_a_download_end(tmp_path: Path, own_upstream: Upstream) -> None:
    """SIGTERM: idle connections end at once, what is begun is answered, the exit code is 0."""
    released = threading.Event()
    own_upstream.play(respond(DOWNLOAD), wait_for(released), flood(PIECE, 100))
    gateway = GatewayProcess(configuration(own_upstream.port), tmp_path)
    with Wire(gateway.port) as idle, Wire(gateway.port) as busy:
        idle.send(GET.replace(b"/public", b"/nowhere"))
        idle.read_response()
        busy.send(GET)
        head = busy.read_until(b"\r\n\r\n")
        ending = threading.Thread(target=gateway.stop)
        ending.start()
        assert idle.is_ended()
        released.set()
        body = busy.read_to_end()
        ending.join()

    assert head.startswith(b"HTTP/1.1 200 ")
    assert len(body) == 100 * len(PIECE)
    assert gateway._process.returncode == 0


def test_a_drain_answers_an_upload_and_what_waits(tmp_path: Path, own_upstream: Upstream) -> None:
    """A body that is under way arrives; the answer says that the connection ends with it."""
    gateway = GatewayProcess(configuration(own_upstream.port), tmp_path)
    with Wire(gateway.port) as idle, Wire(gateway.port) as busy:
        idle.send(GET)
        idle.read_response()
        busy.send(b"POST /public HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhe")
        own_upstream.wait_for_requests(2)
        ending = threading.Thread(target=gateway.stop)
        ending.start()
        assert idle.is_ended()
        busy.send(b"llo")
        response = busy.read_response(b"POST")
        ending.join()

    assert (response.status, response.closes) == (200, True)
    assert response.json()["body"] == "hello"
    assert gateway._process.returncode == 0


# --- halves of connections ---


@pytest.mark.parametrize("rest", [b"\r\n", b"GET /public HT"], ids=["blank-line", "half-a-head"])
@pytest.mark.parametrize("first", [GET, AUTHENTICATE + b"Content-Length: 2\r\n\r\n{}"])
def test_what_cannot_become_a_head_any_more_is_not_waited_for(
    wire: Wire, upstream: Upstream, first: bytes, rest: bytes
) -> None:
    """The client has closed its half in the middle of a head: the last answer is the one before."""
    assert upstream.requests == []
    wire.send(first + rest)
    wire.half_close()
    wire.read_response()

    assert wire.is_ended()


def test_a_client_has_its_turn_and_no_more(
    gateway: GatewayProcess, wire: Wire, upstream: Upstream
) -> None:
    """200,000 pipelined requests that are refused do not keep another client waiting for them."""
    greedy = Wire(gateway.port)
    answered: list[int] = []

    def read() -> None:
        while data := greedy.read_some():
            answered.append(data.count(b"HTTP/1.1 404 "))

    threads = [
        threading.Thread(target=read),
        threading.Thread(target=greedy.send, args=(GET.replace(b"/public", b"/no") * 200_000,)),
    ]
    for thread in threads:
        thread.start()
    for _ in range(10):
        wire.send(GET)
        assert wire.read_response().status == 200
    answers = sum(answered)
    greedy.sock.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    greedy.close()

    assert answers < 100_000
    assert len(upstream.requests) == 10
