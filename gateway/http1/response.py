"""One response head from a service: checked for what llhttp leaves open, ready to be relayed."""

import re
from http import HTTPStatus
from typing import Final

from gateway.errors import Reason, UpstreamError

# status-line = HTTP-version SP status-code SP [ reason-phrase ]   -- RFC 9112 section 4. The phrase
# is never relayed: services have put control bytes and request data into it.
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: .*)?", re.DOTALL)
_OK: Final = b"HTTP/1.1 200 OK"  # what most answers begin with
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")

# Only these, never what ``Connection`` names besides them: a service (or what speaks through it)
# could otherwise take Set-Cookie or a security field away. Departs from RFC 9110 section 7.6.1.
_DROPPED: Final = frozenset(
    (
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"upgrade",
        b"proxy-authentication-info",
    )
)
_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding", b"connection"))

_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode("ascii"))
    for status in HTTPStatus
}


def status_line(status: int) -> bytes:
    """Return the status line that the gateway sends for a status, with a phrase of its own."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


class ResponseHead:
    """What the relay must know of a response, and its head as relayed; never changed once made."""

    __slots__ = (
        "bodiless",
        "chunked",
        "closes",
        "content_length",
        "dated",
        "head",
        "keep_alive",
        "length_line",
        "status",
        "upgrade",
        "upgrades",
    )

    def __init__(self, status: int, *, keep_alive: bool) -> None:
        self.status = status
        self.head = b""  # as relayed: status line and fields, without framing and hop-by-hop ones
        self.dated = False  # it says when it was made
        self.length_line = b""  # the line of Content-Length, where it is known
        self.content_length: int | None = None
        self.chunked = False
        self.keep_alive = keep_alive  # as far as the head says
        self.closes = False  # it says so, which counts whatever it says besides
        self.upgrades = False  # Connection says so
        self.upgrade: list[bytes] = []  # what to, in lower case; nothing where it does not say so
        # No body follows, whatever the fields say (RFC 9112 section 6.3).
        self.bodiless = status in (204, 304) or status < 200  # noqa: PLR2004 (1xx)


def parse_response_head(head: bytes, *, max_fields: int) -> ResponseHead:
    """Read one response head that llhttp has accepted.

    Args:
        head: From the status line to the empty line, both included.
        max_fields: How many field lines are taken.

    Raises:
        UpstreamError: ``upstream_protocol``: the response must not be relayed.
    """
    lines = head.split(b"\r\n")
    status, minor = (200, b"1") if lines[0] == _OK else _parse_status_line(lines[0])
    if len(lines) - 3 > max_fields:
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL)
    response = ResponseHead(status, keep_alive=minor == b"1")
    kept = [status_line(status)[:-2]]
    for line in lines[1:-2]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in _FRAMING:
            _take_framing(response, name, value.strip(b" \t").lower())
        elif name not in _DROPPED:
            response.dated |= name == b"date"
            kept.append(line)
        elif name == b"upgrade":
            response.upgrade.append(value.strip(b" \t").lower())
    if not (minor == b"1" and response.upgrades):
        response.upgrade = []
    if response.chunked and (response.content_length is not None or minor == b"0"):
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL)
    kept.append(b"")
    response.head = b"\r\n".join(kept)
    return response


def _parse_status_line(line: bytes) -> tuple[int, bytes]:
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL)
    return int(match[2]), match[1]


def _take_framing(response: ResponseHead, name: bytes, value: bytes) -> None:
    if name == b"connection":
        options = [option.strip(b" \t") for option in value.split(b",")]
        response.closes |= b"close" in options
        response.keep_alive |= b"keep-alive" in options
        response.keep_alive &= not response.closes
        response.upgrades |= b"upgrade" in options
    elif name == b"content-length":
        if response.content_length is not None or _LENGTH.fullmatch(value) is None:
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL)
        response.content_length = int(value)
        response.length_line = b"Content-Length: %d\r\n" % response.content_length
    else:
        # Any other coding would have to be read to the connection's end, which a client of
        # HTTP/1.1 could mistake for the whole message (RFC 9112 section 6.3).
        if response.chunked or value != b"chunked":
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL)
        response.chunked = True
