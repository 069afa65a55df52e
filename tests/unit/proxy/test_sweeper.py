"""gateway.proxy.sweeper."""

import asyncio

from gateway.proxy.sweeper import NEVER, PERIOD_S, Sweeper


class Clock:
    """A loop's clock that the test moves; it never calls back."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def time(self) -> float:
        """Return the time."""
        return self.now_s

    def call_later(self, *_: object) -> None:
        """Take a callback and forget it."""


class Patient:
    """Something that waits."""

    def __init__(self) -> None:
        self.deadline_s = NEVER
        self.given_up: list[bool] = []

    def on_deadline(self) -> None:
        """Note it."""
        self.given_up.append(True)


def test_a_deadline_is_late_but_never_early() -> None:
    """Set just before a look, on a clock as old as it gets: the time is waited for all the same."""

    async def main() -> None:
        sweeper, clock, patient = Sweeper(), Clock(), Patient()
        sweeper._loop = clock  # type: ignore[assignment]  # what is used of a loop
        sweeper._look()
        sweeper._look()
        sweeper.watch(patient)
        timeout_s = PERIOD_S * 0.8
        clock.now_s += PERIOD_S * 0.99
        patient.deadline_s = sweeper.now_s + timeout_s
        clock.now_s += PERIOD_S * 0.01  # not even a hundredth of the time has passed
        sweeper._look()
        assert patient.given_up == []
        clock.now_s += PERIOD_S
        sweeper._look()
        assert patient.given_up == [True]
        assert patient.deadline_s == NEVER

    asyncio.run(main())


def test_what_is_forgotten_is_not_given_up() -> None:
    """Forgetting what was not watched is fine."""

    async def main() -> None:
        sweeper, patient = Sweeper(), Patient()
        patient.deadline_s = 0.0
        sweeper.watch(patient)
        sweeper.forget(patient)
        sweeper.forget(patient)
        sweeper._look()
        sweeper.stop()
        assert patient.given_up == []

    asyncio.run(main())
