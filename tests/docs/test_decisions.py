"""docs/decisions.md explains every reason that the code can give, and none else."""

import re
from typing import Final

import pytest

from gateway.errors import REASONS, Reason
from gateway.policy.problem import REASONS_PAGE
from tests.kit.documents import read

_SECTION: Final = re.compile(
    r"^### `(?P<slug>[a-z_]+)`\n\n(?P<text>.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL
)
SECTIONS: Final = {match["slug"]: match["text"] for match in _SECTION.finditer(read(REASONS_PAGE))}


def test_every_reason_has_its_heading_and_no_heading_is_left_over() -> None:
    """The list of reasons is closed: a client can look each of them up."""
    assert sorted(SECTIONS) == sorted(Reason)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_section_gives_the_status_and_whether_the_connection_closes(reason: Reason) -> None:
    """A section begins with the status of the table, and says "closes" exactly where it does."""
    first_line = SECTIONS[reason].partition(".")[0]

    assert first_line.startswith(str(REASONS[reason].status))
    assert ("closes" in first_line) == REASONS[reason].closes


@pytest.mark.parametrize("reason", list(Reason))
def test_a_section_says_what_each_side_can_do(reason: Reason) -> None:
    """Who reads a section is a client or an operator, and finds what to do."""
    assert "\n- Client: " in SECTIONS[reason]
    assert "\n- Operator: " in SECTIONS[reason]
