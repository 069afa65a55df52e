"""THREATS.md A11 on a running gateway: a stuck worker, floods, many streams at the end."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import StartGateway
from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.script import respond, send, tell, wait_for
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire

GET: Final = b"GET /public HTTP/1.1\r\nHost: gw.test\r\n\r\n"
DEADLINE_S: Final = 60.0
STREAMS: Final = 100
EVENT: Final = b"9\r\ndata: 1\n\n\r\n"

# Each process of this gateway can be told to hang.
_HANGING: Final = """
import signal, time
signal.signal(signal.SIGALRM, lambda *_: time.sleep(3600))
if __name__ == "__main__":
    from gateway.cli.main import main
    main()
"""


@pytest.fixture
def hanging(tmp_path: Path, own_upstream: Upstream) -> Iterator[GatewayProcess]:
    """A gateway with two workers, which may be stuck for five seconds."""
    program = tmp_path / "hanging.py"
    program.write_text(_HANGING, encoding="utf-8")
    document = configuration(own_upstream.port, workers=2, limits={"stall_timeout": "5s"})
    with GatewayProcess(document, tmp_path / "gateway", (str(program),)) as process:
        yield process


def test_a_worker_that_is_stuck_is_replaced(hanging: GatewayProcess) -> None:
    """DOS-18: it says where it hung, and others answer all the while."""
    before = hanging.worker_pids()
    os.kill(before[0], signal.SIGALRM)
    hanging.wait_for_line("Timeout (0:00:05)!")
    until_s = time.monotonic() + DEADLINE_S
    while before[0] in (now := hanging.worker_pids()) or len(now) < len(before):
        assert time.monotonic() < until_s, now
        time.sleep(0.05)

    assert before[1] in now
    assert any("in <lambda>" in line for line in hanging.lines)
    with Wire(hanging.port) as wire:
        wire.send(GET)
        assert wire.read_response().status == 200


def test_connections_beyond_the_limit(start_gateway: StartGateway, own_upstream: Upstream) -> None:
    """DOS-11: 503 and the end; those that are there are served, and there is room again."""
    document = configuration(
        own_upstream.port, limits={"connections": 4}, admin={"listen": "127.0.0.1:0"}
    )
    gateway = start_gateway(document)
    with ExitStack() as stack:
        kept = [stack.enter_context(Wire(gateway.port)) for _ in range(4)]
        for wire in kept:
            wire.send(GET)
            assert wire.read_response().status == 200
        refused = stack.enter_context(Wire(gateway.port))
        response = refused.read_response()
        assert (response.status, response.reason) == (503, "too_many_connections")
        assert response.closes
        assert refused.is_ended()
        kept[0].send(GET)
        assert kept[0].read_response().status == 200
        with Wire(gateway.admin_port) as admin:
            admin.send(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            page = admin.read_response().body
        assert b'gateway_connections_refused_total{limit="connections"} 1\n' in page
    _wait_until_served(gateway.port)


def test_a_flood_of_refusals_writes_no_lines(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """DOS-16: neither malformed heads nor bad tokens are logged one by one."""
    gateway = start_gateway(configuration(own_upstream.port))
    before = len(gateway.lines)
    with Wire(gateway.port) as wire:
        for _ in range(200):
            wire.send(b"GET /p HTTP/1.1\r\nHost: gw.test\r\nAuthorization: Bearer x.y.z\r\n\r\n")
            assert wire.read_response().status == 401
    for _ in range(200):
        with Wire(gateway.port) as wire:
            wire.send(b"GET\0/ HTTP/1.1\r\n\r\n")
            assert wire.read_response().status == 400
    gateway.terminate()
    gateway.stop()

    assert len(gateway.lines) == before


def test_many_streams_end_in_their_own_time(tmp_path: Path, own_upstream: Upstream) -> None:
    """DOS-20: SIGTERM: nobody new is taken, and a stream that ends within the grace is whole."""
    released = threading.Event()
    begun = [threading.Event() for _ in range(STREAMS)]
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    for event in begun:
        own_upstream.play(
            respond(head + EVENT), tell(event), wait_for(released), send(EVENT + b"0\r\n\r\n")
        )
    gateway = GatewayProcess(configuration(own_upstream.port), tmp_path)
    with ExitStack() as stack:
        idle = stack.enter_context(Wire(gateway.port))
        streams = [stack.enter_context(Wire(gateway.port)) for _ in range(STREAMS)]
        for wire in streams:
            wire.send(GET)
        for event in begun:
            assert event.wait(DEADLINE_S)
        ending = threading.Thread(target=gateway.stop)
        ending.start()
        assert idle.is_ended()
        with pytest.raises(OSError, match="refused"):
            Wire(gateway.port)
        released.set()
        bodies = [wire.read_response().body for wire in streams]
        ending.join()

    assert bodies == [b"data: 1\n\n" * 2] * STREAMS
    assert gateway._process.returncode == 0


def _wait_until_served(port: int) -> None:
    until_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < until_s:
        with Wire(port) as wire:
            wire.send(GET)
            if wire.read_response().status == 200:
                return
    raise AssertionError("there is no room")
