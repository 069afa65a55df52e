"""HOUSE.md section 6: sizes say stop."""

import ast
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCES: Final = sorted([*ROOT.glob("gateway/**/*.py"), *ROOT.glob("upstream_demo/**/*.py")])
TESTS: Final = sorted(ROOT.glob("tests/**/*.py"))

MAX_FILE_LINES: Final = 450  # at home at 300; mitmproxy's and caddy's longest have thousands
MAX_FUNCTION_LINES: Final = 60  # 95 % of those of the field are shorter
MAX_ARGUMENTS: Final = 7  # six, and self


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text("utf-8"))
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=_name)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    """A file is at home at 300 lines and never longer than 450."""
    assert len(path.read_text("utf-8").splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_function_can_be_seen_at_once(path: Path) -> None:
    """No god-functions, and no settings handed on one by one."""
    for function in _functions(path):
        arguments = function.args
        count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
        assert function.end_lineno is not None
        assert function.end_lineno - function.lineno < MAX_FUNCTION_LINES, function.name
        assert count <= MAX_ARGUMENTS or "typer" in path.read_text("utf-8"), function.name
