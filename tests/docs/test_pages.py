"""What holds for every page: links lead somewhere, named files exist, examples are real."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.kit.documents import PAGES, ROOT, blocks, page_id, read

_LINK: Final = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")
_NAMED_FILE: Final = re.compile(
    r"`((?:bench|config|docs|gateway|tests)/[\w./-]+\.(?:md|py|yaml))[`:]"
)
_NAMED_TEST: Final = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_MAKE: Final = re.compile(r"^make ([a-z]+)", re.MULTILINE)
_TARGET: Final = re.compile(r"^([a-z]+):", re.MULTILINE)

pytestmark = pytest.mark.parametrize("page", PAGES, ids=page_id)


def test_links_lead_to_files_that_exist(page: Path) -> None:
    """A relative link is relative to its page."""
    links = _LINK.findall(page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_files_that_a_page_names_exist(page: Path) -> None:
    """A path in a page is one of this project, from its root."""
    names = _NAMED_FILE.findall(page.read_text("utf-8"))

    assert [name for name in names if not (ROOT / name).exists()] == []


def test_tests_that_a_page_names_exist(page: Path) -> None:
    """A promise that points to its proof points to one that is there."""
    tests = _NAMED_TEST.findall(page.read_text("utf-8"))

    assert [name for file, name in tests if f"def {name}(" not in read(file)] == []


def test_shell_blocks_name_targets_that_exist(page: Path) -> None:
    """A verb that a page tells people to type is one of the Makefile's."""
    targets = set(_TARGET.findall(read("Makefile")))
    named = {
        verb for block in blocks(page.read_text("utf-8"), "sh") for verb in _MAKE.findall(block)
    }

    assert named - targets == set()
