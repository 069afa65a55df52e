"""Reading the configuration for a command leaves nothing behind."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import typer

from gateway.cli.loading import exit_on_config_errors, load, load_with_keys, look_at_store
from gateway.errors import ConfigError, ConfigErrors
from tests.kit.commands import invoke
from tests.kit.gateway import configuration, write_configuration
from tests.kit.keyless import write_keyless


def test_no_signing_key_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that only looks makes a key in memory, and says that it is one."""
    monkeypatch.chdir(tmp_path)
    loaded = load(write_keyless(tmp_path))

    assert loaded.key_is_ephemeral
    assert not (tmp_path / "var").exists()


def test_a_key_of_the_file_is_the_gateways_own(tmp_path: Path) -> None:
    """With a secret there is nothing to be made."""
    assert not load(write_configuration(tmp_path, configuration(9))).key_is_ephemeral


def test_faults_are_printed_as_they_render_themselves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, every fault with its place and cure on standard error."""
    path = write_configuration(tmp_path, configuration(9) | {"lissten": 1, "nonsense": 2})
    with pytest.raises(ConfigErrors) as caught:
        load(path)
    with pytest.raises(typer.Exit) as ended, exit_on_config_errors():
        load(path)

    assert ended.value.exit_code == 2
    assert capsys.readouterr().err == f"{caught.value}\n"
    assert f"{path}:" in str(caught.value)


def test_a_look_at_the_keys_finds_those_of_the_store(path: str) -> None:
    """All of them verify: the one that signs, and the one that is to."""
    assert invoke("keys", "rotate", "--config", path).returncode == 0
    listed = json.loads(invoke("keys", "list", "--json", "--config", path).stdout)
    loaded = load_with_keys(Path(path))

    assert not loaded.key_is_ephemeral
    assert {key.kid for key in look_at_store(loaded.config).keys} == {k["kid"] for k in listed}
    assert load(Path(path)).why_no_key == "the store was not asked"


def test_a_key_of_the_store_that_is_none_is_a_fault(path: str, store_file: Path) -> None:
    """Told at the place of the store."""
    assert invoke("keys", "rotate", "--config", path).returncode == 0
    database = sqlite3.connect(store_file)
    with database:
        database.execute("UPDATE signing_keys SET private_pem = x'00'")
    database.close()
    with pytest.raises(ConfigError, match="store: the store holds a key that is none"):
        load_with_keys(Path(path))


def test_with_a_key_of_the_file_the_store_is_no_matter(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    """Not for tokens: it need not even answer."""
    store = "postgresql://gateway:hunter2@127.0.0.1:1/gateway"
    path = write_configuration(tmp_path, document | configuration(9, store=store))

    assert load_with_keys(path).why_no_key == ""
