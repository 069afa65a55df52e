"""API keys in the store: kept as digests, revoked once, listed, and thrown away in the end."""

from dataclasses import replace
from typing import Final

import pytest

from gateway.store import api_keys
from gateway.store.api_keys import StoredApiKey, digest_secret
from gateway.store.engine import Store
from tests.kit.stores import DAY_S, NOW_S

pytestmark = pytest.mark.anyio

KEY: Final = StoredApiKey(
    id="k-1",
    secret_hash=digest_secret("s"),
    owner_id="u-1",
    name="ci",
    scopes=("a:b", "c"),
    created_at_s=NOW_S,
    expires_at_s=NOW_S + DAY_S,
)


async def _add(store: Store, *keys: StoredApiKey) -> None:
    async with store.write() as tx:
        for key in keys:
            await api_keys.add(tx, key)


async def _ids(store: Store) -> list[str]:
    async with store.read() as tx:
        return [key.id for key in await api_keys.list_page(tx)]


async def test_a_key_is_found_as_it_was_kept(store: Store) -> None:
    """By its id; any text may be asked for."""
    other = replace(KEY, id="k-2", expires_at_s=None, scopes=())
    await _add(store, KEY, other)
    async with store.read() as tx:
        assert [await api_keys.find(tx, name) for name in ("k-1", "k-2")] == [KEY, other]
        assert [await api_keys.find(tx, name) for name in ("k", "a\0b", "\ud800")] == [None] * 3


def test_the_secret_is_compared_by_its_digest() -> None:
    """THREATS OPS-21: two digests of one length; the secret itself is kept nowhere."""
    assert KEY.has_secret("s")
    assert not KEY.has_secret("t")
    assert not KEY.has_secret("s\ud800")
    assert len(KEY.secret_hash) == 32
    assert "secret_hash" not in repr(KEY)


async def test_a_key_is_revoked_once(store: Store) -> None:
    """The time of the first revocation stands."""
    await _add(store, KEY)
    async with store.write() as tx:
        assert await api_keys.revoke(tx, "k-1", now_s=NOW_S + 1)
        assert not await api_keys.revoke(tx, "k-1", now_s=NOW_S + 2)
        assert not await api_keys.revoke(tx, "k-2", now_s=NOW_S)
        assert not await api_keys.revoke(tx, "a\0b", now_s=NOW_S)
        found = await api_keys.find(tx, "k-1")
    assert found == replace(KEY, revoked_at_s=NOW_S + 1)


async def test_keys_are_listed_in_pages(store: Store) -> None:
    """Of all, or of one owner; in the order of their ids."""
    await _add(store, *(replace(KEY, id=f"k-{n}", owner_id=f"u-{n % 2}") for n in range(5)))
    async with store.read() as tx:
        pages = [
            await api_keys.list_page(tx, limit=2),
            await api_keys.list_page(tx, after="k-1"),
            await api_keys.list_page(tx, owner_id="u-1", after="k-1"),
            await api_keys.list_page(tx, owner_id="a\0b"),
        ]
    assert [[key.id for key in page] for page in pages] == [
        ["k-0", "k-1"],
        ["k-2", "k-3", "k-4"],
        ["k-3"],
        [],
    ]


async def test_a_users_keys_go_with_the_user(store: Store) -> None:
    """Nobody else's do."""
    await _add(store, KEY, replace(KEY, id="k-2", owner_id="u-2"))
    async with store.write() as tx:
        assert await api_keys.remove_of_owner(tx, "u-1") == 1
    assert await _ids(store) == ["k-2"]


async def test_what_has_ended_long_ago_is_deleted(store: Store) -> None:
    """By its expiry or its revocation; what has neither stays."""
    await _add(
        store,
        replace(KEY, id="expired", expires_at_s=NOW_S - 1),
        replace(KEY, id="revoked", expires_at_s=None, revoked_at_s=NOW_S - 1),
        replace(KEY, id="live"),
        replace(KEY, id="lasting", expires_at_s=None),
    )
    async with store.write() as tx:
        assert await api_keys.purge(tx, before_s=NOW_S) == 2
    assert await _ids(store) == ["lasting", "live"]
