"""``gateway run`` where it cannot run; running, it is what the integration tests are about."""

import socket
from pathlib import Path

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
