"""PostgreSQL: how a connection is made, pooled or for listening.

asyncpg reads the URL itself, so that whatever libpq understands there (``sslmode``, several hosts,
``host=/run/postgresql`` for a socket) works, and environment variables and password files too.

The rule to keep in mind: a connection has deadlines on both sides. Ours end a wait for a server
that does not answer; the server's own end the locks of a gateway that was stopped in a transaction.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

import asyncpg
from sqlalchemy import create_engine

from gateway.store.async_engine import AsyncEngine
from gateway.store.faults import StoreUnavailableError, UnfitStoreError, translated

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
OnChange: TypeAlias = Callable[[], None]

_RECYCLE_S: Final = 1800  # some firewalls forget idle connections after an hour
_LISTEN_AGAIN_S: Final = 1.0
_CLOSE_S: Final = 2.0


async def connect(url: str, *, deadline_s: float) -> Connection:
    """Open one connection.

    Raises:
        UnfitStoreError: asyncpg cannot read the URL.
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError: It cannot be opened now.
    """
    milliseconds = str(int(deadline_s * 1000))
    try:
        return await asyncpg.connect(
            url,
            timeout=deadline_s,
            command_timeout=deadline_s,
            server_settings={
                "application_name": "gateway",
                "statement_timeout": milliseconds,
                "idle_in_transaction_session_timeout": milliseconds,
            },
        )
    except ValueError as error:
        # Of others than asyncpg's own the text may be a piece of the URL, and that of its password.
        known = isinstance(error, asyncpg.exceptions.ClientConfigurationError)
        raise UnfitStoreError(
            f"the URL of the store cannot be read{f': {error}' if known else ''}",
            "write postgresql://user:password@host/database, with %XX for special characters",
        ) from None


def make_engine(url: str, *, deadline_s: float, connections: int) -> AsyncEngine:
    """Return the engine of a PostgreSQL database; connections are opened when they are needed.

    A connection is tried before each transaction (a round trip): after a restart of the server the
    first transaction works, not the one after the pool's last dead connection.
    """

    async def open_one() -> Connection:
        return await connect(url, deadline_s=deadline_s)

    def creator() -> Any:  # noqa: ANN401 (SQLAlchemy's own around asyncpg's)
        return engine.dialect.loaded_dbapi.connect(async_creator_fn=open_one)

    engine = create_engine(
        "postgresql+asyncpg://",
        creator=creator,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=deadline_s,
        pool_pre_ping=True,
        pool_recycle=_RECYCLE_S,
        hide_parameters=True,
    )
    return AsyncEngine(engine)


async def listen(url: str, channel: str, on_change: OnChange, *, deadline_s: float) -> None:
    """Tell when something is notified on *channel*, on a connection of its own, until cancelled.

    Args:
        url: The database.
        channel: What to ``LISTEN`` to.
        on_change: Called for each notification, and whenever the connection has been made, for the
            first time or anew, since what was notified before then did not arrive.
        deadline_s: For opening the connection; a lost one is opened anew after a second.
    """
    while True:
        with suppress(StoreUnavailableError):
            await _listen_once(url, channel, on_change, deadline_s=deadline_s)
        await asyncio.sleep(_LISTEN_AGAIN_S)


async def _listen_once(url: str, channel: str, on_change: OnChange, *, deadline_s: float) -> None:
    """Listen until the connection is lost."""
    lost = asyncio.Event()
    with translated():
        connection = await connect(url, deadline_s=deadline_s)
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(channel, lambda *_: on_change())
            on_change()
            await lost.wait()
        finally:
            with suppress(TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=_CLOSE_S)
