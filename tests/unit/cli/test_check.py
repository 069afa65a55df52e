"""``gateway check``."""

from pathlib import Path

import pytest

from tests.kit.commands import invoke
from tests.kit.gateway import configuration, write_configuration
from tests.kit.keyless import write_keyless


def test_a_good_file_is_ok(tmp_path: Path) -> None:
    """Exit code 0, and how much there is."""
    path = write_configuration(tmp_path, configuration(9))
    result = invoke("check", "--config", str(path))

    assert (result.returncode, result.stderr) == (0, "")
    assert f"{path}: ok (routes: 10, upstreams: 1, " in result.stdout


def test_strict_makes_warnings_a_failure(tmp_path: Path) -> None:
    """Tokens in queries are allowed but unwise: exit code 1 only with ``--strict``."""
    path = write_configuration(tmp_path, configuration(9))
    result = invoke("check", "--strict", "--config", str(path))

    assert result.returncode == 1
    assert "warning: " in result.stdout


def test_a_key_to_be_made_is_noted_and_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checking leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    result = invoke("check", "--config", str(write_keyless(tmp_path)))

    assert result.returncode == 0
    assert "there is no signing key yet" in result.stdout
    assert not (tmp_path / "var").exists()


def test_a_bad_file_exits_with_2(tmp_path: Path) -> None:
    """Each fault goes to standard error with file and line."""
    path = write_configuration(tmp_path, configuration(9) | {"lissten": "127.0.0.1:80"})
    result = invoke("check", "--config", str(path))

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{path}:")
    assert "did you mean 'listen'?" in result.stderr


def test_a_missing_file_exits_with_2(tmp_path: Path) -> None:
    """The cure names the option."""
    result = invoke("check", "--config", str(tmp_path / "none.yaml"))

    assert result.returncode == 2
    assert "--config" in result.stderr
