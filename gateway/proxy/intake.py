"""What comes in on one client connection: read or paused, and what is held until it is its turn.

Pausing is counted here and nowhere else, so that giving way to other connections never undoes a
pause that the limits, a service or the client's own pipelining asked for.
"""

import asyncio
from typing import Final

# One client's share of the loop's turn. libuv would read 32 times in a row, up to 8 MiB: pipelined
# requests that are refused kept all others waiting for 6 s, a body of one-byte chunks for 1 s.
TURN_BYTES: Final = 64 * 1024  # a read of so many is the last one of the turn


class Intake:
    """The incoming half of a connection.

    Args:
        transport: What is read.
        max_held_bytes: Reading pauses when so many are held.
    """

    __slots__ = ("_max_held_bytes", "_transport", "held", "reading")

    def __init__(self, transport: asyncio.Transport, max_held_bytes: int) -> None:
        self._transport = transport
        self._max_held_bytes = max_held_bytes
        self.held = b""  # bytes behind the current request
        self.reading = True

    def hold(self, data: bytes) -> bool:
        """Keep *data* for later; return whether that makes it enough."""
        self.held += data
        return len(self.held) >= self._max_held_bytes

    def take(self) -> bytes:
        """Return what is held, and hold nothing."""
        data, self.held = self.held, b""
        return data

    def pause(self) -> bool:
        """Read no more for now; return whether that is a change."""
        if not self.reading or self._transport.is_closing():
            return False
        self.reading = False
        if self._transport.is_reading():  # it has not given way
            self._transport.pause_reading()
        return True

    def resume(self) -> bool:
        """Read on; return whether that is a change."""
        if self.reading or self._transport.is_closing():
            return False
        self.reading = True
        self._transport.resume_reading()
        return True

    def give_way(self) -> None:
        """Read on when the other connections have had their turn."""
        if self._transport.is_reading():
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        """Read, unless someone else has paused it meanwhile."""
        transport = self._transport
        if self.reading and not transport.is_reading() and not transport.is_closing():
            transport.resume_reading()
