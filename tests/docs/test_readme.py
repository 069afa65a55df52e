"""README.md shows the configuration, the commands and the defaults that there are."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main
from pydantic import BaseModel

from gateway.cli.loading import load
from gateway.cli.main import app
from gateway.config.route_settings import RouteSettings
from gateway.config.schema import LimitsSettings
from gateway.config.upstream_settings import UpstreamSettings
from tests.kit.documents import PAGES, blocks, page_id, read

README: Final = read("README.md")
_COMMAND_ROW: Final = re.compile(r"^\| `gateway ([a-z-]+)", re.MULTILINE)
_LIMIT_ROW: Final = re.compile(
    r"^\| `(?P<key>\w+)`(?: of an? (?P<section>\w+))? \| (?P<default>\S+) \|", re.MULTILINE
)
_LIMIT_NAME: Final = re.compile(r"`limits\.(\w+)")
SECTIONS: Final[dict[str | None, type[BaseModel]]] = {
    None: LimitsSettings,
    "route": RouteSettings,
    "upstream": UpstreamSettings,
}


def _default(section: str | None, key: str) -> Any:
    return SECTIONS[section].model_json_schema()["properties"][key]["default"]


@pytest.mark.parametrize("text", blocks(README, "yaml"))
def test_an_example_configuration_is_valid(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration that the README shows can be copied and served."""
    monkeypatch.chdir(tmp_path)  # the key of a demo that ran here is not ours to read
    file = tmp_path / "routes.yaml"
    file.write_text(text, "utf-8")

    assert load(file).snapshot.routes


def test_the_table_of_commands_is_complete() -> None:
    """Every command has its row, and every row its command."""
    commands = typer.main.get_group(app).commands

    assert sorted(_COMMAND_ROW.findall(README)) == sorted(commands)


@pytest.mark.parametrize(
    ("key", "section", "default"),
    [pytest.param(*row.groups(), id=row["key"]) for row in _LIMIT_ROW.finditer(README)],
)
def test_a_default_in_the_table_of_limits_is_the_schemas(
    key: str, section: str | None, default: str
) -> None:
    """What the README calls a default is one."""
    assert str(_default(section, key)) == default


def test_every_limit_is_in_the_table() -> None:
    """Each key of ``limits`` that is an amount has its row."""
    listed = {row["key"] for row in _LIMIT_ROW.finditer(README) if row["section"] is None}

    assert listed == set(LimitsSettings.model_fields) - {"odd_header_names"}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_a_limit_that_a_page_names_exists(page: Path) -> None:
    """``limits.x`` in a page is a key that the file can have."""
    names = set(_LIMIT_NAME.findall(page.read_text("utf-8")))

    assert names - set(LimitsSettings.model_fields) == set()
