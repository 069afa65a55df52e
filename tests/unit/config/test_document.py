"""Reading YAML strictly, as a whole file."""

import pytest

from gateway.config.document import MAX_BYTES, load_document
from gateway.errors import ConfigErrors, Place

REFUSED = [
    pytest.param("", "f:1: the file is not a mapping of keys to values", id="empty"),
    pytest.param("- a\n", "f:1: the file is not a mapping of keys to values", id="list"),
    pytest.param("a: 1\n---\nb: 2\n", "f:2: a second document begins", id="two-documents"),
    pytest.param("a:\n\tb: 1\n", "f:2: a tab stands where YAML takes spaces only", id="tab"),
    pytest.param(
        "a: @x", "f:1: a value begins with a character that has a meaning in YAML", id="@"
    ),
    pytest.param("a: b: c", "f:1: a ':' stands where no key can be", id="two-colons"),
    pytest.param("a: 'x", "f:1: a quote is opened and never closed", id="open-quote"),
    pytest.param("a: [b", "f:1: a bracket is opened and not closed", id="open-bracket"),
    pytest.param(
        "a: {b: ${X}, c: d}", "f:1: a ${...} stands unquoted between brackets", id="bare-variable"
    ),
    pytest.param(
        'a: {b: "${X}", c: [d}', "f:1: a bracket is opened and not closed", id="quoted-variable"
    ),
    pytest.param("a: 1\nb\nc: 2\n", "f:3: a key has no ':' behind it", id="no-colon"),
    pytest.param("- a\nb: 1", "f:2: the indentation does not fit the lines before", id="indent"),
    pytest.param("a: 1\nb: \x00", "f:2: the file has a control character", id="nul"),
    pytest.param("a: \ud800", "f:1: the file has a control character", id="lone-surrogate"),
    pytest.param('a: "\\UFFFFFFFF"', "f:1: an escape or a number is out of range", id="escape"),
    pytest.param(
        "a: !x!y 1", "f:1: this is not valid YAML (found undefined tag handle '!x!')", id="t"
    ),
    pytest.param(
        "a: 1\n" * (MAX_BYTES // 5 + 1), "f: the file is larger than 1024 KiB", id="large"
    ),
    pytest.param("[" * 2000 + "]" * 2000, "f:1: the nesting is deeper than 32", id="brackets"),
    pytest.param("a: " + "{b: " * 2000, "f:1: the nesting is deeper than 32", id="braces"),
]


@pytest.mark.parametrize(("text", "first_line"), REFUSED)
def test_what_is_not_plain_yaml_is_one_error_with_line_and_cure(text: str, first_line: str) -> None:
    """An unreadable file is one error that names the line, in our words and not PyYAML's."""
    with pytest.raises(ConfigErrors) as caught:
        load_document(text, "f")

    (error,) = caught.value.errors
    assert str(error).splitlines()[0] == first_line
    assert error.cure


def test_the_lines_of_keys_and_values_are_kept() -> None:
    """A value may stand below its key; a section stands where its key does."""
    document = load_document("a:\n  - b: 1\n    c:\n      long\nd: {e: x}\n", "f")

    assert document.place("a", 0, "c") == Place("f", 4, "a[0].c")
    assert document.place("a", 0, "c", key=True) == Place("f", 3, "a[0].c")
    assert document.place("a") == Place("f", 1, "a")
    assert document.place("d", "e") == Place("f", 5, "d.e")


def test_what_the_file_does_not_have_is_placed_at_what_is_around_it() -> None:
    """The place of a missing key is its section's."""
    document = load_document("a:\n  b: {c: 1}\n", "f")

    assert document.place("a", "b", "x", "y") == Place("f", 2, "a.b")
    assert document.place("z") == Place("f", 0, "")


def test_values_are_found_and_quoted_as_written() -> None:
    """What is quoted is what the file says, or what stands around it."""
    document = load_document("a: [one, {b: true}]\nc: ${X}\nd: 12\ne: " + "x" * 100, "f")

    assert document.find("a", 1, "b") is True
    assert document.find("a", 7) is None
    assert document.find("c", 0) is None
    assert document.quote("c", 0) == "'${X}'"
    assert document.quote("a", 1, "b") == "true"
    assert document.quote("a", 1) == "a mapping"
    assert document.quote("a", 9) == "a list"
    assert document.quote("d") == "12"
    assert document.quote("e") == "'" + "x" * 60 + "...'"
    assert "one" not in repr(document)
