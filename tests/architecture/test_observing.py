"""HOUSE.md R14: a request's end is told of in one place."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


def test_the_end_of_a_request_is_told_of_on_one_line() -> None:
    """So that no request is told of twice, or counted and not logged."""
    calls = [
        path.name
        for path in sorted(ROOT.glob("gateway/**/*.py"))
        for line in path.read_text("utf-8").splitlines()
        if "access.finished(" in line
    ]

    assert calls == ["downstream.py"]
