"""How slowly a body may come: drops keep a connection, and what is behind it, as surely as silence.

Time counts while bytes are awaited, from the first of them on; a service that is slow to take them
is not held against the client.
"""

from typing import Final

from gateway.policy.model import Limits

GRACE_S: Final = 10.0  # Kestrel: 5


class Pace:
    """What one body has brought, and how long that was waited for."""

    __slots__ = ("_awaited_s", "_bytes", "_since_s")

    def __init__(self) -> None:
        self._bytes = 0
        self._awaited_s = 0.0
        self._since_s: float | None = None  # awaited since then; None: not awaited now

    def add(self, byte_count: int, now_s: float) -> None:
        """Note that bytes have come."""
        self._bytes += byte_count
        self._stop(now_s)

    def patience_s(self, now_s: float, limits: Limits) -> float:
        """Begin or go on to wait; return for how long from now, unless more comes."""
        self._stop(now_s)
        self._since_s = now_s
        if not self._bytes or not limits.body_rate_bytes:
            self._awaited_s = 0.0
            return limits.body_timeout_s
        left_s = GRACE_S + self._bytes / limits.body_rate_bytes - self._awaited_s
        return min(limits.body_timeout_s, max(0.0, left_s))

    def _stop(self, now_s: float) -> None:
        if self._since_s is not None:
            self._awaited_s += now_s - self._since_s
            self._since_s = None
