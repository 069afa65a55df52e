"""The kinds of value: durations, sizes, counts, texts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gateway.config import fields
from gateway.config.secrets import Expanded

TAKEN = [
    (fields.Duration, "250ms", 0.25), (fields.Duration, "30s", 30), (fields.Duration, "24m", 1440),
    (fields.Duration, "12h", 43200), (fields.Duration, "30d", 2592000),
    (fields.WholeSeconds, "2000ms", 2), (fields.WholeSecondsOrZero, "0s", 0),
    (fields.Size, "512B", 512), (fields.Size, "64KiB", 65536), (fields.Size, "10MiB", 10485760),
    (fields.Size, "1GiB", 1 << 30), (fields.SizeOrZero, "0B", 0),
    (fields.Count, 1, 1), (fields.Count, 999_999_999, 999_999_999),
    (fields.Count, Expanded("12"), 12), (fields.Truth, True, True), (fields.Truth, False, False),
    (fields.Truth, Expanded("false"), False), (fields.Truth, Expanded("true"), True),
    (fields.Text, "x y", "x y"), (fields.Id, "x" * 255, "x" * 255), (fields.Scope, "a:b", "a:b"),
]  # fmt: skip

REFUSED = [
    (fields.Duration, 30, "{value} is not a duration"),
    (fields.Duration, "30", "{value} is not a duration"),
    (fields.Duration, "1.5s", "{value} is not a duration"),
    (fields.Duration, "30 s", "{value} is not a duration"),
    (fields.Duration, "22:22", "{value} is not a duration"),
    (fields.Duration, "\u0663s", "{value} is not a duration"),
    (fields.Duration, "0s", "{value} is nothing at all"),
    (fields.Duration, "4000d", "{value} is longer than ten years"),
    (fields.WholeSeconds, "250ms", "{value} is not a whole number of seconds"),
    (fields.WholeSeconds, "0s", "{value} is nothing at all"),
    (fields.WholeSecondsOrZero, "5", "{value} is not a duration"),
    (fields.Size, 64, "{value} is not a size"),
    (fields.Size, "64k", "{value} is not a size"),
    (fields.Size, "64KB", "{value} is not a size"),
    (fields.Size, "0KiB", "{value} is nothing at all"),
    (fields.Count, 0, "{value} is not a count"),
    (fields.Count, True, "{value} is not a count"),
    (fields.Count, "5", "{value} is not a count"),
    (fields.Count, Expanded("5x"), "{value} is not a count"),
    (fields.Count, 10**9, "{value} is not a count"),
    (fields.Truth, "true", "{value} is neither true nor false"),
    (fields.Truth, 1, "{value} is neither true nor false"),
    (fields.Text, 10, "{value} is not text"),
    (fields.Text, "", "the text is empty"),
    (fields.Text, "a\nb", "the text has a line break or another control character"),
    (fields.Text, "x" * 1025, "the text is longer than 1024 characters"),
    (fields.Id, "x" * 256, "the text is longer than 255 characters"),
    (fields.Scope, "a b", "{value} is not one scope"),
]


@pytest.mark.parametrize(("kind", "value", "expected"), TAKEN)
def test_what_is_taken(kind: Any, value: object, expected: object) -> None:
    """Each value is read once, into seconds, bytes and the like."""
    assert TypeAdapter(kind).validate_python(value) == expected


@pytest.mark.parametrize(("kind", "value", "fault"), REFUSED)
def test_what_is_refused(kind: Any, value: object, fault: str) -> None:
    """A unit is always written; nothing is converted; every fault has a cure."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)

    (error,) = caught.value.errors()
    assert (error["ctx"]["fault"], bool(error["ctx"]["cure"])) == (fault, True)


@pytest.mark.parametrize(
    ("word", "cure"), [("NO", "write false"), ("on", "write true"), ("x", "write true or false")]
)
def test_the_truth_values_of_yaml_1_1_are_named(word: str, cure: str) -> None:
    """Who writes ``NO`` means false, and is told to write that."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(fields.Truth).validate_python(word)

    assert caught.value.errors()[0]["ctx"]["cure"] == cure


def test_expanded_text_becomes_plain_text() -> None:
    """Claims are compared by type, so that no subclass of ``str`` may be left."""
    value = fields.plain({"a": [Expanded("x"), 1]})

    assert isinstance(value, dict)
    assert [type(item) for item in value["a"]] == [str, int]


@given(st.integers(min_value=0, max_value=fields.MAX_DURATION_S))
def test_a_duration_is_written_as_it_is_read(seconds: int) -> None:
    """What the schema shows as a default can be written into the file."""
    assert fields.parse_duration(fields.format_duration(seconds)) == seconds


@given(st.integers(min_value=0, max_value=1 << 39))
def test_a_size_is_written_as_it_is_read(size: int) -> None:
    """What the schema shows as a default can be written into the file."""
    assert fields.parse_size(fields.format_size(size)) == size


def test_durations_below_a_second_are_written_in_milliseconds() -> None:
    """250ms stays 250ms."""
    assert (fields.format_duration(0.25), fields.format_duration(0)) == ("250ms", "0s")


def test_one_value_may_stand_for_a_list() -> None:
    """``listen: x`` is ``listen: [x]``."""
    assert (fields.as_list("x"), fields.as_list(["x"])) == (["x"], ["x"])
