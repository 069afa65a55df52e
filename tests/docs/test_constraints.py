"""constraints.txt pins, exactly and from any index, all that ``make`` installs."""

import re
import tomllib
from importlib import metadata
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.kit.documents import read

LINES: Final = [
    line for line in read("constraints.txt").splitlines() if line and not line.startswith("#")
]
PINS: Final = {canonicalize_name(name): v for name, _, v in (ln.partition("==") for ln in LINES)}
PROJECT: Final = tomllib.loads(read("pyproject.toml"))["project"]
DIRECT: Final = [
    Requirement(text)
    for text in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
]


def _needed() -> set[str]:
    """Return the names that ``pip install -e .[dev]`` brings, by this environment's metadata."""
    names: set[str] = set()
    waiting = list(DIRECT)
    while waiting:
        requirement = waiting.pop()
        names.add(canonicalize_name(requirement.name))
        extras = ("", *requirement.extras)
        for text in metadata.requires(requirement.name) or []:
            needed = Requirement(text)
            wanted = needed.marker is None or any(
                needed.marker.evaluate({"extra": extra}) for extra in extras
            )
            if wanted and canonicalize_name(needed.name) not in names:
                waiting.append(needed)
    return names


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_an_exact_version_and_no_url(line: str) -> None:
    """A pin works with any package index: a name and a version, nothing else."""
    assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line)


def test_everything_that_is_installed_is_pinned() -> None:
    """Two machines get the same versions, today and next year."""
    assert _needed() - PINS.keys() == set()


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_a_pin_is_within_the_range_that_the_project_declares(requirement: Requirement) -> None:
    """The versions that are tested are versions that the package metadata allows."""
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])
