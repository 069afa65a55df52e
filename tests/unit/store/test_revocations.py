"""Revocations: epochs in order, the later times stand, what has expired goes."""

import asyncio
from contextlib import suppress

import pytest

from gateway.store import revocations
from gateway.store.engine import Store
from gateway.store.revocations import Revocation, RevocationKind
from tests.kit.stores import NOW_S

pytestmark = pytest.mark.anyio


def _revoked(key: str, *, expires_at_s: float = NOW_S + 1440) -> Revocation:
    return Revocation(kind=RevocationKind.SESSION, key=key, expires_at_s=expires_at_s)


def _user(key: str, not_before_s: float) -> Revocation:
    return Revocation(
        kind=RevocationKind.USER,
        key=key,
        expires_at_s=not_before_s + 1440,
        not_before_s=not_before_s,
    )


async def _add(store: Store, *added: Revocation) -> int:
    async with store.write() as tx:
        return await revocations.add(tx, added)


async def _since(store: Store, epoch: int, limit: int = 100) -> list[tuple[int, str]]:
    async with store.read() as tx:
        return [(r.epoch, r.key) for r in await revocations.since(tx, epoch, limit=limit)]


async def test_what_came_since_is_read_in_order(store: Store) -> None:
    """A worker reads on from the last epoch that it has seen, page by page."""
    assert await _add(store) == 0
    assert await _add(store, _revoked("a"), _revoked("b")) == 2
    assert await _add(store, _revoked("c")) == 3

    assert await _since(store, 0, limit=2) == [(1, "a"), (2, "b")]
    assert await _since(store, 2) == [(3, "c")]
    assert await _since(store, 3) == []
    async with store.read() as tx:
        assert await revocations.latest_epoch(tx) == 3


async def test_revoking_again_is_news_and_the_later_times_stand(store: Store) -> None:
    """A second revocation of one thing gets a new epoch and never shortens the first."""
    await _add(store, _revoked("a", expires_at_s=NOW_S + 9), _user("u", NOW_S + 9))
    await _add(store, _revoked("a", expires_at_s=NOW_S + 5), _user("u", NOW_S + 5))
    await _add(store, _user("u", NOW_S + 7), _user("u", NOW_S + 20))

    async with store.read() as tx:
        first, second = await revocations.since(tx, 0)

    assert (first.epoch, first.expires_at_s, first.not_before_s) == (3, NOW_S + 9, None)
    assert (second.epoch, second.not_before_s) == (5, NOW_S + 20)


async def test_what_is_not_committed_is_not_revoked(store: Store) -> None:
    """A revocation is part of its transaction, and so is its epoch."""
    with suppress(LookupError):
        async with store.write() as tx:
            await revocations.add(tx, [_revoked("a")])
            raise LookupError

    assert await _since(store, 0) == []
    assert await _add(store, _revoked("b")) == 1


async def test_no_epoch_appears_behind_a_reader(store: Store) -> None:
    """Whoever reads on from the last epoch that they saw misses nothing, however many revoke."""
    seen: list[str] = []
    epoch, done = 0, False

    async def read() -> None:
        nonlocal epoch
        while not done or await _since(store, epoch):
            page = await _since(store, epoch)
            seen.extend(key for _, key in page)
            epoch = max([epoch, *(number for number, _ in page)])

    async def revoke() -> None:
        nonlocal done
        await asyncio.gather(*(_add(store, _revoked(f"{index}")) for index in range(60)))
        done = True

    await asyncio.gather(read(), revoke())

    assert sorted(seen) == sorted(str(index) for index in range(60))


async def test_more_than_one_statement_takes_are_revoked_at_once(store: Store) -> None:
    """Logging out everywhere, for a user with thousands of sessions, is one transaction."""
    assert await _add(store, *(_revoked(f"{index}") for index in range(2500))) == 2500
    assert len(await _since(store, 0, limit=9999)) == 2500


async def test_what_has_expired_is_deleted(store: Store) -> None:
    """A purge takes what concerns expired tokens only; the epoch stays."""
    await _add(store, _revoked("old", expires_at_s=NOW_S), _revoked("new"))
    async with store.write() as tx:
        assert await revocations.purge(tx, now_s=NOW_S) == 1
        assert await revocations.latest_epoch(tx) == 2

    assert [key for _, key in await _since(store, 0)] == ["new"]
