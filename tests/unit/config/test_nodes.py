"""Nodes of YAML: what becomes of each, and which are refused."""

from typing import Any

import pytest

from gateway.config.document import load_document
from gateway.config.nodes import format_path
from gateway.errors import ConfigErrors

SCALARS = [
    ("true", True), ("False", False), ("12", 12), ("-3", -3), ("+4", 4), ("0", 0), ("1.5", 1.5),
    ("NO", "NO"), ("no", "no"), ("on", "on"), ("y", "y"), ("22:22", "22:22"), ("010", "010"),
    ("0x1F", "0x1F"), ("0o7", "0o7"), ("1e3", "1e3"), ("1_000", "1_000"), (".5", ".5"),
    (".inf", ".inf"), (".nan", ".nan"), ("2026-01-01", "2026-01-01"), ("=", "="),
    ("'12'", "12"), ('"true"', "true"), ("9" * 5000, "9" * 5000), ("|\n  x\n  y", "x\ny"),
    ("$argon2id$v=19$m=1,t=1,p=1$a$b", "$argon2id$v=19$m=1,t=1,p=1$a$b"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS, ids=[text[:12] for text, _ in SCALARS])
def test_plain_scalars_are_those_of_yaml_1_2_or_text(text: str, value: object) -> None:
    """YAML 1.2.2 section 10.3.2: no sexagesimals, no octal, no yes and no."""
    actual = load_document(f"a: {text}", "f").value["a"]

    assert (type(actual), actual) == (type(value), value)


_DEEP_TAG = "f:1: a.b[0]: a tag (!) is used"

REFUSED = [
    pytest.param("a: 1\nb: 2\na: 3", ["f:3: duplicate key 'a'"], id="duplicate"),
    pytest.param("a: {b: 1, b: 2}", ["f:1: a: duplicate key 'b'"], id="duplicate-inside"),
    pytest.param(
        "a: &x 1\nb: *x\nc: &y 2", ["f:1: a: an anchor (&) or an alias (*) is used"], id="anchor"
    ),
    pytest.param("<<: {a: 1}", ["f:1: a merge key (<<) is used"], id="merge"),
    pytest.param("a: !!python/none x", ["f:1: a: a tag (!) is used"], id="tag"),
    pytest.param("a: !!str x", ["f:1: a: a tag (!) is used"], id="standard-tag"),
    pytest.param("!!str a: x", ["f:1: a tag (!) is used"], id="tag-on-key"),
    pytest.param("a: !!map {b: [!x 1]}", ["f:1: a: a tag (!) is used", _DEEP_TAG], id="tags"),
    pytest.param("a:\nb: ~", ["f:1: a: no value is given", "f:2: b: no value is given"], id="null"),
    pytest.param("1: a", ["f:1: the key 1 is not text"], id="number-as-key"),
    pytest.param("true: a", ["f:1: the key true is not text"], id="truth-as-key"),
    pytest.param(
        "? [a]\n: 1\n? {b: c}\n: 2",
        ["f:1: a key is not plain text", "f:3: a key is not plain text"],
        id="collection-as-key",
    ),
    pytest.param('a: "\\ud800"', ["f:1: a: an escape is half a character"], id="surrogate"),
    pytest.param('"\\ud800": a', ["f:1: an escape is half a character"], id="surrogate-key"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "first_lines"), REFUSED)
def test_all_that_is_no_plain_tree_is_refused(text: str, first_lines: list[str]) -> None:
    """No references, no types, no doubt about a key: each fault with its line and a cure."""
    with pytest.raises(ConfigErrors) as caught:
        load_document(text, "f")

    assert [str(error).splitlines()[0] for error in caught.value.errors] == first_lines
    assert all(error.cure for error in caught.value.errors)


def test_an_alias_bomb_is_one_error() -> None:
    """THREATS.md OPS-02: aliases are never expanded, and a thousand of them are one fault."""
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]

    with pytest.raises(ConfigErrors) as caught:
        load_document("\n".join(lines), "f")

    assert len(caught.value.errors) == 1


def test_quoted_keys_are_text() -> None:
    """A number or a truth value in quotes may be a key, and so may '<<'."""
    expected: dict[str, Any] = {"1": "a", "true": "b", "<<": "c"}

    assert load_document("'1': a\n\"true\": b\n'<<': c", "f").value == expected


def test_paths_are_written_as_people_do() -> None:
    """``routes[2].upstream``."""
    assert format_path(("routes", 2, "upstream")) == "routes[2].upstream"
    assert format_path(()) == ""
