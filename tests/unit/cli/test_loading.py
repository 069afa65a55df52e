"""Reading the configuration for a command leaves nothing behind."""

from pathlib import Path

import pytest
import typer

from gateway.cli.loading import exit_on_config_errors, load
from gateway.errors import ConfigErrors
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
