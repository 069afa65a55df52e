"""Several workers: one that is killed takes only its own requests with it, and is replaced."""

import os
import shutil
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from uvicorn.config import STARTUP_FAILURE

from gateway.process import START_S
from tests.conftest import StartGateway
from tests.kit.client import LOST, Answer, Client, connected_to_all
from tests.kit.frozen import freeze
from tests.kit.gateway import DEADLINE_S, GatewayProcess, configuration, mint
from tests.kit.script import read_body, send, wait_for
from tests.kit.upstream import Upstream

WORKERS: Final = 2
UVICORNS_PATIENCE_S: Final = 5  # its default for ``timeout_worker_healthcheck``
IN_FLIGHT: Final = 3  # of each worker
DONE: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n" + b'{"done":true}'


@pytest.fixture
def gateway(start_gateway: StartGateway, own_upstream: Upstream) -> GatewayProcess:
    """A gateway with two workers."""
    return start_gateway(configuration(own_upstream.port, workers=WORKERS), is_measured=True)


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


@pytest.mark.slow
def test_a_worker_that_starts_slowly_is_waited_for(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """Longer than uvicorn's 5 s; and one that is killed in its start is replaced at once.

    What it was to read there is more than a pipe holds, and its parent does not wait for that.
    """
    document = configuration(own_upstream.port, workers=WORKERS)
    document["routes"] += [{"path": f"/r{n}/**", "upstream": "raw"} for n in range(500)]
    gateway = start_gateway(document)
    known = set(gateway.worker_pids())
    os.kill(min(known), signal.SIGKILL)
    starting = _await_new_worker(gateway, known)
    freeze(starting)
    try:
        time.sleep(UVICORNS_PATIENCE_S + 1)
        assert starting in gateway.worker_pids()
    finally:
        os.kill(starting, signal.SIGKILL)
    begun_s = time.monotonic()
    replacing = _await_new_worker(gateway, known | {starting})
    assert time.monotonic() - begun_s < START_S / 2  # 0.5 s on a machine that has time for it
    with connected_to_all(gateway.port, WORKERS):
        assert replacing in gateway.worker_pids()


def test_a_worker_that_cannot_start_ends_its_gateway(
    tmp_path: Path, own_upstream: Upstream
) -> None:
    """Whoever watches it must see a failure: exit code 3, and the fault on standard error."""
    gateway = GatewayProcess(configuration(own_upstream.port, workers=WORKERS), tmp_path)
    for directory in tmp_path.glob("var/run-*"):
        shutil.rmtree(directory)
    os.kill(gateway.worker_pids()[0], signal.SIGKILL)
    with pytest.raises(AssertionError, match="the revocations cannot be opened"):
        gateway.await_end()  # starlette prints a traceback around it
    assert gateway._process.returncode == STARTUP_FAILURE


def _await_new_worker(gateway: GatewayProcess, known: set[int]) -> int:
    deadline_s = time.monotonic() + DEADLINE_S
    while not (new := set(gateway.worker_pids()) - known):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    return new.pop()


def _read(client: Client) -> Answer | None:
    with suppress(*LOST):
        return client.read()
    return None
