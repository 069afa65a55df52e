"""What a process hears of its store, and what it does when it hears nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from gateway.issuer import sync as sync_module
from gateway.issuer.key_ring import KeyRing
from gateway.issuer.key_rotation import KeyKeeper, KeyPolicy
from gateway.issuer.revocation_table import RevocationTable
from gateway.issuer.shared_file import SharedFileError
from gateway.issuer.sync import StoreSync
from gateway.store import revocations
from gateway.store.engine import Store
from gateway.store.faults import StoreUnavailableError
from gateway.store.keys import KeyBox
from gateway.store.migrate import open_store
from gateway.store.revocations import Revocation, RevocationKind
from tests.kit.revocations import token_revocation
from tests.kit.stores import NOW_S

pytestmark = pytest.mark.anyio


@pytest.fixture
def table(tmp_path: Path) -> Iterator[RevocationTable]:
    """An empty table."""
    made = RevocationTable.create(tmp_path / "revocations", 64)
    yield made
    made.close()


def _sync(
    store: Store,
    table: RevocationTable,
    *,
    keeper: KeyKeeper | None = None,
    rings: list[KeyRing] | None = None,
) -> StoreSync:
    heard = rings if rings is not None else []
    return StoreSync(store, table, keeper, heard.append, clock=lambda: NOW_S)


def _knows(table: RevocationTable, key: str) -> bool:
    return table.is_revoked([("jti", key)], int(NOW_S), NOW_S)


async def _revoke(store: Store, *keys: str) -> None:
    async with store.write() as tx:
        await revocations.add(tx, [token_revocation(key, NOW_S + 1000) for key in keys])


async def test_what_another_host_revoked_is_taken_in(store: Store, table: RevocationTable) -> None:
    """From the first to the last, and each once."""
    await _revoke(store, "a", "b")
    sync = _sync(store, table)
    await sync.catch_up()
    await _revoke(store, "c")
    assert not _knows(table, "c")
    await sync.catch_up()

    assert all(_knows(table, key) for key in "abc")
    assert table.store_epoch == 3
    epoch = table.epoch
    await sync.catch_up()
    assert table.epoch == epoch
    assert table.contacts[0] == NOW_S


async def test_more_than_a_page_is_taken_in_whole(
    store: Store, table: RevocationTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start with a million revocations reads them page by page."""
    monkeypatch.setattr(revocations, "PAGE_ROWS", 3)
    monkeypatch.setattr(revocations.since, "__kwdefaults__", {"limit": 3})
    await _revoke(store, *(f"t{number}" for number in range(10)))
    await _sync(store, table).catch_up()

    assert all(_knows(table, f"t{number}") for number in range(10))


async def test_a_restored_database_is_read_anew(
    store: Store, table: RevocationTable, caplog: pytest.LogCaptureFixture
) -> None:
    """Its numbers begin again; what was revoked meanwhile stays revoked here."""
    await _revoke(store, "a")
    table.add([token_revocation("of the lost time", NOW_S + 1000)])
    table.store_epoch = 100
    await _sync(store, table).catch_up()

    assert _knows(table, "a")
    assert _knows(table, "of the lost time")
    assert table.store_epoch == 1
    assert "fewer revocations" in caplog.text


async def test_contact_means_that_all_is_known(
    store: Store, table: RevocationTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table cannot be written to: the store was reached, but that is not enough."""

    def add(_: object) -> None:
        raise SharedFileError("no room")

    await _revoke(store, "a")
    monkeypatch.setattr(table, "add", add)
    with pytest.raises(StoreUnavailableError):
        await _sync(store, table).catch_up()
    assert table.contacts[0] == float("-inf")
    assert table.store_epoch == 0


async def test_new_keys_are_told_once(store: Store, table: RevocationTable) -> None:
    """At the start, and whenever something has changed."""
    keeper = KeyKeeper(store, KeyBox(), KeyPolicy(algorithm="ES256", token_lifetime_s=90.0))
    await keeper.open(NOW_S)
    rings: list[KeyRing] = []
    sync = _sync(store, table, keeper=keeper, rings=rings)
    await sync.catch_up()
    await sync.catch_up()
    assert [len(ring.all) for ring in rings] == [1]

    await keeper.rotate(NOW_S - 1000)  # due at once
    await sync.catch_up()
    await sync.catch_up()
    assert [len(ring.all) for ring in rings] == [1, 2, 2]
    assert rings[2].signing.kid == rings[1].others[0].kid


async def test_another_keeper_goes_on_with_the_keys(store: Store, table: RevocationTable) -> None:
    """After a reload: by its policy, a key that waits signs earlier."""
    slow, fast = (
        KeyKeeper(store, KeyBox(), KeyPolicy(algorithm="ES256", token_lifetime_s=lifetime_s))
        for lifetime_s in (1000.0, 10.0)
    )
    await slow.open(NOW_S - 100)
    await slow.rotate(NOW_S - 100)
    rings: list[KeyRing] = []
    sync = _sync(store, table, keeper=slow, rings=rings)
    await sync.catch_up()
    await sync.catch_up()
    assert len(rings) == 1
    sync.use_keeper(fast)
    await sync.catch_up()
    await sync.catch_up()

    assert len(rings) == 2
    assert rings[1].signing.kid != rings[0].signing.kid


async def test_a_store_that_takes_no_writes_has_been_reached(
    store: Store, table: RevocationTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, or a standby: a key that is due stays so, and requests go on being let in."""
    keeper = KeyKeeper(store, KeyBox(), KeyPolicy(algorithm="ES256", token_lifetime_s=90.0))
    await keeper.open(NOW_S)
    await _revoke(store, "a")

    async def advance(*_: object) -> bool:
        raise StoreUnavailableError("read-only")

    monkeypatch.setattr(KeyKeeper, "advance", advance)
    with pytest.raises(StoreUnavailableError):
        await _sync(store, table, keeper=keeper).catch_up()
    assert _knows(table, "a")
    assert table.contacts[0] == NOW_S


@asynccontextmanager
async def _following(sync: StoreSync) -> AsyncIterator[None]:
    task = asyncio.create_task(sync.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def _until(table: RevocationTable, key: str) -> None:
    async with asyncio.timeout(20):
        while not _knows(table, key):  # noqa: ASYNC110 (the table is memory of other processes too)
            await asyncio.sleep(0.005)


async def test_it_follows_until_it_is_cancelled(store: Store, table: RevocationTable) -> None:
    """A poll twice a second, on both databases."""
    async with _following(_sync(store, table)):
        for number in range(3):
            await _revoke(store, f"t{number}")
            await _until(table, f"t{number}")


async def test_postgresql_tells_at_once(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a poll that would come too late for any test, a notification brings it."""
    monkeypatch.setattr(sync_module, "PERIOD_S", 3600.0)
    table = RevocationTable.create(tmp_path / "revocations", 64)
    async with await open_store(postgres_url) as store, _following(_sync(store, table)):
        await _revoke(store, "first")
        await _until(table, "first")
        await _revoke(store, "second")
        await _until(table, "second")
    table.close()


async def test_what_is_told_during_a_look_is_looked_for(
    store: Store, table: RevocationTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notification that comes after the revocations were read, and before the look is over."""
    monkeypatch.setattr(sync_module, "PERIOD_S", 3600.0)
    sync = _sync(store, table)
    catch_up = sync.catch_up
    looks = count()

    async def told_late() -> None:
        await catch_up()
        if next(looks) == 0:
            await _revoke(store, "late")
            sync._news.set()

    monkeypatch.setattr(sync, "catch_up", told_late)
    async with _following(sync):
        await _until(table, "late")


async def test_a_store_that_fails_is_complained_about_once(
    store: Store,
    table: RevocationTable,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once when it begins, once when it is over; known revocations stand meanwhile."""
    monkeypatch.setattr(sync_module, "PERIOD_S", 0.001)
    numbers = count()
    recovered = asyncio.Event()
    sync = _sync(store, table)
    catch_up = sync.catch_up

    async def fail_five_times() -> None:
        number = next(numbers)
        if number < 5:
            raise StoreUnavailableError("refused")
        await catch_up()
        if number > 7:
            recovered.set()

    monkeypatch.setattr(sync, "catch_up", fail_five_times)
    table.add([token_revocation("known", NOW_S + 1000)])
    async with _following(sync):
        await asyncio.wait_for(recovered.wait(), 20)

    said = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in said] == [logging.ERROR, logging.WARNING]
    assert "refused" in said[0][1]
    assert _knows(table, "known")


async def test_user_revocations_keep_their_time(store: Store, table: RevocationTable) -> None:
    """Tokens issued after it count."""
    user = Revocation(
        kind=RevocationKind.USER, key="u", expires_at_s=NOW_S + 99, not_before_s=NOW_S
    )
    async with store.write() as tx:
        await revocations.add(tx, [user])
    await _sync(store, table).catch_up()

    assert table.revoked_until("u") == int(NOW_S)
    assert table.revoked_until("other") is None
