"""The chunked transfer coding, read strictly and written anew.

Ours and not llhttp's, because llhttp does not tell where in the input a message ended, passes
trailers off as headers, counts neither metadata nor zeros, and skips a body that follows an offer
to upgrade (DESIGN.md section 10). What is read here is never forwarded as it came: only the data
is.
"""

import re
from enum import Enum, auto
from typing import Final

from gateway.errors import ProtocolError, Reason

# chunk-size [ chunk-ext ]; chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string )
# ] ) -- RFC 9112 section 7.1.1. Bad white space is not taken: no client sends it, smugglers do.
_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED: Final = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_SIZE_LINE: Final = re.compile(
    rb"([0-9A-Fa-f]{1,16})(?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*"
)
_TRAILER_LINE: Final = re.compile(rb"(" + _TOKEN + rb"):[\t \x21-\x7e\x80-\xff]*")
# > a sender MUST NOT generate a trailer field [used for] message framing  -- RFC 9110 section 6.5.1
_FRAMING_NAMES: Final = frozenset((b"content-length", b"transfer-encoding"))

MAX_LINE_BYTES: Final = 4 * 1024  # one chunk-size line or trailer field; Go's net/http: 4096
MAX_META_BYTES: Final = 16 * 1024  # bytes that are neither data nor the cheapest framing of it
_FREE_LINE_BYTES: Final = 16  # a chunk's size without extension is not held against a message

LAST_CHUNK: Final = b"0\r\n\r\n"


class _State(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()
    DONE = auto()


# Looking a member up on its class takes 0.2 µs in CPython 3.11, a module's name a tenth of that.
_SIZE: Final = _State.SIZE
_DATA: Final = _State.DATA
_DONE: Final = _State.DONE

_SMALL_SIZES: Final = {spelling % n: n for n in range(1, 256) for spelling in (b"%x", b"%X")}


class ChunkedDecoder:
    """Takes a chunked body out of a stream of bytes, however it is cut.

    Args:
        max_bytes: How long the body may become; None takes any length.
    """

    __slots__ = ("_allowance", "_meta_bytes", "_partial", "_remaining", "_state", "rest")

    def __init__(self, max_bytes: int | None = None) -> None:
        self._state = _State.SIZE
        self._allowance = max_bytes
        self._partial = b""  # of a line or of the CRLF behind a chunk
        self._remaining = 0  # bytes of the current chunk's data
        self._meta_bytes = 0
        self.rest = b""  # what came behind the message, once it is done

    @property
    def done(self) -> bool:
        """Whether the message has ended."""
        return self._state is _State.DONE

    def feed(self, data: bytes) -> bytes:
        """Return the body's bytes in *data*; chunks that came together leave together.

        Raises:
            ProtocolError: ``bad_request``: the coding is broken, or mostly metadata.
                ``body_too_large``: a chunk announces more than the body may have.
        """
        data = self._partial + data
        self._partial = b""
        pieces: list[bytes] = []
        position = 0
        while position < len(data) and self._state is not _DONE:
            if self._state is _SIZE:
                position = self._take_small_chunks(data, position, pieces)
            if self._state is _DATA:
                piece = data[position : position + self._remaining]
                pieces.append(piece)
                position += len(piece)
                self._remaining -= len(piece)
                if not self._remaining:
                    self._state = _State.DATA_END
                continue
            end = data.find(b"\r\n", position)
            if end < 0:
                self._keep_partial(data[position:])
                return b"".join(pieces)
            self._on_line(data[position:end])
            position = end + 2
        if self._state is _DONE:
            self.rest = data[position:]
        return b"".join(pieces)

    def _take_small_chunks(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        """Take small chunks that are here as a whole; return the position behind them.

        A body of one-byte chunks would else cost 0.5 s of processor per MiB, and five times less
        here (``bench/micro.py``, "chunks").
        """
        while (line_end := data.find(b"\r\n", position, position + 4)) > 0:
            size = _SMALL_SIZES.get(data[position:line_end])
            if size is None or (self._allowance is not None and self._allowance < size):
                break
            end = line_end + 2 + size
            if data[end : end + 2] != b"\r\n":
                break
            pieces.append(data[line_end + 2 : end])
            position = end + 2
            if self._allowance is not None:
                self._allowance -= size
        return position

    def _keep_partial(self, partial: bytes) -> None:
        if len(partial.removesuffix(b"\r")) > MAX_LINE_BYTES:
            raise ProtocolError(Reason.BAD_REQUEST, "A chunk's size line is too long.")
        if b"\n" in partial or (self._state is _State.DATA_END and partial != b"\r"):
            raise ProtocolError(Reason.BAD_REQUEST, "A chunk does not end in CRLF.")
        self._partial = partial

    def _on_line(self, line: bytes) -> None:
        free_bytes = 0 if self._state is _State.TRAILER else _FREE_LINE_BYTES
        self._meta_bytes += max(0, len(line) - free_bytes)
        if len(line) > MAX_LINE_BYTES or self._meta_bytes > MAX_META_BYTES:
            raise ProtocolError(Reason.BAD_REQUEST, "The chunked coding has too much metadata.")
        match self._state:
            case _State.SIZE:
                self._on_size(line)
            case _State.DATA_END:
                if line:
                    raise ProtocolError(Reason.BAD_REQUEST, "A chunk is longer than its size.")
                self._state = _State.SIZE
            case _:
                self._on_trailer(line)

    def _on_size(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise ProtocolError(Reason.BAD_REQUEST, "A chunk's size is not a number.")
        self._remaining = int(match[1], 16)
        if self._allowance is not None:
            self._allowance -= self._remaining
            if self._allowance < 0:
                raise ProtocolError(Reason.BODY_TOO_LARGE)
        self._state = _State.DATA if self._remaining else _State.TRAILER

    def _on_trailer(self, line: bytes) -> None:
        if not line:
            self._state = _State.DONE
            return
        match = _TRAILER_LINE.fullmatch(line)
        if match is None or match[1].lower() in _FRAMING_NAMES:
            raise ProtocolError(Reason.BAD_REQUEST, "A trailer is not one that may be sent.")


def encode_chunk(data: bytes) -> bytes:
    """Frame *data* as one chunk; empty data gives no bytes, since it would end the message."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
