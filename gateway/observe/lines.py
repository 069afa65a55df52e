"""A line of the access log: one JSON object, its members always the same and in this order.

The rule to keep in mind: it is one line whatever a client has sent. All that is not printable ASCII
is escaped (line ends, ESC, U+2028), and what can be long is cut.
"""

from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Final

from gateway.errors import Reason

MAX_PATH_BYTES: Final = 1024
MAX_NAME_CHARS: Final = 256  # of a route or an upstream
MAX_TEXT_CHARS: Final = 128  # of a host or a subject; so the whole is below 4 KiB, as a rule


class LogLine:
    """What stands in one line; what is not set is null."""

    __slots__ = (
        "aborted",
        "client",
        "duration_s",
        "endpoint",
        "head_s",
        "host",
        "listener",
        "method",
        "path",
        "reason",
        "received_bytes",
        "request_id",
        "route",
        "sent_bytes",
        "status",
        "sub",
        "time_s",
        "trace_id",
        "upstream",
    )

    def __init__(self, time_s: float, client: str, *, listener: str) -> None:
        self.time_s = time_s  # of the request's end, since the epoch
        self.client = client
        self.listener = listener
        self.request_id: bytes | None = None
        self.method: bytes | None = None
        self.host: bytes | None = None
        self.path: bytes | None = None
        self.route: str | None = None
        self.status: int | None = None
        self.reason: Reason | None = None
        self.sub: str | None = None
        self.upstream: str | None = None
        self.endpoint: str | None = None
        self.received_bytes = 0
        self.sent_bytes = 0
        self.duration_s = 0.0
        self.head_s: float | None = None
        self.aborted = False
        self.trace_id: bytes | None = None

    def encode(self) -> bytes:
        """Return the line, with its line end."""
        # Rounded as a whole: 0.9996 s is the next second, and no 1000 ms.
        second, millisecond = divmod(round(self.time_s * 1000), 1000)
        status = "null" if self.status is None else self.status
        upstream_ms = "null" if self.head_s is None else f"{self.head_s * 1000:.3f}"
        aborted = "true" if self.aborted else "false"
        # By hand, since json.dumps takes twice as long; the pieces are one allocation.
        text = (
            f'{{"time":"{_second_text(second)}.{millisecond:03d}Z","listener":"{self.listener}",'
            f'"request_id":{_text(self.request_id)},"client":{_quote(self.client)},'
            f'"method":{_text(self.method)},"host":{_text(self.host)},'
            f'"path":{_text(self.path, MAX_PATH_BYTES)},"route":{_name(self.route)},'
            f'"status":{status},"reason":{_name(self.reason)},'
            f'"sub":{_name(self.sub, MAX_TEXT_CHARS)},"upstream":{_name(self.upstream)},'
            f'"endpoint":{_name(self.endpoint)},"received_bytes":{self.received_bytes},'
            f'"sent_bytes":{self.sent_bytes},"duration_ms":{self.duration_s * 1000:.3f},'
            f'"upstream_ms":{upstream_ms},"aborted":{aborted},'
            f'"trace_id":{_text(self.trace_id)}}}\n'
        )
        return text.encode("ascii")


@lru_cache(maxsize=4)
def _second_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _text(value: bytes | None, longest: int = MAX_TEXT_CHARS) -> str:
    # Bytes of a head are ASCII as a rule; Latin-1 has a character for every other.
    return "null" if value is None else _quote(value[:longest].decode("latin-1"))


def _name(value: str | None, longest: int = MAX_NAME_CHARS) -> str:
    return "null" if value is None else _quote(value[:longest])


def _quote(text: str) -> str:
    # JSON leaves DEL as it is, some terminals do not.
    return encode_basestring_ascii(text).replace("\x7f", "\\u007f")
