"""Transactions happen or do not, within their deadline, and leave no connection behind."""

import asyncio

import pytest
from sqlalchemy import Connection, event, select, text
from sqlalchemy.exc import OperationalError

from gateway.store import revocations, users
from gateway.store.engine import Store, StoreLimits
from gateway.store.faults import StoreBusyError, StoreUnavailableError, UnfitStoreError
from gateway.store.migrate import open_store
from gateway.store.tables import revocation_epoch
from tests.kit.stores import ping
from tests.unit.store.test_users import ALICE

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "url",
    [
        "",
        "var/gateway.db",
        "mysql://localhost/gateway",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///x.db?mode=ro",
        "postgresql://127.0.0.1:port/gateway",
        "postgresql://gateway@127.0.0.1/x?sslmode=sometimes",
    ],
)
async def test_a_url_that_names_no_store_is_refused_with_a_cure(url: str) -> None:
    """What the operator wrote is wrong: no retry helps, so it is another error."""
    with pytest.raises(UnfitStoreError) as caught:
        await open_store(url)

    assert caught.value.cure in str(caught.value)


async def test_an_error_in_the_block_takes_everything_back(store: Store) -> None:
    """What the caller raises comes through as it is, and nothing was written."""
    with pytest.raises(KeyError, match="mine"):
        await _add_and_raise(store)

    async with store.read() as tx:
        assert await users.find_by_id(tx, ALICE.id) is None


async def _add_and_raise(store: Store) -> None:
    async with store.write() as tx:
        await users.add(tx, ALICE)
        raise KeyError("mine")


async def test_a_cancelled_transaction_takes_everything_back(store: Store) -> None:
    """A client that goes away in the middle leaves neither a row nor a lock."""
    begun = asyncio.Event()

    async def hang() -> None:
        async with store.write() as tx:
            await users.add(tx, ALICE)
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async with store.write() as tx:
        assert await users.add(tx, ALICE)


async def test_a_transaction_ends_at_its_deadline(store_url: str) -> None:
    """Whatever it waits for: when the time is over it is undone, and the store goes on."""
    await (await open_store(store_url)).close()
    async with Store(store_url, StoreLimits(deadline_s=1.0)) as short:
        with pytest.raises(StoreUnavailableError, match="in time"):
            await _add_and_hang(short)
        async with short.write() as tx:
            assert await users.add(tx, ALICE)


async def test_that_nothing_can_be_undone_hides_no_cause(store_url: str) -> None:
    """What broke first is what is told; the connection is let go, and the store goes on."""
    async with await open_store(store_url) as store:
        with pytest.raises(KeyError, match="the cause"):
            await _break(store)
        async with store.write() as tx:
            assert await users.add(tx, ALICE)


async def _break(store: Store) -> None:
    event.listen(store._engine.sync_engine, "rollback", _fail, once=True)
    async with store._engine.begin({}):
        raise KeyError("the cause")


def _fail(_: Connection) -> None:
    raise OperationalError("ROLLBACK", {}, OSError("gone"))


async def _add_and_hang(store: Store) -> None:
    async with store.write() as tx:
        await users.add(tx, ALICE)
        await asyncio.Event().wait()


async def test_a_lock_that_another_holds_is_waited_for_until_the_deadline(store_url: str) -> None:
    """A busy database is unavailable, not a hang, and not an error of another kind."""
    async with (
        await open_store(store_url) as holder,
        Store(store_url, StoreLimits(deadline_s=0.3)) as waiter,
    ):
        async with holder.write() as tx:
            await revocations.add(tx, [_REVOKED])
            with pytest.raises(StoreUnavailableError):
                await _revoke(waiter)
        await _revoke(waiter)


_REVOKED = revocations.Revocation(
    kind=revocations.RevocationKind.TOKEN, key="jti", expires_at_s=1.0
)


async def _revoke(store: Store) -> None:
    async with store.write() as tx:
        await revocations.add(tx, [_REVOKED])


async def test_writers_beyond_the_pool_wait_for_their_turn(store_url: str) -> None:
    """More transactions than connections queue; none is lost."""
    await (await open_store(store_url)).close()
    async with Store(store_url, StoreLimits(connections=2)) as narrow:
        await asyncio.gather(*(_revoke(narrow) for _ in range(30)))
        async with narrow.read() as tx:
            row = await tx.row(select(revocation_epoch.c.epoch))

    assert row is not None
    assert row.epoch == 30


async def test_a_reading_transaction_cannot_write(postgres_url: str) -> None:
    """PostgreSQL refuses it; on SQLite the type checker does."""
    async with await open_store(postgres_url) as store:
        with pytest.raises(StoreUnavailableError, match="read-only"):
            await _write_in_a_read(store)


async def _write_in_a_read(store: Store) -> None:
    async with store.read() as tx:
        await tx.rows(text("DELETE FROM users RETURNING id"))


@pytest.mark.parametrize("way", ["read", "write"])
async def test_a_queue_is_bounded(store_url: str, way: str) -> None:
    """Whoever comes when it is full hears so at once, and takes no place; then it goes on."""
    await (await open_store(store_url)).close()
    async with Store(store_url, StoreLimits(connections=1, transactions=3)) as store:
        may_end, begun = asyncio.Event(), asyncio.Event()

        async def transaction() -> None:
            async with getattr(store, way)():
                begun.set()
                await may_end.wait()

        tasks = [asyncio.create_task(transaction()) for _ in range(3)]
        await begun.wait()
        for opened in (store.read, store.write) * 2:
            with pytest.raises(StoreBusyError, match="too many"):
                async with opened():
                    pass
        may_end.set()
        await asyncio.gather(*tasks)
        await ping(store)


async def test_a_table_that_is_gone_is_a_fault_and_no_mistake(store: Store) -> None:
    """While a backup is restored: whoever follows the store goes on with what it knows."""
    async with store.write() as tx:
        await tx.execute(text("DROP TABLE revocation_epoch"))

    with pytest.raises(StoreUnavailableError):
        await _latest(store)


async def _latest(store: Store) -> int:
    async with store.read() as tx:
        return await revocations.latest_epoch(tx)
