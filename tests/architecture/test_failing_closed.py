"""HOUSE.md section 4: what may catch, what may assert, and where."""

import ast
from pathlib import Path
from typing import Final

import pytest

from gateway.errors import REASONS, Reason

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCES: Final = sorted(ROOT.glob("gateway/**/*.py"))
_BROAD: Final = frozenset(("Exception", "BaseException"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _broad_handlers(path: Path) -> int:
    """Return how many handlers of a file catch everything."""
    tree = ast.parse(path.read_text("utf-8"))
    handlers = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
    return sum(
        handler.type is None
        or any(isinstance(n, ast.Name) and n.id in _BROAD for n in ast.walk(handler.type))
        for handler in handlers
    )


def test_everything_is_caught_in_one_place_per_plane() -> None:
    """R3: ``decide_or_refuse`` on the data plane, its like on the control plane, and no other."""
    broad = {_name(path): count for path in SOURCES if (count := _broad_handlers(path))}

    assert set(broad.values()) <= {1}, broad
    assert sorted(name.split("/")[1] for name in broad) == ["control", "proxy"]


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_nothing_is_validated_by_assert(path: Path) -> None:
    """``python -O`` removes assertions; none may stand between a request and a refusal."""
    tree = ast.parse(path.read_text("utf-8"))

    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]


# Reasons of endpoints that are not there yet; whoever builds one takes its reasons out.
_COMING: Final[frozenset[Reason]] = frozenset()
_ABOUT_REASONS: Final = ("errors.py", "problem.py")  # they name them all, and give none


def test_every_reason_is_given_somewhere() -> None:
    """A reason that no code gives is a promise that nobody keeps."""
    text = "".join(p.read_text("utf-8") for p in SOURCES if p.name not in _ABOUT_REASONS)

    assert set(REASONS) == set(Reason)
    assert {reason for reason in Reason if f"Reason.{reason.name}" not in text} == _COMING
