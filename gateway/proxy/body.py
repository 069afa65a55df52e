"""Readers that cut one body out of a stream of bytes; all alike, one per way of framing.

``feed`` returns the body's bytes among those given; ``done`` says that the body has ended, and
``rest`` what came behind it. ``http1.chunked.ChunkedDecoder`` is the third of them.
"""

from typing import Protocol


class BodyReader(Protocol):
    """What the relays need of a body that is being read."""

    rest: bytes

    @property
    def done(self) -> bool:
        """Whether the body has ended."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Return the body's bytes in *data*; raises ProtocolError where the framing is broken."""
        ...


class LengthReader:
    """A body of a known length (RFC 9112 section 6.2)."""

    __slots__ = ("_remaining", "done", "rest")

    def __init__(self, length_bytes: int) -> None:
        self._remaining = length_bytes
        self.done = length_bytes == 0
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """Return the body's bytes in *data*."""
        if len(data) > self._remaining:
            data, self.rest = data[: self._remaining], data[self._remaining :]
        self._remaining -= len(data)
        self.done = self._remaining == 0
        return data


class UntilCloseReader:
    """A response's body that ends with its connection (RFC 9112 section 6.3, rule 8)."""

    __slots__ = ("done", "rest")

    def __init__(self) -> None:
        self.done = False  # set at the end of the stream
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """Return *data*: all of it is the body."""
        return data
