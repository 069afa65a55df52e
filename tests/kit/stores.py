"""Stores for tests: every test that asks for one runs on SQLite and on PostgreSQL.

The fixtures are imported by the ``conftest.py`` of the rooms that test the store.
"""

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import text

from gateway.store.engine import Store, StoreLimits
from gateway.store.migrate import open_store
from gateway.store.sessions import Session
from tests.kit.postgres import PostgresServer, find_binaries

DATABASES: Final = ("sqlite", "postgresql")
NOW_S: Final = 1_800_000_000.0
DAY_S: Final = 86_400.0
PATIENT: Final = StoreLimits(deadline_s=60.0)  # for hundreds of writers on a busy machine


@pytest.fixture
def anyio_backend() -> str:
    """What runs the tests that are coroutines."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server that lives as long as the session, for tests that leave it running."""
    if find_binaries() is None:
        pytest.skip("no PostgreSQL server on this machine: install the package postgresql")
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty database of the server, gone after the test."""
    name = f"test_{secrets.token_hex(8)}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A file that is not there yet."""
    return f"sqlite:///{tmp_path}/var/gateway.db"


@pytest.fixture(params=DATABASES)
def store_url(request: pytest.FixtureRequest) -> str:
    """An empty database of either kind."""
    kind = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    url: str = request.getfixturevalue(kind)
    return url


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    """An open store of either kind, with its tables and nothing in them."""
    async with await open_store(store_url, PATIENT) as opened:
        yield opened


_BEGUN: Final = Session(
    id="s-1",
    user_id="u-1",
    created_at_s=NOW_S,
    refreshed_at_s=NOW_S,
    idle_expires_at_s=NOW_S + DAY_S,
    expires_at_s=NOW_S + 30 * DAY_S,
    user_agent="curl/8.0",
    address="203.0.113.7",
)


def session(name: str = "s-1", **changes: Any) -> Session:
    """Return a session that began at ``NOW_S``: a day of idleness, thirty days in all."""
    return replace(_BEGUN, id=name, **changes)


async def ping(store: Store) -> None:
    """Make sure that the database answers; the gateway itself learns it from what it asks."""
    async with store.read() as tx:
        await tx.row(text("SELECT 1"))
