"""One YAML file as plain values, with the line of every key and value."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from gateway.config.nodes import NodeReader, Path, TooDeepError, format_path, quote
from gateway.errors import ConfigError, ConfigErrors, Place

MAX_BYTES: Final = 1024 * 1024  # some 10,000 routes; PyYAML reads about 200 KiB a second

_IN_FLOW: Final = "expected ',' or"  # what PyYAML says of a list or mapping between brackets
_BARE_VARIABLE: Final = re.compile(r"(?<![\"'])\$\{")

# What PyYAML says about a syntax error, and what we say instead.
_SYNTAX: Final = (
    ("found character '\\t'", "a tab stands where YAML takes spaces only", "indent with spaces"),
    (
        "cannot start any token",
        "a value begins with a character that has a meaning in YAML",
        'put the value in quotes: "..."',
    ),
    (
        "mapping values are not allowed",
        "a ':' stands where no key can be",
        "check the indentation, and put a value that contains ': ' in quotes",
    ),
    ("unexpected end of stream", "a quote is opened and never closed", "close the quote"),
    ("could not find expected ':'", "a key has no ':' behind it", "write 'key: value'"),
    (_IN_FLOW, "a bracket is opened and not closed", "close the list or mapping"),
    (
        "expected <block end>",
        "the indentation does not fit the lines before",
        "indent the keys of one mapping, and the dashes of one list, alike",
    ),
)
_SYNTAX_CURE: Final = "check the indentation, the brackets and the quotes on this line and before"


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file as plain values, before variables are put in."""

    file: str
    value: dict[str, Any] = field(repr=False)  # may hold secrets that were written down literally
    lines: dict[Path, tuple[int, int]] = field(repr=False)  # of the key and of the value

    def place(self, *path: str | int, key: bool = False) -> Place:
        """Return where *path* stands, or the nearest thing around it that the file has.

        Args:
            *path: Keys and indices, from the top.
            key: Point at the key and not at its value; they may be on different lines.
        """
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        key_line, value_line = self.lines.get(known, (0, 0))
        return Place(self.file, key_line if key else value_line, format_path(known))

    def find(self, *path: str | int) -> Any:  # noqa: ANN401 (whatever the file has there)
        """Return the value at *path* as the file has it, or None where there is none."""
        value: Any = self.value
        for step in path:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    def quote(self, *path: str | int) -> str:
        """Return the value at *path* for an error message: as written, variables not put in."""
        value = self.find(*path)
        while value is None and path:
            path = path[:-1]
            value = self.find(*path)
        return quote(value)


def load_document(text: str, file: str) -> Document:
    """Read one YAML document.

    Args:
        text: The whole file.
        file: Its name, for places.

    Raises:
        ConfigErrors: It is no YAML, or uses more of YAML than is taken here. All faults up to the
            first that makes the rest unreadable.
    """
    if len(text) > MAX_BYTES:
        raise ConfigErrors([too_large(file)])
    reader = NodeReader(file)
    try:
        value = reader.read(text)
    except yaml.YAMLError as error:
        reader.faults.append(_syntax_error(error, text, file))
    except (ValueError, OverflowError):  # "\UFFFFFFFF", and %YAML with thousands of digits
        reader.refuse(
            reader.line, (), "an escape or a number is out of range", "write the character itself"
        )
    except TooDeepError:
        pass
    else:
        if not isinstance(value, dict) and not reader.faults:
            reader.refuse(
                1, (), "the file is not a mapping of keys to values", "begin it with 'version: 1'"
            )
        elif not reader.faults:
            return Document(file, value, reader.lines)
    raise ConfigErrors(reader.faults)


def too_large(file: str) -> ConfigError:
    """Return the error for a file of more than ``MAX_BYTES``."""
    return ConfigError(
        Place(file), f"the file is larger than {MAX_BYTES // 1024} KiB", "is it the right file?"
    )


def _syntax_error(error: yaml.YAMLError, text: str, file: str) -> ConfigError:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        fault = "the file has a control character"
        return ConfigError(Place(file, line), fault, 'remove it, or write it as "\\x.." in quotes')
    problem = getattr(error, "problem", None) or ""
    mark = getattr(error, "problem_mark", None)
    place = Place(file, mark.line + 1 if mark else 0)
    if _IN_FLOW in problem and mark and _BARE_VARIABLE.search(text.split("\n")[mark.line]):
        fault = "a ${...} stands unquoted between brackets"
        return ConfigError(place, fault, 'YAML reads its braces: put it in quotes, "${NAME}"')
    for known, fault, cure in _SYNTAX:
        if known in problem:
            return ConfigError(place, fault, cure)
    return ConfigError(place, f"this is not valid YAML ({problem})", _SYNTAX_CURE)
