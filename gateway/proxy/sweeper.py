"""Deadlines, kept as one number per connection and looked at four times a second.

A timer per deadline would be armed and cancelled several times per request; here arming is one
assignment. The price is that the clock is up to ``PERIOD_S`` behind, and that a deadline fires up
to twice that late. It never fires early: what is due is asked of the clock of one look before.
"""

import asyncio
from typing import Final, Protocol

PERIOD_S: Final = 0.25
NEVER: Final = float("inf")


class Watched(Protocol):
    """Something that must happen by a time, or be given up."""

    deadline_s: float  # on the sweeper's clock; NEVER where nothing is awaited

    def on_deadline(self) -> None:
        """Give up what was awaited; called once the deadline has passed."""
        ...


class Sweeper:
    """The one timer of a worker; whoever waits for something is watched by it."""

    __slots__ = ("_loop", "_timer", "_watched", "due_s", "now_s")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._watched: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.now_s = self._loop.time()  # monotonic, as of the last look
        self.due_s = self.now_s  # deadlines up to here have passed, however old the clock was

    def start(self) -> None:
        """Begin to look; ends with ``stop``."""
        self._timer = self._loop.call_later(PERIOD_S, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def watch(self, watched: Watched) -> None:
        """Look at *watched* from now on, until it is forgotten."""
        self._watched.add(watched)

    def forget(self, watched: Watched) -> None:
        """Look at it no more; not having watched it is fine."""
        self._watched.discard(watched)

    def _look(self) -> None:
        due_s = self.due_s = self.now_s
        self.now_s = self._loop.time()
        self.start()  # first, so that a crash below cannot stop the clock
        for watched in [w for w in self._watched if w.deadline_s <= due_s]:
            watched.deadline_s = NEVER
            watched.on_deadline()
