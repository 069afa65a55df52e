"""The field section of a request head, sorted in one pass by what each field means here.

The pass splits the section at its line ends and asks a ``NameTable`` for each name's kind. Measured
in one run against edits by two regular expressions (find the credential, delete what may not pass)
it takes as long as they do, and has then judged Host, framing and Connection as well, for which
they would need further looks (``docs/adr/0004``).
"""

import re
from collections.abc import Callable
from typing import Any, Final

from gateway.errors import ProtocolError, Reason
from gateway.http1.host import parse_host
from gateway.http1.names import DROP, PASS, FieldKind, NameTable, fold
from gateway.http1.trace_context import TraceParent, parse_traceparent

_LENGTH: Final = re.compile(rb"[0-9]{1,20}")  # llhttp takes up to 2^64 - 1

# A list within one field is fields in disguise: 15,000 items in 32 KiB cost 25 times what any other
# head of that size does.
MAX_LIST_ITEMS: Final = 100  # of Connection or Upgrade; as many as fields are taken
MAX_COOKIES: Final = 256  # Chrome keeps 180 for one site, Firefox 150

MAX_DERIVED: Final = 16  # a client uses a few routes; one that tries all of them shall not fill us

# What Connection may never name: the message could be cut or routed in two ways (RFC 9110 7.6.1).
_NOT_HOP_BY_HOP: Final = frozenset((b"host", b"content-length", b"transfer-encoding"))
# Options that every client sends and that name no field worth looking for.
_BARE_OPTIONS: Final = frozenset((b"", b"close", b"keep-alive", b"upgrade"))


class Fields:
    """A field section, sorted. Requests that send the same bytes share it: it is never changed."""

    __slots__ = (
        "authority",
        "chunked",
        "content_length",
        "cookies",
        "cookies_count",
        "credentials",
        "derived",
        "expects_continue",
        "expects_other",
        "forwarding",
        "has_body",
        "host",
        "keep_alive",
        "lines",
        "options",
        "request_id",
        "trace_lines",
        "trace_parent",
        "traceparents",
        "upgrade",
        "websocket",
    )

    def __init__(self) -> None:
        self.authority: bytes | None = None  # the value of Host as received
        self.host = b""  # as routes compare it; empty where there is none
        self.lines: list[bytes] = []  # fields that go to the service as they came
        self.credentials: list[tuple[bytes, bytes, bytes]] = []  # (lower-case name, value, line)
        self.cookies_count = 0
        self.cookies: list[bytes] = []  # lines, where a credential may sit in a cookie
        self.forwarding: list[tuple[bytes, bytes]] = []  # (folded name, line)
        self.request_id: bytes | None = None
        self.content_length: int | None = None
        self.chunked = False
        self.has_body = False  # bytes of a body follow the head
        self.options: list[bytes] = []  # of Connection, in lower case
        self.keep_alive: bool | None = None  # what Connection says; None leaves it to the version
        self.expects_continue = False
        self.expects_other = False  # something that nobody can meet
        self.upgrade: list[bytes] = []  # what the client offers to switch to, in lower case
        self.websocket = False  # a websocket handshake, as far as its fields say
        self.trace_parent: TraceParent | None = None  # of the trace that the service is told of
        self.traceparents: list[bytes] = []  # values
        self.trace_lines: list[bytes] = []  # of that context; they stand among the others, too
        self.derived: dict[Any, Any] = {}  # what the policy made of these fields (``derive``)

    def remember(self, key: object, value: object) -> None:
        """Keep what was made of these fields, for the next request that sends them."""
        if len(self.derived) < MAX_DERIVED:
            self.derived[key] = value


def parse_fields(section: bytes, names: NameTable, *, max_fields: int) -> Fields:
    """Sort the field section of a head that llhttp has accepted.

    Args:
        section: From behind the request line to the empty line, both ends' CRLFs included.
        names: What each field name means under the current configuration.
        max_fields: How many field lines are taken.

    Raises:
        ProtocolError: The message cannot be cut, routed or trusted in one way only.
    """
    lines = section.split(b"\r\n")
    if len(lines) - 2 > max_fields:
        raise ProtocolError(Reason.HEADERS_TOO_LARGE, "The head has too many fields.")
    fields = Fields()
    for line in lines[:-2]:
        name, _, value = line.partition(b":")
        kind = names[name]
        if kind is PASS:
            fields.lines.append(line)
        elif kind is not DROP:
            _TAKERS[kind](fields, value.strip(b" \t"), line)
    if fields.chunked and fields.content_length is not None:  # llhttp refuses it; so do we
        raise ProtocolError(Reason.BAD_REQUEST, "Content-Length stands beside Transfer-Encoding.")
    fields.has_body = fields.chunked or bool(fields.content_length)
    if fields.trace_lines:
        _judge_trace(fields)
    if fields.options:
        _apply_connection(fields)
    return fields


def _name_of(line: bytes) -> bytes:
    return line.partition(b":")[0]


def _extend_list(items: list[bytes], value: bytes) -> None:
    if len(items) + value.count(b",") >= MAX_LIST_ITEMS:
        raise ProtocolError(Reason.HEADERS_TOO_LARGE, "A list in the head has too many items.")
    items += [item.strip(b" \t") for item in value.lower().split(b",")]


def _take_host(fields: Fields, value: bytes, _: bytes) -> None:
    if fields.authority is not None:
        raise ProtocolError(Reason.BAD_REQUEST, "There is more than one Host field.")
    fields.authority = value
    fields.host = parse_host(value)


def _take_connection(fields: Fields, value: bytes, _: bytes) -> None:
    _extend_list(fields.options, value)


def _take_content_length(fields: Fields, value: bytes, _: bytes) -> None:
    if fields.content_length is not None or _LENGTH.fullmatch(value) is None:
        raise ProtocolError(Reason.BAD_REQUEST, "Content-Length is not one number.")
    fields.content_length = int(value)


def _take_transfer_encoding(fields: Fields, value: bytes, _: bytes) -> None:
    _check_transfer_encoding(fields, value)
    fields.chunked = True


def _take_expect(fields: Fields, value: bytes, _: bytes) -> None:
    fields.expects_continue = value.lower() == b"100-continue"
    fields.expects_other |= not fields.expects_continue


def _take_upgrade(fields: Fields, value: bytes, _: bytes) -> None:
    _extend_list(fields.upgrade, value)


def _take_credential(fields: Fields, value: bytes, line: bytes) -> None:
    fields.credentials.append((_name_of(line).lower(), value, line))


def _take_cookie(fields: Fields, value: bytes, line: bytes) -> None:
    fields.cookies_count += value.count(b";") + 1
    if fields.cookies_count > MAX_COOKIES:
        raise ProtocolError(Reason.HEADERS_TOO_LARGE, "The head has too many cookies.")
    fields.cookies.append(line)


def _take_forwarding(fields: Fields, _: bytes, line: bytes) -> None:
    fields.forwarding.append((fold(_name_of(line)), line))


def _take_request_id(fields: Fields, value: bytes, _: bytes) -> None:
    fields.request_id = value


def _take_traceparent(fields: Fields, value: bytes, line: bytes) -> None:
    fields.traceparents.append(value)
    _take_tracestate(fields, value, line)


def _take_tracestate(fields: Fields, _: bytes, line: bytes) -> None:
    fields.trace_lines.append(line)
    fields.lines.append(line)


# What becomes of a field of each kind that neither just passes nor is just dropped.
_TAKERS: Final[dict[FieldKind, Callable[[Fields, bytes, bytes], None]]] = {
    FieldKind.HOST: _take_host,
    FieldKind.CONNECTION: _take_connection,
    FieldKind.CONTENT_LENGTH: _take_content_length,
    FieldKind.TRANSFER_ENCODING: _take_transfer_encoding,
    FieldKind.EXPECT: _take_expect,
    FieldKind.UPGRADE: _take_upgrade,
    FieldKind.CREDENTIAL: _take_credential,
    FieldKind.COOKIE: _take_cookie,
    FieldKind.FORWARDING: _take_forwarding,
    FieldKind.REQUEST_ID: _take_request_id,
    FieldKind.TRACE_PARENT: _take_traceparent,
    FieldKind.TRACE_STATE: _take_tracestate,
}


def _judge_trace(fields: Fields) -> None:
    """Let a trace context pass whole, or nothing of it.

    > If the vendor failed to parse traceparent, it MUST NOT attempt to parse tracestate.

    Source: W3C Trace Context sections 3.2 and 3.3; two ``traceparent`` fields are none.
    """
    if len(fields.traceparents) == 1:
        fields.trace_parent = parse_traceparent(fields.traceparents[0])
    if fields.trace_parent is None:
        fields.lines = [line for line in fields.lines if line not in fields.trace_lines]


def _check_transfer_encoding(fields: Fields, value: bytes) -> None:
    if fields.chunked:
        raise ProtocolError(Reason.BAD_REQUEST, "There is more than one Transfer-Encoding field.")
    if value.lower() == b"chunked":
        return
    codings = [coding.strip(b" \t").lower() for coding in value.split(b",")]
    if b"" in codings or b"identity" in codings or codings[-1] != b"chunked":
        raise ProtocolError(Reason.BAD_REQUEST, "Transfer-Encoding is not chunked.")
    # > A server that receives a request message with a transfer coding it does not understand
    # > SHOULD respond with 501   -- RFC 9112 section 6.1
    raise ProtocolError(Reason.NOT_IMPLEMENTED, "Only the chunked transfer coding is implemented.")


def _apply_connection(fields: Fields) -> None:
    options = fields.options
    if not _NOT_HOP_BY_HOP.isdisjoint(options):
        raise ProtocolError(
            Reason.BAD_REQUEST, "Connection names a field of the message's framing."
        )
    if b"close" in options:
        fields.keep_alive = False
    elif b"keep-alive" in options:
        fields.keep_alive = True
    if b"upgrade" in options and b"websocket" in fields.upgrade:
        fields.websocket = True
        # Whatever answers it but the tunnel: bytes that were meant for that are no request.
        fields.keep_alive = False
        if fields.has_body:
            raise ProtocolError(Reason.BAD_REQUEST, "A websocket handshake has a body.")
    named = {fold(option) for option in options if option not in _BARE_OPTIONS}
    if named:
        # Only what goes on to the service can be taken away: credentials and cookies stand in lists
        # of their own, and what the gateway sets comes later (GHSA-w9mr-28mw-j8hg, CVE-2024-45410).
        fields.lines = [line for line in fields.lines if fold(_name_of(line)) not in named]
