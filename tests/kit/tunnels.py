"""A gateway with tunnels, and the service behind it: fixtures that tests of both import."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.endpoints import store_url, users
from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire

# Of the end of a token: its second, and the gateway's leeway on top.
LEEWAY_S: Final = 1
MOST: Final = 8  # websockets of one user


def document(port: int, folder: Path) -> dict[str, Any]:
    """Return the threat tables' configuration with routes for tunnels and for endless answers."""
    document = configuration(port, users=users("alice"), store=store_url(folder))
    document["tokens"] |= {"leeway": f"{LEEWAY_S}s"}
    document["access_log"] = str(folder / "access.log")
    document["limits"] |= {"tunnel_idle_timeout": "20s", "websockets_per_user": MOST}
    cors = {"origins": ["https://app.test"], "credentials": True}
    document["routes"] += [
        {"path": "/ws/**", "upstream": "raw", "websocket": True, "cors": cors},
        {"path": "/open/**", "upstream": "raw", "websocket": True, "auth": "none"},
        {"path": "/events/**", "upstream": "raw", "end_with_token": True},
        {"path": "/brief/**", "upstream": "raw", "websocket": True, "max_duration": "1s"},
    ]
    return document


@pytest.fixture(scope="module")
def service() -> Iterator[Upstream]:
    """The service behind the gateway."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def running(
    service: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """The gateway of these tests."""
    folder = tmp_path_factory.mktemp("tunnels")
    with GatewayProcess(document(service.port, folder), folder) as process:
        yield process


@pytest.fixture
def upstream(service: Upstream) -> Iterator[Upstream]:
    """The service, with an empty record."""
    service.settle()
    yield service
    assert service.violations == []


@pytest.fixture
def wire(running: GatewayProcess, upstream: Upstream) -> Iterator[Wire]:
    """One connection to the gateway; *upstream* has been cleared."""
    assert upstream.requests == []
    with Wire(running.port) as connection:
        yield connection
    running.check_quiet()


def read_to_end(wire: Wire) -> bytes:
    """Return what comes up to the end of the connection."""
    data = b""
    while piece := wire.read_some():
        data += piece
    return data
