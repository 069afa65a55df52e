"""Services that are stopped midway (SIGSTOP): the kernel goes on taking their connections."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from tests.conftest import StartGateway
from tests.kit.frozen import freeze
from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire

GET: Final = b"GET /public HTTP/1.1\r\nHost: gw.test\r\n\r\n"
RECOVERED_S: Final = 2.0  # THREATS.md B4.4
CHECK: Final = {"path": "/up", "interval": "250ms", "timeout": "250ms", "unhealthy_after": 2}
_SERVICE: Final = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"child")
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
"""


class Child:
    """A service in a process of its own; answers ``child``."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVICE], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def stop(self) -> None:
        """End it, frozen or not."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def child() -> Iterator[Child]:
    """One that runs."""
    service = Child()
    yield service
    service.stop()


def start(start_gateway: StartGateway, *ports: int, **settings: Any) -> GatewayProcess:
    """Start a gateway with an endpoint on each of *ports*."""
    endpoints = [f"http://127.0.0.1:{port}" for port in ports]
    return start_gateway(configuration(0, upstream={"endpoints": endpoints, **settings}))


def ask(gateway: GatewayProcess) -> tuple[int, bytes]:
    """Send one request; return the status and who answered."""
    with Wire(gateway.port) as wire:
        wire.send(GET)
        response = wire.read_response()
        return response.status, response.body if response.status == 200 else b""


def wait_until(what: Callable[[], bool]) -> float:
    """Ask again and again; return how many seconds it took."""
    begun_s = time.monotonic()
    while not what():
        assert time.monotonic() - begun_s < 30
    return time.monotonic() - begun_s


def test_a_frozen_service_is_504_in_time_and_back_at_once(
    start_gateway: StartGateway, child: Child
) -> None:
    """DOS-12: within ``response_timeout`` and what the sweeper adds; nothing is ejected."""
    gateway = start(start_gateway, child.port, response_timeout="1s")
    assert ask(gateway) == (200, b"child")
    freeze(child.process.pid)
    begun_s = time.monotonic()
    answers = [ask(gateway)[0] for _ in range(2)]
    took_s = time.monotonic() - begun_s
    child.process.send_signal(signal.SIGCONT)

    assert answers == [504, 504]
    assert 2 <= took_s < 10  # 3 s on a machine that has time for it
    assert wait_until(lambda: ask(gateway) == (200, b"child")) < RECOVERED_S


def test_health_checks_notice_a_frozen_endpoint_before_its_deadline(
    start_gateway: StartGateway, child: Child, own_upstream: Upstream
) -> None:
    """Nobody waits for it from then on, and it is back soon after it goes on."""
    gateway = start(start_gateway, child.port, own_upstream.port, health=CHECK)
    wait_until(lambda: ask(gateway) == (200, b"child"))
    freeze(child.process.pid)
    frozen = f":{child.port} is unhealthy: no answer in time"
    known = len(gateway.lines)  # a busy machine may have made it say so before
    wait_until(lambda: any(frozen in line for line in gateway.lines[known:]))
    answers = [ask(gateway) for _ in range(8)]
    child.process.send_signal(signal.SIGCONT)

    assert all(status == 200 and body != b"child" for status, body in answers)
    took_s = wait_until(lambda: ask(gateway) == (200, b"child"))
    assert took_s < 5 * RECOVERED_S  # two checks: 0.3 s on a machine that has time for it
