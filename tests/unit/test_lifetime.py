"""What runs in a worker, what ends it, and what it does when it drains."""

import asyncio
import os
import signal

import pytest

from gateway.lifetime import end_with, noticing_drain, running

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

    assert sent == [(os.getpid(), signal.SIGTERM)]
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
    assert sent == [(os.getpid(), signal.SIGTERM)]


def test_a_drain_is_noticed_before_it_begins() -> None:
    """And whoever handled the signal before handles it still; afterwards all is as it was."""
    order: list[str] = []
    before = signal.signal(signal.SIGTERM, lambda *_: order.append("uvicorn"))

    async def main() -> None:
        async with noticing_drain(lambda: order.append("noticed")):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)

    try:
        asyncio.run(main())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert order == ["noticed", "uvicorn", "uvicorn"]
