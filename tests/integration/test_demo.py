"""``gateway demo`` end to end, with the example configuration on free ports."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "gateway", "demo", "--config", str(ROOT / "config/routes.yaml"))


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """Two ports that were free a moment ago, where the example configuration looks for them."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        ports = one.getsockname()[1], other.getsockname()[1]
    yield os.environ | {
        "PYTHONPATH": str(ROOT),
        "GATEWAY_LISTEN": f"127.0.0.1:{ports[0]}",
        "GATEWAY_ADMIN_LISTEN": "127.0.0.1:0",
        "PRODUCTS_URL": f"http://127.0.0.1:{ports[1]}",
    }
    for port in ports:  # nothing was left behind
        socket.create_server(("127.0.0.1", port)).close()


def test_the_walk_is_as_told(environment: dict[str, str], tmp_path: Path) -> None:
    """``--once`` exits with 0 after the walk; the store is made in the working directory."""
    result = subprocess.run(
        [*COMMAND, "--once"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (result.returncode, result.stderr) == (0, "")
    assert "NOT AS TOLD" not in result.stdout
    assert result.stdout.endswith("Everything was as told.\n")
    assert (tmp_path / "var" / "gateway.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_ended(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    """Without ``--once`` it goes on; Ctrl-C ends both processes and is no failure."""
    with subprocess.Popen(
        COMMAND, cwd=tmp_path, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        assert any(line.startswith("Serving until Ctrl-C") for line in process.stdout)
        process.send_signal(number)
        said = process.stderr.read()

    assert (process.returncode, said) == (0, "")


def test_a_taken_port_ends_it_at_once(environment: dict[str, str], tmp_path: Path) -> None:
    """Exit code 1, with the address and how to free it; nothing is started."""
    host, _, port = environment["GATEWAY_LISTEN"].partition(":")
    with socket.create_server((host, int(port))):
        result = subprocess.run(
            [*COMMAND, "--once"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert (result.returncode, result.stdout) == (1, "")
    assert f"cannot listen on {host}:{port}" in result.stderr
