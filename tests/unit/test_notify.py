"""What the service manager is told: datagrams as sd_notify(3) has them, or nothing."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.notify import Notifier, find_notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A service manager's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)  # noqa: FBT003 (the name of the method says what)
        yield receiver


def _hear(receiver: socket.socket) -> dict[str, str]:
    lines = receiver.recv(4096).decode().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_the_states_of_the_unit_are_told(manager: socket.socket) -> None:
    """Ready, reloading with a time of the clock that systemd compares, and stopping."""
    notifier = find_notifier({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.ready("serving")
    assert _hear(manager) == {"READY": "1", "STATUS": "serving"}
    notifier.reloading()
    told = _hear(manager)
    assert told["RELOADING"] == "1"
    assert int(told["MONOTONIC_USEC"]) > 0
    notifier.stopping()
    assert _hear(manager)["STOPPING"] == "1"


def test_a_name_that_begins_with_an_at_sign_is_abstract() -> None:
    """As systemd writes it in containers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0gateway-test-{os.getpid()}")
        Notifier(f"@gateway-test-{os.getpid()}").ready("serving")

        assert _hear(receiver)["READY"] == "1"


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative", "/no/such/socket"])
def test_nobody_need_be_there(address: str) -> None:
    """Then nothing is said, and nothing fails."""
    notifier = find_notifier({"NOTIFY_SOCKET": address})
    notifier.ready("serving")
    notifier.stopping()
    notifier.beat()


def test_a_manager_that_does_not_listen_is_not_waited_for(manager: socket.socket) -> None:
    """Its queue is full; the gateway goes on."""
    notifier = Notifier(manager.getsockname())
    for _ in range(1000):
        notifier.ready("serving")


@pytest.mark.parametrize(
    ("environment", "beat_s"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_signs_of_life_are_given_where_they_are_wanted(
    manager: socket.socket, environment: dict[str, str], beat_s: float
) -> None:
    """Three times as often as asked for, and by the process that was asked."""
    notifier = find_notifier(environment | {"NOTIFY_SOCKET": manager.getsockname()})
    notifier.beat()

    assert notifier.beat_s == beat_s
    if beat_s:
        assert _hear(manager) == {"WATCHDOG": "1"}
    else:
        with pytest.raises(BlockingIOError):
            manager.recv(1)
