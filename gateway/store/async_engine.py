"""SQLAlchemy's engine, for coroutines.

What we need of ``sqlalchemy.ext.asyncio`` is little, and that package loads the whole ORM, which
took a seventh of every start. As there, SQLAlchemy runs in a greenlet, which gives way to the event
loop wherever a driver waits.

The rule to keep in mind: a connection goes back to its pool before the block ends, also where the
task in the block is cancelled, and cancelled again while the connection goes back.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, Dialect, Engine, Executable, RootTransaction
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.util import greenlet_spawn

_Result = TypeVar("_Result")


class AsyncConnection:
    """A connection in its transaction. Made by ``AsyncEngine.begin``."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> Dialect:
        """How the database speaks SQL."""
        return self._connection.dialect

    async def execute(
        self, statement: Executable, parameters: dict[str, Any] | None = None
    ) -> CursorResult[Any]:
        """Carry out a statement; its rows are all there."""
        return await greenlet_spawn(self._connection.execute, statement, parameters)

    async def run_sync(self, work: Callable[[Connection], _Result]) -> _Result:
        """Call what knows nothing of coroutines."""
        return await greenlet_spawn(work, self._connection)


class AsyncEngine:
    """A pool of connections."""

    __slots__ = ("sync_engine",)

    def __init__(self, sync_engine: Engine) -> None:
        self.sync_engine = sync_engine

    @property
    def dialect(self) -> Dialect:
        """How the database speaks SQL."""
        return self.sync_engine.dialect

    @asynccontextmanager
    async def begin(self, options: dict[str, Any]) -> AsyncIterator[AsyncConnection]:
        """Open a transaction; committed at the end of the block, or undone where that raises.

        Args:
            options: Execution options of the connection, for this transaction.
        """
        async with AsyncExitStack() as stack:
            connection = await greenlet_spawn(self.sync_engine.connect)
            stack.push_async_callback(_finish, partial(greenlet_spawn, connection.close))
            await greenlet_spawn(partial(connection.execution_options, **options))
            transaction = await greenlet_spawn(connection.begin)
            stack.push_async_exit(partial(_end, transaction))
            yield AsyncConnection(connection)

    async def dispose(self) -> None:
        """Close all connections that are in the pool."""
        await greenlet_spawn(self.sync_engine.dispose)


async def _end(
    transaction: RootTransaction,
    kind: type[BaseException] | None,
    error: BaseException | None,
    traceback: TracebackType | None,
) -> None:
    """Commit, or undo where there is an error, which goes on as it is: the cause is what counts.

    A connection that cannot even undo is used no more.
    """
    try:
        await greenlet_spawn(transaction.__exit__, kind, error, traceback)
    except SQLAlchemyError:
        if error is None:
            raise
        await greenlet_spawn(transaction.connection.invalidate)


async def _finish(begin: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Wait for something to its end; cancelled meanwhile, be cancelled then."""
    task = asyncio.create_task(begin())
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()
