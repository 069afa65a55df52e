"""Issue 3: a worker that cannot reach the store goes on for a time, then refuses, then recovers."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import argon2
import pytest

from gateway.policy.checked import ApiKey
from tests.conftest import StartGateway
from tests.kit.client import Client, connected_to_all
from tests.kit.endpoints import ask
from tests.kit.gateway import GatewayProcess, configuration, mint
from tests.kit.postgres import PostgresServer, find_binaries
from tests.kit.tally import Tally
from tests.kit.wire import Barrier

WORKERS: Final = 2
SILENCE: Final = "4s"  # a loaded machine takes a second or two to stop a server
DEADLINE_S: Final = 60.0
LOGIN: Final = {"username": "alice", "password": "canary-password"}

GOOD: Final = (200, "")
REVOKED: Final = (401, "token_revoked")
UNAVAILABLE: Final = (503, "store_unavailable")

UNKNOWN_KEY: Final = b"X-Api-Key: %b\r\n" % ApiKey("0" * 32, "0" * 64).compose().encode()

# How the server goes away, and how it comes back.
OUTAGES: Final = {
    "stopped": (PostgresServer.stop, PostgresServer.start),  # connections are refused
    "frozen": (PostgresServer.freeze, PostgresServer.thaw),  # nobody answers; deadlines must end it
}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of this module's own, which it may stop."""
    if find_binaries() is None:
        pytest.skip("no PostgreSQL server on this machine: install the package postgresql")
    with PostgresServer() as running:
        yield running


@pytest.fixture
def service() -> Iterator[Tally]:
    """The service behind the gateway."""
    with Tally() as tally:
        yield tally


@pytest.mark.timeout(300)
@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_is_outlived(
    start_gateway: StartGateway, service: Tally, server: PostgresServer, outage: str
) -> None:
    """OPS-20, CACHE-10: 503 where revocations matter and no longer are known, 200 where not."""
    leave, come_back = OUTAGES[outage]
    gateway = start_gateway(_document(service.port, server.create_database(outage)))
    token, ended, kept = (mint(sid=name, jti=name) for name in ("good", "ended", "kept"))
    with connected_to_all(gateway.port, WORKERS) as clients:
        first = next(iter(clients.values()))[0]
        assert first.ask("POST", "/logout", ended).status == 204

        leave(server)
        try:
            assert _verdicts(clients, "/p", token) == [GOOD] * WORKERS
            assert _verdicts(clients, "/p", ended) == [REVOKED] * WORKERS
            # A logout that cannot be kept is not said to be done.
            assert first.ask("POST", "/logout", kept).verdict == UNAVAILABLE
            # Nor is an API key let in, or refused for good, that cannot be looked up.
            assert ask(gateway, b"GET", b"/p", fields=UNKNOWN_KEY).reason == UNAVAILABLE[1]
            _await_verdicts(clients, token, UNAVAILABLE)
            assert _verdicts(clients, "/public", "") == [GOOD] * WORKERS
            assert first.ask("POST", "/authenticate", content=LOGIN).verdict == UNAVAILABLE

            os.kill(gateway.worker_pids()[0], signal.SIGKILL)
            with connected_to_all(gateway.port, WORKERS) as replaced:
                assert replaced.keys() != clients.keys()
                assert _verdicts(replaced, "/p", token) == [UNAVAILABLE] * WORKERS
                assert _verdicts(replaced, "/public", "") == [GOOD] * WORKERS
        finally:
            come_back(server)

    with connected_to_all(gateway.port, WORKERS) as clients:
        _await_verdicts(clients, token, GOOD)
        assert ask(gateway, b"GET", b"/p", fields=UNKNOWN_KEY).reason == "api_key_invalid"
        assert _verdicts(clients, "/p", ended) == [REVOKED] * WORKERS
        for (client,) in clients.values():
            granted = client.ask("POST", "/authenticate", content=LOGIN)
            assert granted.verdict == GOOD
            assert client.ask("POST", "/logout", granted.content["token"]).status == 204
            assert _verdicts(clients, "/p", granted.content["token"]) == [REVOKED] * WORKERS
    gateway.check_quiet()


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_keeps_no_gateway_from_ending(
    service: Tally, server: PostgresServer, tmp_path: Path, outage: str
) -> None:
    """SIGTERM: what waits for the store is answered, and nobody waits for it to say goodbye."""
    leave, come_back = OUTAGES[outage]
    url = server.create_database(f"ending {outage}").replace(" ", "%20")
    gateway = GatewayProcess(configuration(service.port, store=url), tmp_path)
    with Client(gateway.port) as client:
        assert client.ask("POST", "/logout", mint(sid="one")).status == 204
        leave(server)
        try:
            client.send("POST", "/logout", mint(sid="other"))
            with Barrier(gateway.port) as barrier:
                barrier.cross()
            gateway.stop()
            assert client.read().verdict == UNAVAILABLE
        finally:
            come_back(server)


def _document(service_port: int, store: str) -> dict[str, Any]:
    document = configuration(
        service_port,
        store=store,
        workers=WORKERS,
        limits={"store_silence": SILENCE},
        users=[
            {"username": "alice", "password_hash": argon2.PasswordHasher().hash(LOGIN["password"])}
        ],
    )
    document["credentials"].append({"header": "X-Api-Key", "kind": "api_key"})
    return document


def _verdicts(
    clients: Mapping[str, list[Client]], target: str, token: str
) -> list[tuple[int, str]]:
    return [client.ask("GET", target, token).verdict for (client,) in clients.values()]


def _await_verdicts(
    clients: Mapping[str, list[Client]], token: str, wanted: tuple[int, str]
) -> None:
    """Ask until all workers answer as *wanted*: from one verdict to the other, and not back."""
    deadline_s = time.monotonic() + DEADLINE_S
    while (found := set(_verdicts(clients, "/p", token))) != {wanted}:
        assert found <= {GOOD, UNAVAILABLE}
        assert time.monotonic() < deadline_s, found
