"""Several workers: one that is killed takes only its own requests with it, and is replaced."""

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import StartGateway
from tests.kit.client import LOST, Answer, Client, connected_to_all
from tests.kit.gateway import GatewayProcess, configuration, mint
from tests.kit.script import read_body, send, wait_for
from tests.kit.upstream import Upstream

WORKERS: Final = 2
IN_FLIGHT: Final = 3  # of each worker
DONE: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n" + b'{"done":true}'


@pytest.fixture
def gateway(start_gateway: StartGateway, own_upstream: Upstream) -> GatewayProcess:
    """A gateway with two workers."""
    return start_gateway(configuration(own_upstream.port, workers=WORKERS))


def test_a_killed_worker_is_replaced(gateway: GatewayProcess, own_upstream: Upstream) -> None:
    """The other one loses nothing and goes on; the new one knows what was revoked before it."""
    token = mint(sid="ended", jti="ended")
    released = threading.Event()
    with connected_to_all(gateway.port, WORKERS, each=IN_FLIGHT) as clients:
        own_upstream.clear()
        for _ in range(WORKERS * IN_FLIGHT):
            own_upstream.play(read_body, wait_for(released), send(DONE))
        for client in (client for taken in clients.values() for client in taken):
            client.send("GET", "/p", mint())
        own_upstream.wait_for_requests(WORKERS * IN_FLIGHT)

        os.kill(gateway.worker_pids()[0], signal.SIGKILL)
        with Client(gateway.port) as client:
            assert client.ask("POST", "/logout", token).status == 204
            alive = client.find_worker()
        released.set()
        answers = {worker: [_read(each) for each in taken] for worker, taken in clients.items()}

    assert [answer and answer.content for answer in answers.pop(alive)] == [
        {"done": True}
    ] * IN_FLIGHT
    assert list(answers.values()) == [[None] * IN_FLIGHT]
    with connected_to_all(gateway.port, WORKERS) as clients:
        assert alive in clients
        assert not answers.keys() & clients.keys()
        for (client,) in clients.values():
            assert client.ask("GET", "/p", mint()).status == 200
            assert client.ask("GET", "/p", token).reason == "token_revoked"


def test_workers_end_with_their_gateway(tmp_path: Path, own_upstream: Upstream) -> None:
    """Killed alone, it leaves nobody behind who would answer by what was known then."""
    gateway = GatewayProcess(configuration(own_upstream.port, workers=WORKERS), tmp_path)
    with Client(gateway.port) as client:
        assert client.ask("GET", "/public").status == 200
        os.kill(gateway.pid, signal.SIGKILL)
        gateway.await_end()
        with pytest.raises(LOST):
            client.ask("GET", "/public")
    with pytest.raises(ConnectionRefusedError):
        Client(gateway.port).ask("GET", "/public")


def _read(client: Client) -> Answer | None:
    with suppress(*LOST):
        return client.read()
    return None
