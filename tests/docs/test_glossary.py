"""docs/glossary.md: every word lives where the page says, and banned words are not used."""

import importlib
import re
from pathlib import Path
from typing import Final

import pytest

from tests.kit.documents import PAGES, ROOT, page_id, read

GLOSSARY: Final = read("docs/glossary.md")
PLACES: Final = re.findall(r"`(gateway(?:\.\w+)+)`", GLOSSARY)
BANNED: Final = re.findall(r"~~(\w+)~~", GLOSSARY)
SOURCES: Final = sorted(ROOT.glob("gateway/**/*.py"))


@pytest.mark.parametrize("place", PLACES)
def test_the_place_of_a_word_exists(place: str) -> None:
    """A word is used in the code under the name that the glossary gives."""
    module, _, name = place.rpartition(".")

    assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize("file", [*SOURCES, *PAGES], ids=page_id)
def test_no_banned_word_is_used(file: Path) -> None:
    """The words that the glossary strikes out stand nowhere else."""
    text = file.read_text("utf-8").lower()

    assert BANNED
    assert [word for word in BANNED if word in text.replace(f"~~{word}~~", "")] == []
