"""docs/headers.md names every field that the gateway treats in a way of its own."""

import re
from typing import Final

import pytest

from gateway.http1.names import STANDARD_KINDS, FieldKind, NameTable
from tests.kit.documents import read

PAGE: Final = read("docs/headers.md")
STRIPPED: Final = PAGE.partition("## Requests: stripped")[2].partition("\n## ")[0]
_NAMES: Final = re.compile(r"`([A-Z][A-Za-z0-9]*(?:-[A-Za-z0-9*]+)*)`")
_STAYS: Final = (FieldKind.PASS, FieldKind.HOST, FieldKind.COOKIE)


@pytest.mark.parametrize("name", sorted(STANDARD_KINDS), ids=bytes.decode)
def test_every_name_with_a_kind_of_its_own_is_on_the_page(name: bytes) -> None:
    """A field that does not simply pass is documented."""
    documented = {match[1].lower().encode("ascii") for match in _NAMES.finditer(PAGE)}

    assert name in documented


def test_every_name_in_the_table_of_stripped_fields_is_stripped() -> None:
    """What the page calls stripped does not pass: the first column agrees with the name table."""
    rows = [line.split("|")[1] for line in STRIPPED.splitlines() if line.startswith("| ")]
    names = [match[1].replace("*", "Any") for row in rows for match in _NAMES.finditer(row)]
    table = NameTable()

    assert names
    assert [name for name in names if table[name.encode("ascii")] in _STAYS] == []
