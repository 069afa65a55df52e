"""What tests of the running gateway share: one process, one recording service, one connection each.

The process and the service live as long as the session, since starting them takes longer than most
tests; each test gets them with an empty record, and fails when the gateway printed a traceback.
"""

import faulthandler
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
from hypothesis import HealthCheck, settings

from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.memory import find_memory
from tests.kit.upstream import Upstream
from tests.kit.wire import Barrier, Wire

# How long an example takes, and how long it is made, depends on what else the machine does.
settings.register_profile(
    "gateway", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("gateway")

# A shell that starts us in the background makes us ignore SIGINT; what we start would inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


DEAF_S: Final = 120.0  # from the timeout that a test should have heard to its process's end
TEARDOWN_S: Final = 180.0  # what is ended in good order may take two deadlines of a minute
_STDERR: Final = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the true standard error, which pytest takes while tests run; find room for files."""
    config.stash[_STDERR] = os.dup(2)
    if (memory := find_memory()) is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test that does not hear its timeout says where it is, and ends its process.

    An alarm is an exception wherever the main thread is, which may be where none gets out.
    pytest-xdist starts another process.
    """
    marker = item.get_closest_marker("timeout")
    timeout_s = float(marker.args[0] if marker is not None else item.config.getini("timeout"))
    _end_after(timeout_s + DEAF_S, item)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """So does a teardown that hangs: once a test has failed, nobody looks at the clock any more."""
    _end_after(TEARDOWN_S, item)
    return (yield)


def _end_after(limit_s: float, item: pytest.Item) -> None:
    """End this process then, unless told otherwise; it is the last call that counts."""
    faulthandler.dump_traceback_later(limit_s, file=item.config.stash[_STDERR], exit=True)


class StartGateway(Protocol):
    """Starts a gateway of the test's own; it ends with the test."""

    def __call__(self, document: dict[str, Any], *, is_measured: bool = False) -> GatewayProcess:
        """Start a gateway with this configuration; the rest as ``GatewayProcess``."""
        ...


@pytest.fixture(scope="session")
def shared_upstream() -> Iterator[Upstream]:
    """The service behind the shared gateway."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def shared_gateway(
    shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """The gateway of the threat tables."""
    document = configuration(shared_upstream.port)
    folder = tmp_path_factory.mktemp("gateway")
    with GatewayProcess(document, folder, is_measured=True) as process:
        process.wait_for_first_hash()  # so that no test's look at its memory meets it
        yield process


@pytest.fixture
def upstream(shared_upstream: Upstream, shared_gateway: GatewayProcess) -> Iterator[Upstream]:
    """The service behind the shared gateway, with an empty record; h11 must take all it gets."""
    shared_upstream.settle()  # what an earlier test left behind has come to its end
    with Barrier(shared_gateway.port) as barrier:  # and the gateway knows
        barrier.cross()
    yield shared_upstream
    violations = shared_upstream.violations
    shared_upstream.clear()
    assert violations == []


@pytest.fixture
def gateway(shared_gateway: GatewayProcess, upstream: Upstream) -> Iterator[GatewayProcess]:
    """The shared gateway, which may not print a traceback; *upstream* has been cleared."""
    assert upstream.requests == []
    yield shared_gateway
    shared_gateway.check_quiet()


@pytest.fixture
def wire(gateway: GatewayProcess) -> Iterator[Wire]:
    """One connection to the shared gateway."""
    with Wire(gateway.port) as connection:
        yield connection


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[StartGateway]:
    """Start gateways of the test's own; each is stopped, and must have been quiet."""
    running: list[GatewayProcess] = []

    def start(document: dict[str, Any], *, is_measured: bool = False) -> GatewayProcess:
        folder = tmp_path / str(len(running))
        running.append(GatewayProcess(document, folder, is_measured=is_measured))
        return running[-1]

    yield start
    for process in running:
        process.stop()


@pytest.fixture
def own_upstream() -> Iterator[Upstream]:
    """A service of the test's own, for a gateway of its own."""
    with Upstream() as upstream:
        yield upstream
        assert upstream.violations == []
