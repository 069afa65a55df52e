"""The request target, and the one form of its path that is both matched and forwarded.

A path that two readers could understand differently is refused, never repaired: what the routes are
matched against is, byte for byte, what the service receives.
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from gateway.errors import ProtocolError, Reason
from gateway.http1.host import parse_host

# pchar = unreserved / pct-encoded / sub-delims / ":" / "@"   -- RFC 3986 section 3.3; without ";",
# which Tomcat and others cut off together with what follows it.
_PLAIN_PATH: Final = re.compile(rb"/[A-Za-z0-9\-._~!$&'()*+,=:@/]*")
_ESCAPED_PATH: Final = re.compile(rb"/(?:[A-Za-z0-9\-._~!$&'()*+,=:@/]|%[0-9A-Fa-f]{2})*")

# Escapes with a second reading: controls, '.' (dot segments), '/', '\'.
_TWO_READINGS: Final = re.compile(rb"%(?:[01][0-9A-Fa-f]|7[fF]|2[eEfF]|5[cC])")
# Looked for in the decoded path: a service which decodes twice would see what no route was matched
# against. Each character of such an escape may itself be escaped ("%25%32%65" is "%2e", then ".").
_ESCAPE: Final = re.compile(rb"%[0-9A-Fa-f]{2}")
# "..;" spelled "..%3b": a service that decodes before it cuts parameters off reads a dot segment.
_DOTS_AND_PARAMETER: Final = re.compile(rb"/\.{1,2};")
_HASH: Final = 0x23  # a byte is looked up four times faster than a bytes object of length one
_DOT_SEGMENTS: Final = frozenset((b".", b".."))
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE)


class Target:
    """A request target that has only one reading."""

    __slots__ = ("path", "query", "segments")

    def __init__(self, path: bytes, query: bytes, segments: list[bytes]) -> None:
        self.path = path  # as received: what is forwarded
        self.query = query  # with its "?", as received; empty when there is none
        self.segments = segments  # of the path, without the empty one that a final "/" makes


def parse_target(raw: bytes, authority: bytes | None) -> Target:
    """Read a request target in origin-form or absolute-form.

    Args:
        raw: The target as it stands in the request line.
        authority: The value of ``Host``; an absolute-form target must agree with it.

    Raises:
        ProtocolError: ``ambiguous_path`` where the path has two readings, else ``bad_request``.

    Source: RFC 9112 section 3.2, RFC 3986 sections 3.3 and 6.2.2.
    """
    if not raw.startswith(b"/"):
        raw = _origin_form(raw, authority)
    path, mark, _ = raw.partition(b"?")
    if _HASH in raw:
        raise ProtocolError(Reason.AMBIGUOUS_PATH, "The target has a fragment.")
    segments = _segments(path)
    return Target(path, raw[len(path) :] if mark else b"", segments)


def _origin_form(raw: bytes, authority: bytes | None) -> bytes:
    match = _ABSOLUTE.fullmatch(raw)
    if match is None or authority is None:
        raise ProtocolError(Reason.BAD_REQUEST, "The target is neither a path nor an http URL.")
    if match[1].lower() != authority.lower() or not parse_host(match[1]):
        raise ProtocolError(Reason.BAD_REQUEST, "The target names another host than Host.")
    return match[2] if match[2].startswith(b"/") else b"/" + match[2]


def _segments(path: bytes) -> list[bytes]:
    if _PLAIN_PATH.fullmatch(path) is None:
        _check_escapes(path)
    segments = path.split(b"/")
    segments.pop(0)
    if not segments[-1]:
        segments.pop()
    if b"" in segments or not _DOT_SEGMENTS.isdisjoint(segments):
        raise ProtocolError(Reason.AMBIGUOUS_PATH, "The path has an empty or a dot segment.")
    return segments


def _check_escapes(path: bytes) -> None:
    if _ESCAPED_PATH.fullmatch(path) is None:
        raise ProtocolError(Reason.AMBIGUOUS_PATH, "The path has a character that must be escaped.")
    decoded = unquote_to_bytes(path)
    if any(
        pattern.search(text) is not None
        for pattern, text in (
            (_TWO_READINGS, path),
            (_ESCAPE, decoded),
            (_DOTS_AND_PARAMETER, decoded),
        )
    ):
        raise ProtocolError(Reason.AMBIGUOUS_PATH, "The path has an escape with two readings.")
    try:
        decoded.decode()
    except UnicodeDecodeError:  # overlong forms of "." and "/" are not UTF-8 either
        raise ProtocolError(Reason.AMBIGUOUS_PATH, "The path's escapes are not UTF-8.") from None
