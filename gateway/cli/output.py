"""What people see: tables and colour on a terminal, plain aligned text in a pipe.

The plain form is made to be read by grep and awk: no boxes, no wrapping, no escape sequences. In
both forms control characters are shown, never sent: much of what is printed came from a network.
"""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

# Rich is loaded where there is a terminal: a service that starts has none, and would wait for it.
if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

Row: TypeAlias = Sequence[str]

# And lone surrogates: bytes of an argument that are not UTF-8, which no stream can print.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_COLUMN_GAP: Final = "  "
_STYLES: Final = {
    "ok": "green",
    "taken": "green",
    "forward": "bold green",
    "serve": "bold green",
    "respond": "bold red",
    "refused": "red",
    "warning": "yellow",
    "required": "green",
    "optional": "yellow",
    "none": "yellow",
    "active": "green",
    "disabled": "yellow",
    "shadowed": "yellow",
    "current": "green",
}


def visible(text: str) -> str:
    """Return *text* with its control characters as escapes, so that no terminal obeys them."""
    return _CONTROL.sub(lambda match: _escape(ord(match[0])), text)


def tell_moment(time_s: float | None) -> str:
    """Return a time of the store as tables show it; one word, so that awk can count columns."""
    if time_s is None:
        return "-"
    return datetime.fromtimestamp(int(time_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _escape(number: int) -> str:
    return f"\\x{number:02x}" if number <= 0xFF else f"\\u{number:04x}"  # noqa: PLR2004 (a byte)


def print_heading(text: str) -> None:
    """Print the line above a section, with an empty line before it."""
    if sys.stdout.isatty():
        _console().print(_text(f"\n{visible(text)}", "bold"))
    else:
        print(f"\n{visible(text)}")


def print_line(text: str, style: str = "") -> None:
    """Print one line of text."""
    if sys.stdout.isatty():
        _console().print(_text(visible(text), style), soft_wrap=True)
    else:
        print(visible(text))


def print_rows(rows: Iterable[Row], *, header: Row = ()) -> None:
    """Print rows in aligned columns; a cell that is a word such as ``ok`` is coloured."""
    shown = [[visible(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _console().print(_rich_table(shown, header))
        return
    for line in align([list(header), *shown] if header else shown):
        print(line)


def align(rows: Sequence[Row]) -> list[str]:
    """Return rows as lines of text whose columns begin at the same place."""
    column_count = max((len(row) for row in rows), default=0)
    widths = [max((len(r[i]) for r in rows if i < len(r)), default=0) for i in range(column_count)]
    return [
        _COLUMN_GAP.join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=False)
        ).rstrip()
        for row in rows
    ]


def print_json(value: Any) -> None:  # noqa: ANN401 (any JSON value)
    """Print a value as JSON; ASCII only, so that no control character gets through."""
    print(json.dumps(value, indent=2))


def print_error(text: str) -> None:
    """Print what went wrong to standard error, in red on a terminal."""
    lines = "\n".join(visible(line) for line in text.split("\n"))
    if sys.stderr.isatty():
        _console(stderr=True).print(_text(lines, "red"), soft_wrap=True)
    else:
        print(lines, file=sys.stderr)


def _console(*, stderr: bool = False) -> "Console":
    from rich.console import Console  # noqa: PLC0415 (as above)

    return Console(stderr=stderr, highlight=False)


def _text(text: str, style: str) -> "Text":
    from rich.text import Text  # noqa: PLC0415 (as above)

    return Text(text, style=style)


def _rich_table(rows: Sequence[Row], header: Row) -> "Table":
    from rich.table import Table  # noqa: PLC0415 (as above)

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(header))
    column_count = max([len(header), *(len(row) for row in rows)])
    for index in range(column_count):
        table.add_column(header[index] if index < len(header) else "", overflow="fold")
    for row in rows:
        table.add_row(*(_text(cell, _STYLES.get(cell, "")) for cell in row))
    return table
