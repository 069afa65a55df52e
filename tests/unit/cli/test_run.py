"""``gateway run`` where it cannot run; running, it is what the integration tests are about."""

import socket
from pathlib import Path

import pytest

from tests.kit.gateway import configuration, run_command, write_configuration


def test_a_bad_file_exits_with_2(tmp_path: Path) -> None:
    """The same faults in the same words as ``check``; nothing is started."""
    path = write_configuration(tmp_path, configuration(9) | {"lissten": 1})
    result = run_command("run", "--config", str(path))

    assert result.returncode == 2
    assert result.stderr.startswith(f"{path}:")


def test_a_taken_address_exits_with_2(tmp_path: Path) -> None:
    """The line of the file, the address and how to see who has it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        path = write_configuration(tmp_path, configuration(9) | {"listen": address})
        result = run_command("run", "--config", str(path))

    assert result.returncode == 2
    assert f"cannot listen on {address}" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("address", "told"),
    [
        pytest.param("192.0.2.1:8080", "Cannot assign requested address\n", id="not-ours"),
        pytest.param("nowhere.invalid:8080", "\n", id="no-such-name"),
    ],
)
def test_an_address_of_nobody_here_has_its_own_cure(
    tmp_path: Path, address: str, told: str
) -> None:
    """Looking for who has taken it would find nobody; Python's own words about it are left out."""
    path = write_configuration(tmp_path, configuration(9) | {"listen": address})
    result = run_command("run", "--config", str(path))

    assert result.returncode == 2
    assert f"listen: cannot listen on {address}: " in result.stderr
    assert result.stderr.endswith(f"{told}  name an address of this host\n")
