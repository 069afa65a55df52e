"""Signing keys: one current per algorithm, sealed at rest, promoted once."""

import asyncio
from collections.abc import Callable
from itertools import count

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from gateway.store import keys
from gateway.store.engine import Store
from gateway.store.faults import UnfitStoreError
from gateway.store.keys import KeyBox, KeyState, NewKey
from gateway.store.tables import signing_keys
from tests.kit.stores import NOW_S

pytestmark = pytest.mark.anyio

STORE_KEY = b"a store key of the tests: 32 bytes or more"
PLAIN = KeyBox()


def _maker(algorithm: str = "ES256") -> Callable[[], NewKey]:
    numbers = count()
    return lambda: _made(f"kid-{next(numbers)}", algorithm)


def _made(kid: str, algorithm: str = "ES256") -> NewKey:
    return NewKey(kid, algorithm, f"-----BEGIN PRIVATE KEY----- {kid}".encode())


async def _states(store: Store, box: KeyBox = PLAIN) -> dict[str, str]:
    async with store.read() as tx:
        return {key.kid: key.state.value for key in await keys.list_keys(tx, box)}


async def _kept(store: Store) -> str:
    async with store.read() as tx:
        return repr(await tx.rows(select(signing_keys)))


async def test_many_at_once_agree_on_one_key(store: Store) -> None:
    """Whoever asks first makes the key; the others get that one."""
    make = _maker()
    found = await asyncio.gather(
        *(keys.ensure_current(store, "ES256", make, box=PLAIN, now_s=NOW_S) for _ in range(10))
    )

    assert len({key.kid for key in found}) == 1
    assert len(await _states(store)) == 1
    assert "BEGIN" not in repr(found[0])


async def test_each_algorithm_has_its_own(store: Store) -> None:
    """Gateways that are moved to another algorithm one by one do not end each other's keys."""
    for algorithm in ("ES256", "EdDSA"):
        make = _maker(algorithm) if algorithm == "ES256" else lambda: _made("ed", "EdDSA")
        await keys.ensure_current(store, algorithm, make, box=PLAIN, now_s=NOW_S)

    assert await _states(store) == {"kid-0": "current", "ed": "current"}


async def test_a_key_of_another_algorithm_is_not_taken(store: Store) -> None:
    """What the maker makes must sign with what was asked for."""
    with pytest.raises(ValueError, match="ES256"):
        await keys.ensure_current(store, "ES256", _maker("EdDSA"), box=PLAIN, now_s=NOW_S)


async def test_the_database_refuses_a_second_current_key(store: Store) -> None:
    """Whoever writes, however: one key signs."""
    await keys.ensure_current(store, "ES256", _maker(), box=PLAIN, now_s=NOW_S)
    async with store.write() as tx:
        assert await keys.add_next(tx, _made("next"), box=PLAIN, now_s=NOW_S)
    with pytest.raises(IntegrityError):
        async with store.write() as tx:
            await tx.execute(update(signing_keys).values(state="current"))


async def test_a_key_waits_signs_and_retires(store: Store) -> None:
    """next, current, retiring, gone; each move happens once, with its time."""
    await keys.ensure_current(store, "ES256", _maker(), box=PLAIN, now_s=NOW_S)
    async with store.write() as tx:
        assert await keys.add_next(tx, _made("next"), box=PLAIN, now_s=NOW_S + 1)
        assert not await keys.add_next(tx, _made("second"), box=PLAIN, now_s=NOW_S + 1)

    async def promote() -> bool:
        async with store.write() as tx:
            return await keys.promote(tx, "next", now_s=NOW_S + 2, verifies_until_s=NOW_S + 3)

    assert sorted(await asyncio.gather(*(promote() for _ in range(5)))) == [False] * 4 + [True]
    async with store.write() as tx:
        old, new = await keys.list_keys(tx, PLAIN)
        assert await keys.purge(tx, now_s=NOW_S + 2) == 0
        assert await keys.purge(tx, now_s=NOW_S + 3) == 1
        assert await keys.retire(tx, "next", now_s=NOW_S + 4, verifies_until_s=NOW_S + 9)
        assert not await keys.retire(tx, "next", now_s=NOW_S + 4, verifies_until_s=NOW_S + 9)

    assert (old.state, old.retiring_from_s, old.verifies_until_s) == (
        KeyState.RETIRING,
        NOW_S + 2,
        NOW_S + 3,
    )
    assert (new.state, new.created_at_s, new.current_from_s) == (
        KeyState.CURRENT,
        NOW_S + 1,
        NOW_S + 2,
    )
    assert await _states(store) == {"next": "retiring"}


async def test_a_sealed_key_is_read_with_its_store_key_only(store: Store) -> None:
    """At rest there is no private key; another store key, or none, is an error with a cure."""
    box = KeyBox(STORE_KEY)
    made = await keys.ensure_current(store, "ES256", _maker(), box=box, now_s=NOW_S)

    assert "BEGIN" not in await _kept(store)
    async with store.read() as tx:
        assert await keys.list_keys(tx, KeyBox(STORE_KEY)) == [made]
        for other in (PLAIN, KeyBox(STORE_KEY + b"!")):
            with pytest.raises(UnfitStoreError, match="store_key"):
                await keys.list_keys(tx, other)


async def test_plain_keys_are_sealed_once_there_is_a_store_key(store: Store) -> None:
    """Giving a store key later seals what was kept in the clear; the key stays the same."""
    first = await keys.ensure_current(store, "ES256", _maker(), box=PLAIN, now_s=NOW_S)
    assert "BEGIN" in await _kept(store)
    second = await keys.ensure_current(
        store, "ES256", _maker(), box=KeyBox(STORE_KEY), now_s=NOW_S + 1
    )

    assert second == first
    assert "BEGIN" not in await _kept(store)


def test_a_short_store_key_is_refused() -> None:
    """Nothing slows guessing down, so the key must have the entropy."""
    with pytest.raises(UnfitStoreError, match="31 bytes"):
        KeyBox(b"x" * 31)
