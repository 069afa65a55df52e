"""The tables of the code are those that the migrations make."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

import gateway.store.partial_indexes  # noqa: F401 (adds them to the tables)
from gateway.store.engine import Store
from gateway.store.migrate import LOCK
from gateway.store.tables import REVISION, metadata

pytestmark = pytest.mark.anyio


async def test_migrations_make_the_tables_of_the_code(store: Store) -> None:
    """Nothing is missing, on either database, and nothing is left over."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, metadata))

    async with store.exclusive(LOCK) as connection:
        assert await connection.run_sync(differences) == []


def test_the_revision_is_that_of_the_newest_script() -> None:
    """A start compares the database with this constant alone, without reading the scripts."""
    config = Config()
    config.set_main_option("script_location", "gateway.store:migrations")

    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]
