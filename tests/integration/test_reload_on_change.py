"""A configuration that changes on disk: taken up by itself, and the service manager hears of it."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.kit.client import Client
from tests.kit.foreign import foreign_issuer, foreign_token
from tests.kit.gateway import DEADLINE_S, GatewayProcess, configuration
from tests.kit.key_server import key_set
from tests.kit.tokens import signing_key
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire

KEY: Final = signing_key("ES256", kid="theirs")
REFUSED: Final = "not reloaded, the old configuration stays"
NEW_ROUTE: Final = {"path": "/new/**", "upstream": "raw", "auth": "none"}


class Manager:
    """A service manager that hears what the gateway tells."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(DEADLINE_S)

    def wait_for(self, *states: str) -> str:
        """Wait for messages that begin with these, in this order; return the last status."""
        status = ""
        for state in states:
            message = ""
            while not message.startswith(state):
                message = self._socket.recv(4096).decode()
            status = message.partition("STATUS=")[2]
        return status

    def close(self) -> None:
        """Hear nothing any more."""
        self._socket.close()


class House:
    """A gateway that nobody asks for a reload, its file, and its manager."""

    def __init__(self, folder: Path, upstream: Upstream, manager: Manager, **fixed: Any) -> None:
        self.folder = folder
        self.manager = manager
        self._port = upstream.port
        self._fixed = {"admin": {"listen": "127.0.0.1:0"}} | fixed
        self.gateway = GatewayProcess(self.document(), folder)

    def document(self, **changes: Any) -> dict[str, Any]:
        """Return the configuration, changed."""
        return configuration(self._port, **self._fixed | changes)

    def write(self, **changes: Any) -> None:
        """Write the file anew, in place."""
        text = yaml.safe_dump(self.document(**changes), sort_keys=False)
        (self.folder / "routes.yaml").write_text(text, "utf-8")

    def status(self, target: str, token: str = "") -> int:
        """Return the status of a GET on a new connection."""
        with Client(self.gateway.port) as client:
            return client.ask("GET", target, token).status

    def becomes(self, status: int, target: str, token: str = "") -> bool:
        """Ask until the status is this one: a worker that was replaced may take one more."""
        until_s = time.monotonic() + DEADLINE_S
        while self.status(target, token) != status and time.monotonic() < until_s:
            pass
        return time.monotonic() < until_s

    def metric(self, name: str) -> float:
        """Return a number of the metrics page."""
        with Wire(self.gateway.admin_port) as wire:
            wire.send(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            page = wire.read_response().body.decode()
        return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name))


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def house(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    own_upstream: Upstream,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[House]:
    """A gateway below a service manager."""
    address = tmp_path / "notify"
    manager = Manager(address)
    monkeypatch.setenv("NOTIFY_SOCKET", str(address))
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    monkeypatch.setenv("WATCHDOG_PID", "")
    monkeypatch.delenv("WATCHDOG_PID")
    house = House(tmp_path, own_upstream, manager, workers=request.param)
    try:
        assert manager.wait_for("READY=1") == "serving"
        yield house
    finally:
        house.gateway.stop()
        manager.close()


def test_a_changed_file_is_taken_up_and_a_bad_one_is_told_once(house: House) -> None:
    """In place or not; the manager sees a reload, and operators see which one is in force."""
    manager, gateway = house.manager, house.gateway
    assert house.status("/new") == 404
    (house.folder / "jwks.json").write_bytes(key_set(KEY))
    issuer = foreign_issuer(jwks_file=str(house.folder / "jwks.json"))
    log = house.folder / "access.log"
    good = {
        "routes": [*configuration(1)["routes"], NEW_ROUTE],
        "issuers": [issuer],
        "access_log": str(log),
    }
    house.write(**good)
    assert manager.wait_for("WATCHDOG=1", "RELOADING=1", "READY=1") == "serving"
    assert house.becomes(200, "/new")
    assert house.becomes(200, "/p", foreign_token(KEY))
    assert '"/new"' in log.read_text("utf-8")
    assert house.metric("gateway_configuration_refused ") == 0
    house.write(routes=[], workers=7)
    assert "old configuration" in manager.wait_for("RELOADING=1", "READY=1")
    assert house.metric("gateway_configuration_refused ") == 1
    assert house.status("/new") == 200
    manager.wait_for(*["WATCHDOG=1"] * 8)  # several looks later
    assert sum(REFUSED in line for line in gateway.lines) == 1
    house.write()
    assert manager.wait_for("RELOADING=1", "READY=1") == "serving"
    assert house.metric("gateway_configuration_refused ") == 0
    assert house.metric('gateway_reloads_total{outcome="done"}') == 2
    assert house.metric('gateway_reloads_total{outcome="refused"}') == 1
    assert house.becomes(401, "/p", foreign_token(KEY))
    gateway.terminate()
    manager.wait_for("STOPPING=1")
