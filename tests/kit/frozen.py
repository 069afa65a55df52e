"""Processes that are stopped midway."""

import os
import signal
import time
from pathlib import Path
from typing import Final

DEADLINE_S: Final = 30.0


def freeze(pid: int) -> None:
    """Stop a process, and return when it has: a thread on another core runs on for a moment.

    Raises:
        AssertionError: It did not stop.
    """
    os.kill(pid, signal.SIGSTOP)
    end_s = time.monotonic() + DEADLINE_S
    while not all(_is_stopped(task) for task in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < end_s, "SIGSTOP did not stop it"
        time.sleep(0.001)


def _is_stopped(task: Path) -> bool:
    try:
        stat = (task / "stat").read_text("ascii")
    except (FileNotFoundError, ProcessLookupError):  # the thread has ended
        return True
    return stat.rpartition(")")[2].split()[0] in "TtZX"
