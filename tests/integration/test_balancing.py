"""Several endpoints of one upstream, on real sockets: turns, retries, restarts, frozen services."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.conftest import StartGateway
from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.script import Step, close, reset, respond
from tests.kit.upstream import RefusedPort, Upstream
from tests.kit.wire import Wire

HOST = b"Host: gw.test\r\n"
GET = b"GET /public HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /public HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\nbody"
PUT = POST.replace(b"POST", b"PUT")


@pytest.fixture
def services() -> Iterator[list[Upstream]]:
    """Two services that answer alike."""
    with ExitStack() as stack:
        found = [stack.enter_context(Upstream()) for _ in range(2)]
        yield found
        assert [each.violations for each in found] == [[], []]


def balancing(*ports: int, **settings: Any) -> dict[str, Any]:
    """Return a configuration with an endpoint on each of *ports*."""
    endpoints = [f"http://127.0.0.1:{port}" for port in ports]
    return configuration(0, upstream={"endpoints": endpoints, **settings})


def ask(gateway: GatewayProcess, request: bytes = GET) -> tuple[int, str | None]:
    """Send one request on a connection of its own; return status and reason."""
    with Wire(gateway.port) as wire:
        wire.send(request)
        response = wire.read_response()
        return response.status, response.reason if response.status >= 400 else None


def test_requests_take_turns_by_weight(
    start_gateway: StartGateway, services: list[Upstream]
) -> None:
    """Each request of one connection, and not each connection."""
    first, second = services
    gateway = start_gateway(
        configuration(
            0,
            upstream={
                "endpoints": [
                    {"url": f"http://127.0.0.1:{first.port}", "weight": 3},
                    f"http://127.0.0.1:{second.port}",
                ]
            },
        )
    )
    with Wire(gateway.port) as wire:
        for _ in range(8):
            wire.send(GET)
            assert wire.read_response().status == 200

    assert [len(each.requests) for each in services] == [6, 2]


@pytest.mark.parametrize("request_bytes", [GET, POST, PUT], ids=["get", "post", "put"])
def test_what_was_not_sent_goes_to_another_endpoint(
    start_gateway: StartGateway, own_upstream: Upstream, request_bytes: bytes
) -> None:
    """A refused connection is no reason to fail, whatever the method: nothing has been sent."""
    with RefusedPort() as refused:
        gateway = start_gateway(balancing(refused.port, own_upstream.port))
        answers = [ask(gateway, request_bytes) for _ in range(8)]

    assert answers == [(200, None)] * 8
    expected = request_bytes.partition(b"\r\n\r\n")[2]
    assert [request.body for request in own_upstream.requests] == [expected] * 8


@pytest.mark.parametrize("end", [close, reset])
def test_a_safe_request_without_an_answer_is_repeated_elsewhere(
    start_gateway: StartGateway, services: list[Upstream], end: Step
) -> None:
    """RFC 9110 section 9.2.2: asking again does no harm."""
    first, second = services
    gateway = start_gateway(balancing(first.port, second.port))
    first.play(end)

    assert ask(gateway) == (200, None)
    assert [len(each.requests) for each in services] == [1, 1]


@pytest.mark.parametrize("request_bytes", [POST, PUT], ids=["post", "put"])
def test_what_is_not_safe_is_not_repeated_once_sent(
    start_gateway: StartGateway, services: list[Upstream], request_bytes: bytes
) -> None:
    """It may have been done although its answer is missing."""
    first, second = services
    gateway = start_gateway(balancing(first.port, second.port))
    first.play(close)

    assert ask(gateway, request_bytes) == (502, "upstream_unreachable")
    assert len(second.requests) == 0


@pytest.mark.parametrize("answer", [b"HTTP/1.1 2", b"garbage\r\n\r\n"], ids=["cut", "garbage"])
def test_after_a_byte_of_an_answer_nothing_is_repeated(
    start_gateway: StartGateway, services: list[Upstream], answer: bytes
) -> None:
    """Somebody did answer, if badly."""
    first, second = services
    gateway = start_gateway(balancing(first.port, second.port))
    first.play(respond(answer), close)

    assert ask(gateway) == (502, "upstream_protocol")
    assert len(second.requests) == 0


def test_with_retries_zero_each_request_has_one_endpoint(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """``retries: 0`` leaves it to the client."""
    with RefusedPort() as refused:
        gateway = start_gateway(balancing(refused.port, own_upstream.port, retries=0))

        assert ask(gateway) == (502, "upstream_unreachable")
        assert ask(gateway) == (200, None)


def test_an_endpoint_that_fails_is_ejected(
    start_gateway: StartGateway, services: list[Upstream]
) -> None:
    """Five failures in a row, 503 of the service among them: then the other gets everything."""
    first, second = services
    gateway = start_gateway(balancing(first.port, second.port))
    unavailable = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    for _ in range(5):
        first.play(respond(unavailable))
    statuses = Counter(ask(gateway)[0] for _ in range(16))

    assert statuses == {503: 5, 200: 11}
    assert [len(each.requests) for each in services] == [5, 11]


def test_a_frozen_endpoint_costs_its_deadline_and_then_nothing(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """DOS-12: connected by the kernel and never answered; 504 in time, and soon ejected."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as frozen:
        port = frozen.getsockname()[1]
        gateway = start_gateway(balancing(port, own_upstream.port, response_timeout="1s"))
        begun_s = time.monotonic()
        with ExitStack() as stack:
            wires = [stack.enter_context(Wire(gateway.port)) for _ in range(10)]
            for wire in wires:
                wire.send(GET)
            answers = Counter(wire.read_response().status for wire in wires)
        took_s = time.monotonic() - begun_s

        assert answers == {504: 5, 200: 5}
        assert 1 <= took_s < 10  # 1.5 s on a machine that has time for it
        assert [ask(gateway) for _ in range(4)] == [(200, None)] * 4


def test_a_restarting_endpoint_is_not_noticed(
    start_gateway: StartGateway, services: list[Upstream]
) -> None:
    """One of two is stopped and started under load, again and again: no GET fails."""
    first, second = services
    gateway = start_gateway(balancing(first.port, second.port))
    done = threading.Event()
    statuses: list[Counter[int]] = [Counter() for _ in range(4)]

    def load(mine: Counter[int]) -> None:
        with Wire(gateway.port) as wire:
            while not done.is_set():
                wire.send(GET)
                mine[wire.read_response().status] += 1

    threads = [threading.Thread(target=load, args=(mine,)) for mine in statuses]
    for thread in threads:
        thread.start()
    for _ in range(5):
        before = len(second.requests)
        second.wait_for_requests(before + 20)
        first.stop()
        second.wait_for_requests(len(second.requests) + 20)
        first = services[0] = Upstream(first.port)
    done.set()
    for thread in threads:
        thread.join()
    first.stop()

    assert all(list(mine) == [200] for mine in statuses), statuses


def test_health_checks_take_endpoints_out_and_bring_them_back(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """Nobody has to fail first; where no endpoint is well it is 503, and over as soon as one is."""
    check = {"path": "/up", "interval": "500ms", "timeout": "500ms", "unhealthy_after": 2}
    gateway = start_gateway(
        balancing(own_upstream.port, health=check)
        | {"admin": {"listen": "127.0.0.1:0", "token": ""}}
    )
    _wait_until(gateway, (200, None))
    own_upstream.stop()
    _wait_until(gateway, (503, "no_healthy_endpoint"))
    with Wire(gateway.admin_port) as admin:
        admin.send(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        ready = admin.read_response().status
    with Upstream(own_upstream.port):
        _wait_until(gateway, (200, None))
        gateway.wait_for_line("is healthy again")

    assert ready == 200
    told = [line for line in gateway.lines if line.startswith("upstream raw")]
    assert [line.rpartition(str(own_upstream.port))[2] for line in told[:2]] == [
        " is unhealthy: ConnectError",
        " is healthy again",
    ]


def _wait_until(gateway: GatewayProcess, expected: tuple[int, str | None]) -> None:
    deadline_s = time.monotonic() + 30
    while ask(gateway) != expected:
        assert time.monotonic() < deadline_s
