"""Text from outside: what can be stored, and what may be shown."""

import pytest

from gateway.store.text import is_storable, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", True), ("алиса", True), ("a\nb", True), ("a\0", False), ("\ud800", False)],
)
def test_what_no_database_holds_is_known(text: str, expected: bool) -> None:  # noqa: FBT001 (a table)
    """PostgreSQL has no NUL in a text, and neither database half a surrogate pair."""
    assert is_storable(text) is expected


def test_what_is_shown_is_short_and_printable() -> None:
    """Control characters and lone surrogates are replaced, the rest is cut."""
    assert shown("a\x1b\0\ud800é" + "x" * 9, 6) == "a\ufffd\ufffd\ufffdéx"
