"""Heads through llhttp: it validates in C, nothing is called back per field.

llhttp's strict mode refuses obs-fold, bare CR and LF, control bytes, malformed names, conflicting
or repeated Content-Length and Content-Length beside Transfer-Encoding. It is fed exactly one head,
never a body: where the head ends is found here, bodies are cut by ``body``. The edits in ``http1``
rest on this; ``tests/conformance`` pins it.
"""

from functools import lru_cache
from typing import Final, TypeAlias

import httptools

from gateway.errors import ProtocolError, Reason, UpstreamError
from gateway.http1.request import RequestHead
from gateway.http1.response import ResponseHead, parse_response_head
from gateway.policy.model import Limits, Snapshot

_ParserType: TypeAlias = type[httptools.HttpRequestParser] | type[httptools.HttpResponseParser]

END: Final = b"\r\n\r\n"

REMEMBERED_BYTES: Final = 2 * 1024  # a longer response head is read each time
MAX_BLANK_LINES: Final = 2  # before a request line; one is the RFC's, one more for sloppy clients
_SPACE: Final = 0x20  # no request line begins with this byte or a lower one
_LINE_REST_BYTES: Final = 32  # what stands in a request line beside its target


class _Completion:
    """The one callback that we need of llhttp: whether the head is complete and valid."""

    __slots__ = ("done",)

    # httptools looks all of these up for each parser, and a missing attribute costs it an exception
    # with a message: half of what a parser costs (5,000 instructions).
    on_message_begin = on_url = on_status = on_header = on_body = None
    on_message_complete = on_chunk_header = on_chunk_complete = None

    def __init__(self) -> None:
        self.done = False

    def on_headers_complete(self) -> None:
        self.done = True


class _Validator:
    """Feeds one head to llhttp as it arrives, so that a bad byte is noticed at once."""

    __slots__ = ("_completion", "_parser")

    def __init__(self, parser: _ParserType) -> None:
        self._completion = _Completion()
        self._parser = parser(self._completion)

    def accepts(self, piece: bytes) -> bool:
        """Whether the next bytes of the head, none of which lie beyond its end, are well-formed."""
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # raised behind a complete head that offers an upgrade; the body is not fed here
        except httptools.HttpParserError:
            return False
        return True

    @property
    def done(self) -> bool:
        """Whether that was a whole head."""
        return self._completion.done


def _is_head(parser: _ParserType, head: bytes) -> bool:
    """Whether *head* is one whole head, well-formed: a ``_Validator`` without its calls."""
    completion = _Completion()
    try:
        parser(completion).feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # as above
    except httptools.HttpParserError:
        return False
    return completion.done


def read_request_head(head: bytes, snapshot: Snapshot) -> RequestHead:
    """Validate and read one whole request head.

    Raises:
        ProtocolError: It must be refused; the reason says how.
    """
    if not _is_head(httptools.HttpRequestParser, head):
        raise ProtocolError(Reason.BAD_REQUEST)
    return snapshot.parser.parse(head)


class HeadReader:
    """Cuts request heads out of a client's bytes, however they are cut themselves.

    The verdict depends on the bytes alone, never on how they arrive; a broken head is refused at
    its first bad byte, not when its end or a deadline comes.
    """

    __slots__ = ("_blank_lines", "_buffer", "_validator")

    def __init__(self) -> None:
        self._buffer = bytearray()  # of a head whose end has not come yet
        self._validator: _Validator | None = None
        self._blank_lines = 0

    def feed(self, data: bytes, snapshot: Snapshot) -> tuple[RequestHead | None, bytes]:
        """Take in *data*; return a head once it is complete, and the bytes behind it.

        Raises:
            ProtocolError: The bytes are not a head that may be decided on.
        """
        if not self._buffer:
            end = data.find(END)
            if 0 < end <= snapshot.limits.head_bytes - 4 and data[0] > _SPACE:
                head = data[: end + 4]
                self._blank_lines = 0
                return read_request_head(head, snapshot), data[end + 4 :]
        return self._feed_piece(data, snapshot)

    def asks_for_head(self, refused: bytes) -> bool:
        """Whether the method of a head that was refused is HEAD; *refused*: its last bytes."""
        return (self._buffer or refused).startswith(b"HEAD ")

    def _feed_piece(self, data: bytes, snapshot: Snapshot) -> tuple[RequestHead | None, bytes]:
        buffer = self._buffer
        if self._validator is None:
            data = self._skip_blank_lines(bytes(buffer) + data)
            buffer.clear()
            if data in (b"", b"\r"):
                buffer += data
                return None, b""
            if data[0] <= _SPACE:  # llhttp skips a bare CR or LF here
                raise ProtocolError(Reason.BAD_REQUEST)
            self._validator = _Validator(httptools.HttpRequestParser)
        validator = self._validator
        known = len(buffer)
        buffer += data
        end = buffer.find(END, max(0, known - 3))
        length = end + 4 if end >= 0 else len(buffer)
        if length > snapshot.limits.head_bytes:
            raise ProtocolError(_too_large(buffer, snapshot.limits))
        if not validator.accepts(bytes(buffer[known:length])):
            raise ProtocolError(Reason.BAD_REQUEST)
        if end < 0:
            return None, b""
        if not validator.done:
            raise ProtocolError(Reason.BAD_REQUEST)
        head = snapshot.parser.parse(bytes(buffer[:length]))
        self._buffer = bytearray()
        self._validator = None
        self._blank_lines = 0
        return head, bytes(buffer[length:])

    def _skip_blank_lines(self, data: bytes) -> bytes:
        # > a server that is expecting to receive and parse a request-line SHOULD ignore at least
        # > one empty line (CRLF) received prior to the request-line   -- RFC 9112 section 2.2
        while data.startswith(b"\r\n"):
            self._blank_lines += 1
            if self._blank_lines > MAX_BLANK_LINES:
                raise ProtocolError(Reason.BAD_REQUEST)
            data = data[2:]
        return data


def _too_large(buffer: bytearray, limits: Limits) -> Reason:
    """Tell which part of an over-long head is to blame."""
    line_bytes = buffer.find(b"\r\n")
    if line_bytes < 0 or line_bytes > limits.target_bytes + _LINE_REST_BYTES:
        return Reason.URI_TOO_LONG
    return Reason.HEADERS_TOO_LARGE


class ResponseHeadReader:
    """Cuts response heads out of a service's bytes.

    Services answer with the same head many times within a second, so that what a short one says is
    remembered by its exact bytes; it is never changed.
    """

    __slots__ = ("_buffer", "_limits", "_validator")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = b""
        self._validator: _Validator | None = None

    def feed(self, data: bytes) -> tuple[ResponseHead | None, bytes]:
        """Take in *data*; return a head once it is complete, and the bytes behind it.

        Raises:
            UpstreamError: ``upstream_protocol``: this is no head, or too long a one.
        """
        known = len(self._buffer)
        buffer = self._buffer + data if known else data
        end = buffer.find(END)
        length = end + 4 if end >= 0 else len(buffer)
        if length > self._limits.upstream_head_bytes:
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL)
        if end < 0:
            self._buffer = buffer
            self._check_piece(data)
            return None, b""
        self._buffer = b""
        self._validator = None
        head = buffer[:length]
        read = _remembered_response if length <= REMEMBERED_BYTES else _read_response
        return read(head, self._limits.fields), buffer[length:]

    def _check_piece(self, data: bytes) -> None:
        if self._validator is None:
            self._validator = _Validator(httptools.HttpResponseParser)
        if not self._validator.accepts(data):
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL)


def _read_response(head: bytes, max_fields: int) -> ResponseHead:
    if not _is_head(httptools.HttpResponseParser, head):
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL)
    return parse_response_head(head, max_fields=max_fields)


_remembered_response = lru_cache(maxsize=512)(_read_response)
