"""A worker process's life: what runs in it, what ends it, and what it does when it drains.

The rule to keep in mind: nothing here outlives its context, and whatever breaks ends the process;
its parent, or whoever runs the gateway, starts another one.
"""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final

from gateway.proxy.downstream import Downstream
from gateway.proxy.worker import Worker

BACKLOG: Final = 2048  # connections that wait to be accepted; uvicorn's default, nginx: 511
ADMIN_DRAIN_S: Final = 5  # for what operators have begun; their answers are small
# From the parent, in a reload: another worker has taken this one's place. Whoever looks at
# readiness must not take that for the end of the gateway.
RETIRE: Final = signal.SIGUSR1
RETIRE_S: Final = 1.0  # for clients that are busy to be told, with an answer, that it goes
LEAVE: Final = signal.SIGUSR2  # to itself: something broke, and it must not go on
_ORPHAN_LOOK_S: Final = 0.25
_DRAIN_LOOK_S: Final = 0.05


@asynccontextmanager
async def running(duties: list[Any]) -> AsyncIterator[None]:
    """Run coroutines until the context ends; one that breaks ends the process.

    A worker that no longer follows the store must not go on as if it did.
    """
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(duty) for duty in duties]
    for task in tasks:
        task.add_done_callback(_end_if_broken)
    try:
        yield
    finally:
        for task in tasks:
            task.remove_done_callback(_end_if_broken)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # what broke has been told


@asynccontextmanager
async def listening(
    worker: Worker, sockets: tuple[socket.socket, ...]
) -> AsyncIterator[Callable[[], None]]:
    """Answer on *sockets* too, beside uvicorn's; at the end, let what is begun be answered.

    Yields:
        What takes nothing new on them from now on: others listen there as well.
    """
    loop = asyncio.get_running_loop()
    connections: set[Downstream] = set()
    servers = [
        await loop.create_server(
            lambda: Downstream(worker, connections), sock=listener, backlog=BACKLOG
        )
        for listener in sockets
    ]

    def stop() -> None:
        for server in servers:
            server.close()
        for connection in connections.copy():
            connection.shutdown()

    try:
        yield stop
    finally:
        stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(ADMIN_DRAIN_S):
                while connections:  # noqa: ASYNC110 (a connection tells nobody when it ends)
                    await asyncio.sleep(_DRAIN_LOOK_S)
        for connection in connections.copy():
            connection.abort()


async def end_with(parent_pid: int) -> None:
    """End this process when its parent is no more: orphans would keep the listener."""
    while os.getppid() == parent_pid:  # noqa: ASYNC110 (no event tells it)
        await asyncio.sleep(_ORPHAN_LOOK_S)
    os.kill(os.getpid(), LEAVE)
    await asyncio.Event().wait()


class Drain:
    """Stands between the signals that end this worker and uvicorn, which drains and asks nobody.

    Who balances over several gateways learns from ``/readyz`` that this one ends, and needs a look
    or two for it. A connection that comes meanwhile is served as ever, but for one request only.
    Make it when uvicorn's own handlers are in place: it comes before them.

    Args:
        on_drain: Called once, when the gateway is about to end.
        on_retire: Called when this worker is, and the gateway goes on. One that is replaced stays
            for a moment; one that something broke in does not.
        delay_s: Returns for how long SIGTERM, when it comes first, is kept from uvicorn. A second
            one is not, nor is SIGINT: somebody waits at a terminal.
    """

    def __init__(
        self,
        on_drain: Callable[[], None],
        on_retire: Callable[[], None],
        delay_s: Callable[[], float],
    ) -> None:
        self._on_drain = on_drain
        self._on_retire = on_retire
        self._delay_s = delay_s
        self._is_told = False
        self._loop = asyncio.get_running_loop()
        self._previous = {
            signal.SIGINT: signal.getsignal(signal.SIGINT),
            signal.SIGTERM: signal.getsignal(signal.SIGTERM),
        }

    @contextmanager
    def noticing(self) -> Iterator[None]:
        """Notice the signals while the context lasts."""
        for number in self._previous:
            signal.signal(number, self._notice)
        before = {number: signal.signal(number, self._retire) for number in (RETIRE, LEAVE)}
        try:
            yield
        finally:
            for number, handler in (self._previous | before).items():
                signal.signal(number, handler)

    def _notice(self, number: int, _: object) -> None:
        wait_s = 0.0 if self._is_told or number != signal.SIGTERM else self._delay_s()
        if not self._is_told:
            self._is_told = True
            self._on_drain()
        self._end_after(wait_s, number)

    def _retire(self, number: int, _: object) -> None:
        self._loop.call_soon_threadsafe(self._on_retire)
        self._end_after(RETIRE_S if number == RETIRE else 0.0, signal.SIGTERM)

    def _end_after(self, wait_s: float, number: int) -> None:
        if wait_s:
            self._loop.call_soon_threadsafe(self._loop.call_later, wait_s, self._end, number)
        else:
            self._end(number)

    def _end(self, number: int) -> None:
        handler = self._previous[signal.Signals(number)]
        if callable(handler):
            handler(number, None)


def _end_if_broken(task: asyncio.Task[None]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "a duty of this worker broke; it ends", "exception": error}
        )
    os.kill(os.getpid(), LEAVE)
