"""The door to the database: one ``Store`` per process, and transactions that happen or do not.

``read`` and ``write`` are the only ways in. What they yield is taken by the functions of the other
modules, so that a caller joins several of them in one transaction, and the type checker refuses a
writing function in a reading transaction.

The rule to keep in mind: a transaction has one deadline, over waiting for a connection, for locks
and for every statement; whatever fails leaves as ``StoreUnavailableError``, and nothing half-done
stays behind.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from sqlalchemy import CursorResult, Executable, Row, Table, inspect, make_url, text
from sqlalchemy.dialects import sqlite

from gateway.store import sqlite as sqlite_file
from gateway.store.async_engine import AsyncConnection, AsyncEngine
from gateway.store.faults import StoreBusyError, UnfitStoreError, translated
from gateway.store.sqlite import BEGIN_OPTION

# Loaded where it is used: half of all gateways have SQLite, and need not wait for it to start.
if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

AnyRow: TypeAlias = Row[*tuple[Any, ...]]

_POSTGRESQL: Final = frozenset(("postgresql", "postgres"))
_URL_CURE: Final = "write sqlite:///var/gateway.db or postgresql://user:password@host/database"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLimits:
    """What one process may ask of the database."""

    deadline_s: float = 5.0  # per transaction; a login may wait so long, a proxied request never
    connections: int = (
        5  # per process; PostgreSQL's default is 100 for all, SQLite writes one by one
    )
    # Under way or waiting, reading or writing; whoever comes then is told at once. A slow disk does
    # 200 of them a second, so that the last in the queue is done well within its deadline.
    transactions: int = 256


class Reading:
    """An open transaction that reads. Made by ``Store.read``."""

    __slots__ = ("_connection",)

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows(self, statement: Executable) -> Sequence[AnyRow]:
        """Return all the rows that *statement* gives."""
        return (await self._connection.execute(statement)).all()

    async def row(self, statement: Executable) -> AnyRow | None:
        """Return the first row that *statement* gives, or None."""
        return (await self._connection.execute(statement)).first()

    async def has_table(self, name: str) -> bool:
        """Whether there is a table of that name."""
        return await self._connection.run_sync(lambda given: inspect(given).has_table(name))


class Writing(Reading):
    """An open transaction that reads and writes. Made by ``Store.write``."""

    __slots__ = ()

    async def execute(self, statement: Executable) -> int:
        """Carry out an UPDATE, a DELETE or an INSERT; return how many rows it concerned."""
        result: CursorResult[Any] = await self._connection.execute(statement)
        return result.rowcount

    def insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        """Return an INSERT that can say ``ON CONFLICT``, which both databases write alike."""
        if self.is_postgresql:
            from sqlalchemy.dialects import postgresql  # noqa: PLC0415 (as above)

            return postgresql.insert(table)
        return sqlite.insert(table)

    @property
    def is_postgresql(self) -> bool:
        """Whether there is a ``NOTIFY``."""
        return self._connection.dialect.name == "postgresql"


class Store:
    """One process's way to its database.

    Made by ``open_store`` in ``gateway.store.migrate``, or by ``looked_at`` in
    ``gateway.store.look`` where it is only to be read.
    """

    __slots__ = ("_engine", "_limits", "_turn", "_under_way", "_url")

    def __init__(self, url: str, limits: StoreLimits, *, is_read_only: bool = False) -> None:
        self._url = url
        self._limits = limits
        self._engine = _make_engine(url, limits, is_read_only=is_read_only)
        self._under_way = 0
        # SQLite wakes waiting writers by chance. Within a process they queue here, in their order.
        self._turn = None if self.can_notify else asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def can_notify(self) -> bool:
        """Whether the database tells other hosts of changes (PostgreSQL does)."""
        return self._engine.dialect.name == "postgresql"

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reading]:
        """Open a transaction for reading.

        Raises:
            StoreUnavailableError: See ``gateway.store.faults``.
        """
        with self._counted():
            async with self._begun({"postgresql_readonly": True}) as connection:
                yield Reading(connection)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Writing]:
        """Open a transaction for writing; committed at the end of the block, or not at all.

        Raises:
            StoreUnavailableError: See ``gateway.store.faults``.
        """
        with self._counted():
            async with self._turn_taken(), self._begun({BEGIN_OPTION: "IMMEDIATE"}) as connection:
                yield Writing(connection)

    @asynccontextmanager
    async def exclusive(self, lock: int) -> AsyncIterator[AsyncConnection]:
        """Open a transaction beside which none of the same *lock* runs, of any gateway."""
        async with self._turn_taken(), self._begun({BEGIN_OPTION: "EXCLUSIVE"}) as connection:
            if self.can_notify:
                statement = text("SELECT pg_advisory_xact_lock(:lock)")
                with translated():
                    await connection.execute(statement, {"lock": lock})
            yield connection

    async def listen(self, channel: str, on_change: Callable[[], None]) -> None:
        """Tell when something is notified on *channel* until cancelled; see ``postgres.listen``.

        Returns at once where the database cannot notify.
        """
        if self.can_notify:
            from gateway.store import postgres  # noqa: PLC0415 (as above)

            deadline_s = self._limits.deadline_s
            await postgres.listen(self._url, channel, on_change, deadline_s=deadline_s)

    async def close(self) -> None:
        """Close all connections; transactions must have ended."""
        await self._engine.dispose()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Bound the queue: a flood must be told so, and not make all others wait in vain."""
        if self._under_way >= self._limits.transactions:
            raise StoreBusyError("too many transactions wait for the database")
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    @asynccontextmanager
    async def _begun(self, options: dict[str, Any]) -> AsyncIterator[AsyncConnection]:
        with translated():
            async with (
                asyncio.timeout(self._limits.deadline_s),
                self._engine.begin(options) as connection,
            ):
                yield connection

    @asynccontextmanager
    async def _turn_taken(self) -> AsyncIterator[None]:
        """Wait for the writers before us, no longer than a transaction may take."""
        if self._turn is None:
            yield
            return
        with translated():
            async with asyncio.timeout(self._limits.deadline_s):
                await self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()


def _make_engine(url: str, limits: StoreLimits, *, is_read_only: bool) -> AsyncEngine:
    deadline_s, connections = limits.deadline_s, limits.connections
    scheme = url.partition("://")[0]
    if scheme in _POSTGRESQL:  # read by asyncpg itself: it can name several hosts
        from gateway.store import postgres  # noqa: PLC0415 (as above)

        return postgres.make_engine(url, deadline_s=deadline_s, connections=connections)
    if scheme == "sqlite":
        parsed = make_url(url)
        return sqlite_file.make_engine(
            parsed, deadline_s=deadline_s, connections=connections, is_read_only=is_read_only
        )
    raise UnfitStoreError("the store is neither SQLite nor PostgreSQL", _URL_CURE)
