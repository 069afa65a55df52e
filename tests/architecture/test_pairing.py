"""HOUSE.md section 6: every source file of the pure core has its own test file."""

from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
_RUN_BY_INTEGRATION_TESTS: Final = (
    "__init__.py",
    "__main__.py",
    "process.py",
    "server.py",
    "supervisor.py",
)
CORE: Final = sorted(
    path.relative_to(ROOT / "gateway")
    for pattern in ("*.py", "http1/*.py", "policy/*.py")
    for path in (ROOT / "gateway").glob(pattern)
    if path.name not in _RUN_BY_INTEGRATION_TESTS
)


@pytest.mark.parametrize("source", CORE, ids=str)
def test_a_source_file_has_its_test_file(source: Path) -> None:
    """So that each can be covered from its own tests alone."""
    assert (ROOT / "tests" / "unit" / source.parent / f"test_{source.name}").is_file()


@pytest.mark.parametrize("room", ["http1", "policy"])
def test_a_test_file_has_its_source_file(room: str) -> None:
    """What was renamed takes its tests along."""
    tests = {path.name for path in (ROOT / "tests" / "unit" / room).glob("test_*.py")}
    sources = {f"test_{path.name}" for path in (ROOT / "gateway" / room).glob("*.py")}

    assert tests - sources == set()
