"""The project's own documents, as the tests that compare them with the code read them."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])

_BLOCK: Final = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def read(name: str) -> str:
    """Return the text of a file, named from the project's root."""
    return (ROOT / name).read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of *text* that are marked as *language*."""
    return [block["text"] for block in _BLOCK.finditer(text) if block["language"] == language]


def page_id(page: Path) -> str:
    """Name a page from the project's root, for the ids of tests."""
    return page.relative_to(ROOT).as_posix()
