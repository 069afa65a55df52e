"""When an event that repeats is worth a line: a flood of faults makes no flood of lines."""

from typing import Final

PERIOD_S: Final = 10.0


class Seldom:
    """Lets one line through in each period, and counts what it kept back."""

    __slots__ = ("_count", "_next_s")

    def __init__(self) -> None:
        self._count = 0
        self._next_s = float("-inf")

    def due(self, now_s: float) -> int:
        """Note one more; return how many there were since the last line, or 0 to write none."""
        self._count += 1
        if now_s < self._next_s:
            return 0
        count, self._count = self._count, 0
        self._next_s = now_s + PERIOD_S
        return count
