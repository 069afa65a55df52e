"""What runs in a worker, what ends it, and what it does when it drains."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator

import pytest

from gateway.lifetime import LEAVE, RETIRE, Drain, end_with, running

NUMBERS = (signal.SIGINT, signal.SIGTERM)

Sent = list[tuple[int, int]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """The signals that would have been sent."""
    signals: Sent = []
    monkeypatch.setattr(os, "kill", lambda pid, number: signals.append((pid, number)))
    return signals


async def _until(sent: Sent) -> None:
    async with asyncio.timeout(20):
        while not sent:  # noqa: ASYNC110 (a signal has no event)
            await asyncio.sleep(0)


@pytest.mark.parametrize("breaks", [True, False])
def test_a_duty_that_ends_ends_the_process(sent: Sent, *, breaks: bool) -> None:
    """Broken, or just over: a worker must not go on as if it were still done."""
    told: list[str] = []

    async def duty() -> None:
        if breaks:
            raise KeyError("canary")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, said: told.append(said["message"]))
        async with running([duty()]):
            await _until(sent)

    asyncio.run(main())

    assert sent == [(os.getpid(), LEAVE)]
    assert told == (["a duty of this worker broke; it ends"] if breaks else [])


def test_duties_end_with_their_context(sent: Sent) -> None:
    """Cancelled, and waited for; that ends nothing else."""
    ended = asyncio.Event()

    async def duty() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def main() -> None:
        async with running([duty()]):
            await asyncio.sleep(0)
        assert ended.is_set()

    asyncio.run(main())
    assert sent == []


def test_a_worker_ends_with_its_parent(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    """An orphan would keep the listener."""
    monkeypatch.setattr(os, "getppid", lambda: 1)

    async def main() -> None:
        task = asyncio.create_task(end_with(4711))
        await _until(sent)
        task.cancel()

    asyncio.run(main())
    assert sent == [(os.getpid(), LEAVE)]


class Story:
    """What happened, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> Callable[..., None]:
        """Return what writes *text* down."""
        return lambda *_: self.told.append(text)

    def run(self, delay_s: float, *numbers: int, until: int = 2) -> list[str]:
        """Raise signals in a worker; return what was told after *until* entries, or at the end."""

        async def main() -> None:
            drain = Drain(self.note("drain"), self.note("retire"), lambda: delay_s)
            with drain.noticing():
                for number in numbers:
                    signal.raise_signal(number)
                while len(self.told) < until:  # noqa: ASYNC110 (a signal has no event)
                    await asyncio.sleep(0)

        asyncio.run(main())
        return self.told


@pytest.fixture
def story() -> Iterator[Story]:
    """The story of one worker that uvicorn hosts."""
    story = Story()
    before = {number: signal.signal(number, story.note("uvicorn")) for number in NUMBERS}
    yield story
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_drain_is_told_before_it_begins(story: Story, number: int) -> None:
    """And whoever handled the signal before handles it still; afterwards all is as it was."""
    assert story.run(0, number) == ["drain", "uvicorn"]
    signal.raise_signal(number)
    assert story.told == ["drain", "uvicorn", "uvicorn"]


def test_a_delay_keeps_the_signal_from_uvicorn(story: Story) -> None:
    """It is told at once and drains afterwards."""
    assert story.run(3600, signal.SIGTERM, until=1) == ["drain"]


def test_a_delay_has_an_end(story: Story) -> None:
    """Then uvicorn hears of the signal."""
    assert story.run(0.001, signal.SIGTERM) == ["drain", "uvicorn"]


@pytest.mark.parametrize("second", NUMBERS)
def test_who_asks_twice_is_not_kept_waiting(story: Story, second: int) -> None:
    """It is told once only."""
    assert story.run(3600, signal.SIGTERM, second) == ["drain", "uvicorn"]


def test_who_waits_at_a_terminal_is_not_either(story: Story) -> None:
    """Ctrl-C is SIGINT."""
    assert story.run(3600, signal.SIGINT) == ["drain", "uvicorn"]


def test_one_that_is_replaced_warns_nobody(story: Story) -> None:
    """It goes on for a moment, so that busy clients can be told; the gateway goes on for good."""
    assert story.run(3600, RETIRE, until=1) == ["retire"]
    assert story.run(3600, RETIRE, until=3) == ["retire", "retire", "uvicorn"]


def test_one_that_is_broken_ends_at_once(story: Story) -> None:
    """Whatever the delay of a drain is."""
    assert sorted(story.run(3600, LEAVE)) == ["retire", "uvicorn"]
