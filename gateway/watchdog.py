"""A worker whose event loop is stuck serves nobody and knows nothing of it: this ends it.

The loop winds up a clock twice a second. When that has run down, a thread of ``faulthandler`` which
needs no Python to run writes to stderr where each thread is, and ends the process. Its parent, or
whoever runs the gateway, starts another one; clients come to the others meanwhile.
"""

import asyncio
import faulthandler
import time
from collections.abc import Callable
from typing import Final

PERIOD_S: Final = 0.5
_STDERR: Final = 2


async def watch_loop(stall_s: Callable[[], float], note_lag: Callable[[float], None]) -> None:
    """Watch the running loop; ends by being cancelled.

    Args:
        stall_s: Says how long it may be stuck; a reload may change that.
        note_lag: Told how late each winding up was, in seconds.
    """
    try:
        while True:
            faulthandler.dump_traceback_later(stall_s(), exit=True, file=_STDERR)
            begun_s = time.monotonic()
            await asyncio.sleep(PERIOD_S)
            note_lag(max(0.0, time.monotonic() - begun_s - PERIOD_S))
    finally:
        faulthandler.cancel_dump_traceback_later()
