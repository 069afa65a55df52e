"""Strict YAML, node by node.

Built from PyYAML's event stream and not by its constructors: nothing but text, numbers, truth
values, lists and mappings can come out, an alias is never expanded, and a file that nests too
deeply is refused at its first bracket too many. Plain scalars are read as in YAML 1.2's core
schema, or less: ``NO``, ``on``, ``22:22``, ``010``, ``0x1F`` and ``1e3`` are text, whatever YAML
1.1 made of them.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import yaml

from gateway.errors import ConfigError, Place

Path: TypeAlias = tuple[str | int, ...]

MAX_DEPTH: Final = 32  # the deepest key of the schema is at 6; user attributes may nest further
_QUOTED_CHARS: Final = 60

# YAML 1.2 section 10.3.2, without octal, hexadecimal, exponents, infinities and leading zeros. The
# digits are bounded because int() refuses more than 4,300 of them.
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_WORDS: Final = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_MERGE_KEY: Final = "<<"


def format_path(path: Path) -> str:
    """Write a path as people do: ``routes[2].upstream``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def quote(value: object) -> str:
    """Return a value of the file for an error message, cut to a readable length."""
    if isinstance(value, str):
        return repr(value if len(value) <= _QUOTED_CHARS else value[:_QUOTED_CHARS] + "...")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "a mapping"
    return str(value)


class TooDeepError(Exception):
    """The nesting is beyond ``MAX_DEPTH``; the fault has been noted."""


class _Events:
    """PyYAML's events with one of look-ahead; PyYAML's types say less than it does."""

    def __init__(self, text: str) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=yaml.SafeLoader)
        self.peek: Any = next(self._events)  # the start of the stream

    def take(self) -> Any:  # noqa: ANN401 (an event; PyYAML does not type what it has)
        """Return the event that was looked at, and look at the next."""
        event = self.peek
        self.peek = next(self._events, None)
        return event

    def at(self, kind: type[yaml.Event]) -> bool:
        """Whether the next event is of *kind*."""
        return isinstance(self.peek, kind)

    @property
    def line(self) -> int:
        """The line on which the next event begins."""
        return int(self.peek.start_mark.line) + 1


class NodeReader:
    """Builds values from events and notes what must not be there."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[ConfigError] = []
        self.lines: dict[Path, tuple[int, int]] = {}
        self.line = 1  # of the last node
        self._has_references = False

    def read(self, text: str) -> Any:  # noqa: ANN401 (whatever the file has)
        """Read the only document of *text*."""
        events = _Events(text)
        events.take()  # the stream's start
        if events.at(yaml.StreamEndEvent):
            return None
        events.take()  # the document's start
        value = self._read_node(events, ())
        events.take()  # the document's end
        if not events.at(yaml.StreamEndEvent):
            self.refuse(events.line, (), "a second document begins", "remove the '---' before it")
        return value

    def refuse(self, line: int, path: Path, fault: str, cure: str) -> None:
        """Note a fault and go on."""
        self.faults.append(ConfigError(Place(self.file, line, format_path(path)), fault, cure))

    def _read_node(self, events: _Events, path: Path) -> Any:  # noqa: ANN401 (see read)
        self.line = events.line
        is_alias = events.at(yaml.AliasEvent)
        if events.at(yaml.CollectionStartEvent) and len(path) >= MAX_DEPTH:
            self.refuse(self.line, (), f"the nesting is deeper than {MAX_DEPTH}", "nest less")
            raise TooDeepError
        event = events.take()
        self._check_plain(event, path)
        if is_alias:
            return ""
        if isinstance(event, yaml.ScalarEvent):
            return self._read_scalar(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._read_sequence(events, path)
        return self._read_mapping(events, path)

    def _check_plain(self, event: Any, path: Path) -> None:  # noqa: ANN401 (an event)
        """Refuse what YAML has beyond plain trees: references and types of its own."""
        if event.anchor is not None and not self._has_references:  # said once: there may be many
            self._has_references = True
            self.refuse(
                self.line, path, "an anchor (&) or an alias (*) is used", "write the value out"
            )
        if getattr(event, "tag", None) is not None:
            self.refuse(self.line, path, "a tag (!) is used", "remove it, or quote the value")

    def _check_characters(self, text: str, path: Path) -> None:
        if any("\ud800" <= character <= "\udfff" for character in text):
            cure = "write the character itself"
            self.refuse(self.line, path, "an escape is half a character", cure)

    def _read_scalar(self, event: yaml.ScalarEvent, path: Path) -> str | int | float | bool:
        self._check_characters(event.value, path)
        value = _resolve(event)
        if value is None:
            self.refuse(self.line, path, "no value is given", "give one, or remove the line")
            return ""
        return value

    def _read_sequence(self, events: _Events, path: Path) -> list[Any]:
        items: list[Any] = []
        while not events.at(yaml.SequenceEndEvent):
            here = (*path, len(items))
            self.lines[here] = (events.line, events.line)
            items.append(self._read_node(events, here))
        events.take()
        return items

    def _read_mapping(self, events: _Events, path: Path) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while not events.at(yaml.MappingEndEvent):
            line = events.line
            key = self._read_key(events, path)
            here = (*path, key)
            if key in members:
                cure = f"it stands on line {self.lines[here][0]} too"
                self.refuse(line, path, f"duplicate key {quote(key)}", cure)
            self.lines[here] = (line, events.line if events.at(yaml.ScalarEvent) else line)
            members[key] = self._read_node(events, here)
        events.take()
        return members

    def _read_key(self, events: _Events, path: Path) -> str:
        self.line = events.line
        if not events.at(yaml.ScalarEvent):
            self.refuse(self.line, path, "a key is not plain text", "write 'key: value'")
            column = events.peek.start_mark.column
            self._read_node(events, (*path, "?"))
            return f"?{self.line}:{column}"  # two of them are no duplicates
        event = events.take()
        self._check_plain(event, path)
        self._check_characters(event.value, path)
        if event.value == _MERGE_KEY and not event.style:
            self.refuse(self.line, path, "a merge key (<<) is used", "write the keys out")
        elif not isinstance(_resolve(event), str):
            fault = f"the key {event.value[:_QUOTED_CHARS]} is not text"
            self.refuse(self.line, path, fault, "put it in quotes")
        return str(event.value)


def _resolve(event: yaml.ScalarEvent) -> str | int | float | bool | None:
    text: str = event.value
    if event.style:  # quoted, or a block of text
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
