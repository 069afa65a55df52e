"""A worker process's life: what runs in it, what ends it, and what it does when it drains.

The rule to keep in mind: nothing here outlives its context, and whatever breaks ends the process;
its parent, or whoever runs the gateway, starts another one.
"""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from types import FrameType
from typing import Any, Final

from gateway.proxy.downstream import Downstream
from gateway.proxy.worker import Worker

BACKLOG: Final = 2048  # connections that wait to be accepted; uvicorn's default, nginx: 511
ADMIN_DRAIN_S: Final = 5  # for what operators have begun; their answers are small
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
async def listening(worker: Worker, sockets: tuple[socket.socket, ...]) -> AsyncIterator[None]:
    """Answer on *sockets* too, beside uvicorn's; at the end, let what is begun be answered."""
    loop = asyncio.get_running_loop()
    connections: set[Downstream] = set()
    servers = [
        await loop.create_server(
            lambda: Downstream(worker, connections), sock=listener, backlog=BACKLOG
        )
        for listener in sockets
    ]
    try:
        yield
    finally:
        for server in servers:
            server.close()
        for connection in connections.copy():
            connection.shutdown()
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
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.Event().wait()


@asynccontextmanager
async def noticing_drain(on_drain: Callable[[], None]) -> AsyncIterator[None]:
    """Tell when uvicorn is asked to end; it asks for nothing else of whom it hosts.

    uvicorn's own handlers are in place when a lifespan begins; ours comes before them.
    """
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def notice(number: int, frame: FrameType | None) -> None:
        on_drain()
        handler = previous[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in previous:
        signal.signal(number, notice)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _end_if_broken(task: asyncio.Task[None]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "a duty of this worker broke; it ends", "exception": error}
        )
    os.kill(os.getpid(), signal.SIGTERM)
