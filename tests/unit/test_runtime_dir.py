"""A directory for as long as one gateway runs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.runtime_dir import runtime_dir

HOLDER = """
import sys, time
from pathlib import Path
from gateway.runtime_dir import runtime_dir
with runtime_dir(Path(sys.argv[1])) as directory:
    print(directory, flush=True)
    sys.stdin.read()
"""


def test_it_is_its_owners_alone_and_gone_afterwards(tmp_path: Path) -> None:
    """What is in it goes too; the directory around it is made and stays."""
    parent = tmp_path / "a" / "var"
    with runtime_dir(parent) as directory:
        (directory / "table").write_bytes(b"x")
        assert directory.parent == parent
        assert directory.stat().st_mode & 0o777 == 0o700
        assert parent.stat().st_mode & 0o777 == 0o700

    assert list(parent.iterdir()) == []


def test_two_gateways_share_a_parent(tmp_path: Path) -> None:
    """Neither takes the other's for abandoned."""
    with runtime_dir(tmp_path) as one:
        with runtime_dir(tmp_path) as other:
            assert one != other
            assert one.is_dir()
        assert one.is_dir()


def test_what_a_killed_gateway_left_is_removed(tmp_path: Path) -> None:
    """By the next one that starts; what is not ours stays."""
    (tmp_path / "run-of-somebody-else").mkdir()
    (tmp_path / "gateway.db").touch()
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        abandoned = Path(process.stdout.readline().strip())
        process.send_signal(signal.SIGKILL)
    assert abandoned.is_dir()

    with runtime_dir(tmp_path) as directory:
        assert not abandoned.exists()
        assert {path.name for path in tmp_path.iterdir()} == {
            "run-of-somebody-else", "gateway.db", directory.name,
        }  # fmt: skip


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    """With the place, the fault and the cure."""
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(ConfigError, match="runtime_dir") as caught, runtime_dir(file / "var"):
        pytest.fail("it was made")
    assert str(file) in str(caught.value)
