"""``gateway check``."""

import sqlite3
from pathlib import Path
from typing import Any

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


def test_a_store_that_others_may_read_is_a_fault(path: str, store_file: Path) -> None:
    """Exit code 2, with the place of the key in the file; nothing is mended in passing."""
    assert invoke("keys", "rotate", "--config", path).returncode == 0
    assert "no signing key" not in invoke("check", "--config", path).stdout
    store_file.chmod(0o644)
    result = invoke("check", "--config", path)

    assert (result.returncode, result.stdout) == (2, "")
    assert ": store: others than its owner may use" in result.stderr
    assert "chmod 600" in result.stderr
    assert store_file.stat().st_mode & 0o777 == 0o644


def test_a_store_of_another_version_is_a_fault(path: str, store_file: Path) -> None:
    """As at start-up."""
    assert invoke("keys", "rotate", "--config", path).returncode == 0
    database = sqlite3.connect(store_file)
    with database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    result = invoke("check", "--config", path)

    assert (result.returncode, result.stdout) == (2, "")
    assert ": store: the tables of the store are not those of this version" in result.stderr


def test_a_store_of_an_older_version_is_noted(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next start brings it up to date."""
    assert invoke("keys", "rotate", "--config", path).returncode == 0
    monkeypatch.setattr("gateway.store.look.REVISION", "0003")
    result = invoke("check", "--config", path)

    assert result.returncode == 0
    assert "note: the tables of the store are of an older version; start" in result.stdout


@pytest.mark.parametrize("changes", [{}, {"store_key": "x" * 32}])
def test_keys_that_do_not_open_are_a_fault(
    tmp_path: Path, document: dict[str, Any], changes: dict[str, Any]
) -> None:
    """With another store key, or none, the gateway would not start."""
    path = str(write_configuration(tmp_path, document | {"store_key": "k" * 32}))
    assert invoke("keys", "rotate", "--config", path).returncode == 0
    path = str(write_configuration(tmp_path, document | changes))
    result = invoke("check", "--config", path)

    assert result.returncode == 2
    assert "store_key" in result.stderr


def test_a_database_that_does_not_answer_is_a_warning(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    """The configuration may be right; ``--strict`` minds. Its password is not told."""
    document |= {"store": "postgresql://gateway:hunter2@127.0.0.1:1/gateway"}
    path = str(write_configuration(tmp_path, document))
    result = invoke("check", "--config", path)

    assert result.returncode == 0
    assert ": store: warning: the store cannot be reached: " in result.stdout
    assert "hunter2" not in result.stdout + result.stderr
    assert invoke("check", "--strict", "--config", path).returncode == 1


def test_a_database_that_is_empty_has_no_key_yet(
    tmp_path: Path, document: dict[str, Any], postgres_url: str
) -> None:
    """PostgreSQL is looked at too, and stays empty."""
    path = str(write_configuration(tmp_path, document | {"store": postgres_url}))
    for _ in range(2):
        result = invoke("check", "--config", path)
        assert (result.returncode, result.stderr) == (0, "")
        assert "there is no signing key yet" in result.stdout
