"""gateway.observe.lines: one line, whatever is in it (THREATS.md OPS-14)."""

import json
from typing import Any

import pytest

from gateway.errors import Reason
from gateway.observe.lines import MAX_PATH_BYTES, MAX_TEXT_CHARS, LogLine

# Line ends of every kind, an escape sequence, quotes, DEL, a C1 control, a lone byte.
NASTY = 'a\r\n\x1b[2J"\\\u2028\u2029\x85\x7f\x00\x9b'


def told(line: LogLine) -> dict[str, Any]:
    """Return what a line says; it is one line of printable ASCII."""
    data = line.encode()
    assert data.endswith(b"\n")
    assert data[:-1].decode("ascii").isprintable()
    result: dict[str, Any] = json.loads(data)
    return result


def test_a_bare_line_has_every_member() -> None:
    """What is not known is null, and never absent."""
    line = told(LogLine(1_700_000_000.0, "192.0.2.1", listener="public"))

    assert line["time"] == "2023-11-14T22:13:20.000Z"
    assert (line["client"], line["listener"]) == ("192.0.2.1", "public")
    nulls = {name for name, value in line.items() if value is None}
    assert nulls == {
        "request_id", "method", "host", "path", "route", "status", "reason", "sub", "upstream",
        "endpoint", "upstream_ms", "trace_id",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("time_s", "shown"),
    [(0.9994, "1970-01-01T00:00:00.999Z"), (0.9996, "1970-01-01T00:00:01.000Z")],
)
def test_a_time_has_milliseconds(time_s: float, shown: str) -> None:
    """Rounded up, it is the next second and not the thousandth millisecond."""
    assert told(LogLine(time_s, "", listener="public"))["time"] == shown


def test_what_a_client_sends_stays_on_its_line() -> None:
    """OPS-14: JSON escapes it, and a reader gets it back as it was."""
    line = LogLine(0.0, NASTY, listener="public")
    line.path = line.host = line.method = b'x\n\x1b\xe2\x80\xa8\x7f"'
    line.sub = line.route = NASTY
    line.reason = Reason.BAD_REQUEST
    said = told(line)

    assert said["sub"] == said["client"] == said["route"] == NASTY
    assert said["path"] == 'x\n\x1b\xe2\x80\xa8\x7f"'
    assert said["reason"] == "bad_request"


def test_what_can_be_long_is_cut() -> None:
    """A pipe takes 4 KiB whole: no line of a client's making is longer."""
    line = LogLine(0.0, "", listener="public")
    line.path = b"/" * 9000
    line.sub = "\U0001f600" * 9000
    line.host = line.request_id = b"h" * 9000
    said = told(line)

    assert len(said["path"]) == MAX_PATH_BYTES
    assert len(said["sub"]) == len(said["host"]) == MAX_TEXT_CHARS
    assert len(line.encode()) < 4096
