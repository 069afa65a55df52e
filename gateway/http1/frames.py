"""Where the frames of a websocket begin and end, so that one more can be put between two.

Nothing is unmasked, kept or judged: only the lengths are read. What breaks the protocol is for the
two ends to refuse; here it is a frame of some length like any other.

Source: RFC 6455 section 5.2.
"""

from enum import IntEnum
from typing import Final

_OPCODE: Final = 0x0F
_CLOSE: Final = 0x08
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_LENGTH: Final = 0x7F
_MASK_BYTES: Final = 4
# The lengths that say that the length follows, in so many bytes.
_EXTENDED: Final = {126: 2, 127: 8}


class CloseCode(IntEnum):
    """Why the gateway ends a websocket (RFC 6455 section 7.4.1, and IANA's registry)."""

    GOING_AWAY = 1001
    POLICY_VIOLATION = 1008
    TRY_AGAIN_LATER = 1013


def close_frame(code: CloseCode, mask: bytes = b"") -> bytes:
    """Return a close frame with *code* and no text.

    Args:
        code: The status code.
        mask: Four unpredictable bytes towards a service; nothing towards a client.
    """
    payload = code.to_bytes(2, "big")
    if not mask:
        return bytes((_FINAL | _CLOSE, len(payload))) + payload
    masked = bytes(byte ^ mask[at] for at, byte in enumerate(payload))
    return bytes((_FINAL | _CLOSE, _MASKED | len(payload))) + mask + masked


class FrameCutter:
    """Lets one direction of a websocket pass, and cuts it between two frames when told to.

    Attributes:
        is_cut: Nothing passes any more; all that has passed are whole frames.
        has_closed: A close frame has passed, behind which there is nothing to say.
    """

    __slots__ = ("_begun", "_ending", "_remaining", "has_closed", "is_cut")

    def __init__(self) -> None:
        self._begun = b""  # of a frame's head that has not come whole
        self._remaining = 0  # bytes of the frame at hand
        self._ending = False
        self.is_cut = False
        self.has_closed = False

    def end(self) -> None:
        """Let nothing pass behind the frame at hand."""
        self._ending = True
        self.is_cut = not self._begun and not self._remaining

    def feed(self, data: bytes) -> bytes:
        """Return what of *data* may pass: all of it, until the end is near."""
        if self.is_cut:
            return b""
        size = len(data)
        if self._remaining > size:
            self._remaining -= size
            return data
        passed = len(self._begun)  # of *stream*, before this
        stream = self._begun + data if passed else data
        at = self._find_end(stream, self._remaining)
        if at < len(stream):
            self.is_cut = True
            return data[: at - passed]
        return data

    def _find_end(self, stream: bytes, at: int) -> int:
        """Go from frame to frame; return where nothing more may pass, or the length of it all."""
        end = len(stream)
        inside = bool(self._begun)  # the first frame has begun to pass
        self._begun = b""
        self._remaining = 0
        while at < end:
            if self._ending and not inside:
                return at
            inside = False
            length = _frame_bytes(stream, at)
            if not length:
                self._begun = stream[at:]
                return end
            self.has_closed |= stream[at] & _OPCODE == _CLOSE
            at += length
        self._remaining = at - end
        self.is_cut = self._ending and not self._remaining
        return end


def _frame_bytes(stream: bytes, at: int) -> int:
    """Return the length of the frame at *at*, or 0 where its head does not tell yet."""
    head = at + 2
    if len(stream) < head:
        return 0
    second = stream[at + 1]
    length = second & _LENGTH
    extended = _EXTENDED.get(length)
    if extended is not None:
        if len(stream) < head + extended:
            return 0
        length = int.from_bytes(stream[head : head + extended], "big")
        head += extended
    return head - at + (_MASK_BYTES if second & _MASKED else 0) + length
