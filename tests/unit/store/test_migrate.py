"""Opening a store brings its tables up to date, once."""

import pytest
from sqlalchemy import text

from gateway.store.engine import Store, StoreLimits
from gateway.store.faults import UnfitStoreError
from gateway.store.migrate import find_revision, migrate, open_store
from gateway.store.tables import REVISION

pytestmark = pytest.mark.anyio


async def test_an_empty_database_gets_its_tables(store_url: str) -> None:
    """From nothing to the newest revision; doing it again changes nothing."""
    async with Store(store_url, StoreLimits()) as raw:
        assert await find_revision(raw) is None
        await migrate(store_url)
        await migrate(store_url)
        assert await find_revision(raw) == REVISION


async def test_a_step_that_fails_leaves_nothing(store_url: str) -> None:
    """All steps are one transaction: a table that is in the way undoes the whole of it."""
    async with Store(store_url, StoreLimits()) as raw:
        async with raw.write() as tx:
            await tx.execute(text("CREATE TABLE signing_keys (mine int)"))
        with pytest.raises(Exception, match="signing_keys"):
            await migrate(store_url)
        assert await find_revision(raw) is None
        async with raw.read() as tx:
            assert not await tx.has_table("users")


async def test_tables_of_a_newer_version_are_not_touched(store_url: str) -> None:
    """A gateway that was set back says so, instead of writing into what it does not know."""
    async with await open_store(store_url) as opened, opened.write() as tx:
        await tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(UnfitStoreError, match="9999"):
        await open_store(store_url)
