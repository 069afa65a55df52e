"""One request head: what llhttp accepted, checked for what it leaves open."""

import re
from typing import Final

from gateway.errors import ProtocolError, Reason
from gateway.http1.fields import Fields, parse_fields
from gateway.http1.names import NameTable
from gateway.http1.target import Target, parse_target
from gateway.memo import Memo

_MINOR_VERSIONS: Final = {b"HTTP/1.1": 1, b"HTTP/1.0": 0}
_VERSION: Final = re.compile(rb"HTTP/[0-9]\.[0-9]")
_UNKNOWN_METHODS: Final = frozenset((b"CONNECT", b"TRACE"))

# Clients send the same fields with request after request, above all on a kept connection, so the
# sorted form of a section is remembered by its exact bytes.
REMEMBERED_SECTIONS: Final = 1024  # per generation; of the worst kind on one route some 15 MiB
REMEMBERED_BYTES: Final = 2 * 1024  # longer sections are sorted each time


class RequestHead:
    """One request head, ready to be decided on."""

    __slots__ = ("fields", "keep_alive", "method", "minor", "target")

    def __init__(self, method: bytes, target: Target, minor: int, fields: Fields) -> None:
        self.method = method
        self.target = target
        self.minor = minor  # of HTTP/1.x
        self.fields = fields
        keep_alive = fields.keep_alive
        self.keep_alive = minor == 1 if keep_alive is None else keep_alive

    @property
    def expects_continue(self) -> bool:
        """Whether the client holds its body back until it is asked for; HTTP/1.0 knows no such."""
        return self.fields.expects_continue and self.minor == 1


def value_of(line: bytes) -> bytes:
    """Return a field line's value without the white space around it."""
    return line.partition(b":")[2].strip(b" \t")


class RequestParser:
    """Reads request heads under one configuration.

    Args:
        names: What each field name means.
        max_fields: How many field lines are taken.
        max_target_bytes: How long a request target may be.
    """

    __slots__ = ("_max_fields", "_max_target_bytes", "_memo", "_names")

    def __init__(self, names: NameTable, *, max_fields: int, max_target_bytes: int) -> None:
        self._names = names
        self._max_fields = max_fields
        self._max_target_bytes = max_target_bytes
        self._memo: Memo[bytes, Fields] = Memo(REMEMBERED_SECTIONS)

    def parse(self, head: bytes) -> RequestHead:
        """Read one request head that llhttp has accepted.

        Args:
            head: From the request line to the empty line, both included.

        Raises:
            ProtocolError: The head is not one that may be decided on; its reason says how.
        """
        line, _, section = head.partition(b"\r\n")
        # request-line = method SP request-target SP HTTP-version   -- RFC 9112 section 3
        parts = line.split(b" ")
        if len(parts) != 3:  # noqa: PLR2004 (the three of the line above)
            raise ProtocolError(Reason.BAD_REQUEST)
        method, raw_target, version = parts
        minor = _MINOR_VERSIONS.get(version)
        if minor is None:
            known = _VERSION.fullmatch(version) is not None
            raise ProtocolError(Reason.HTTP_VERSION if known else Reason.BAD_REQUEST)
        if len(raw_target) > self._max_target_bytes:
            raise ProtocolError(Reason.URI_TOO_LONG)
        if method in _UNKNOWN_METHODS:
            raise ProtocolError(Reason.NOT_IMPLEMENTED, "The method is not implemented.")
        fields = self._memo.find(section) or self._sort(section)
        if minor == 0 or fields.authority is None or fields.expects_other:
            _check_version(fields, minor)
        if raw_target == b"*" and method == b"OPTIONS":
            return RequestHead(method, Target(b"*", b"", []), minor, fields)
        return RequestHead(method, parse_target(raw_target, fields.authority), minor, fields)

    def _sort(self, section: bytes) -> Fields:
        fields = parse_fields(section, self._names, max_fields=self._max_fields)
        if len(section) <= REMEMBERED_BYTES:
            self._memo.add(section, fields)
        return fields


def _check_version(fields: Fields, minor: int) -> None:
    """Check what the two versions see differently."""
    if minor == 0:
        # > A server [...] that receives an HTTP/1.0 message containing a Transfer-Encoding header
        # > field MUST treat the message as if the framing is faulty   -- RFC 9112 section 6.1
        if fields.chunked:
            raise ProtocolError(Reason.BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding.")
        return
    if fields.authority is None:
        raise ProtocolError(Reason.BAD_REQUEST, "The Host field is missing.")
    # > A server that receives an Expect field value containing a member other than 100-continue MAY
    # > respond with a 417   -- RFC 9110 section 10.1.1; nothing else brings HTTP/1.1 here.
    raise ProtocolError(Reason.EXPECTATION_FAILED)
