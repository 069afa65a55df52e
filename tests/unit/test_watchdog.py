"""gateway.watchdog: a loop that is stuck ends with its process, one that is slow does not."""

import asyncio
import subprocess
import sys
import time

import pytest

from gateway import watchdog

# Hangs in C with the interpreter locked, where no other thread of Python could do anything.
_STUCK = """
import asyncio, re
from gateway.watchdog import watch_loop
async def main():
    task = asyncio.create_task(watch_loop(lambda: 1.0, lambda _: None))
    await asyncio.sleep(0)
    def hang_here():
        re.fullmatch("(a+)+b", "a" * 64)
    hang_here()
asyncio.run(main())
"""


def test_a_process_that_is_stuck_says_where_and_ends() -> None:
    """DOS-18: the exit code is that of a crash, so that whoever runs it starts it again."""
    ended = subprocess.run(
        [sys.executable, "-c", _STUCK], capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.returncode == 1
    assert "Timeout (0:00:01)!" in ended.stderr
    assert "hang_here" in ended.stderr


def test_how_late_the_loop_is_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback that takes its time delays all others by as much."""
    monkeypatch.setattr(watchdog, "PERIOD_S", 0.01)
    armed: list[tuple[float, bool]] = []
    cancelled: list[bool] = []
    monkeypatch.setattr(
        "faulthandler.dump_traceback_later",
        lambda timeout, exit, file: armed.append((timeout, exit)),  # noqa: A006, ARG005
    )
    monkeypatch.setattr("faulthandler.cancel_dump_traceback_later", lambda: cancelled.append(True))

    async def main() -> list[float]:
        lags: list[float] = []
        watching = asyncio.ensure_future(watchdog.watch_loop(lambda: 7.0, lags.append))
        await asyncio.sleep(0)
        time.sleep(0.2)  # noqa: ASYNC251 (what is to be noticed)
        while len(lags) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return lags

    lags = asyncio.run(main())
    assert lags[0] >= 0.15
    assert all(lag >= 0 for lag in lags)
    assert set(armed) == {(7.0, True)}
    assert cancelled == [True]
