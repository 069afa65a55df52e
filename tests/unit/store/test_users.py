"""Users: unique by canonical name, known by id."""

from dataclasses import replace

import pytest

from gateway.store import users
from gateway.store.engine import Store
from gateway.store.users import Grants, StoredUser
from tests.kit.stores import NOW_S

pytestmark = pytest.mark.anyio

ALICE = StoredUser(
    id="u-alice",
    username="Alice",
    canonical_username="alice",
    password_hash="$argon2id$first",
    created_at_s=NOW_S,
    updated_at_s=NOW_S,
    roles=("admin", "customer"),
    scopes=("products:read",),
    attributes={"org": {"plan": "pro", "seats": 3}, "name": "Алиса"},
)
HOSTILE = ["' OR 1=1 --", "%", "_lice", "alice\0", "\ud800", "", "x" * 100_000]


async def _add(store: Store, *added: StoredUser) -> list[bool]:
    async with store.write() as tx:
        return [await users.add(tx, user) for user in added]


async def test_a_user_is_found_as_it_was_kept(store: Store) -> None:
    """By name and by id the same user comes back, lists and attributes included."""
    await _add(store, ALICE)

    async with store.read() as tx:
        assert await users.find_by_name(tx, "alice") == ALICE
        assert await users.find_by_id(tx, "u-alice") == ALICE
    async with store.write() as tx:
        assert await users.hold(tx, "u-alice") == ALICE
    assert "argon2" not in repr(ALICE)


@pytest.mark.parametrize("name", HOSTILE)
async def test_any_other_text_finds_nobody(store: Store, name: str) -> None:
    """AUTH-11: no character in a name is more than a character."""
    await _add(store, ALICE)

    async with store.write() as tx:
        assert await users.find_by_name(tx, name) is None
        assert await users.find_by_id(tx, name) is None
        assert await users.hold(tx, name) is None


@pytest.mark.parametrize(
    ("user_id", "name"), [("u-2", "alice"), ("u-alice", "bob")], ids=["name", "id"]
)
async def test_what_is_taken_stays_with_its_owner(store: Store, user_id: str, name: str) -> None:
    """A second user of one canonical name, or of one id, is refused."""
    other = replace(ALICE, username="ALICE", id=user_id, canonical_username=name)

    assert await _add(store, ALICE, other) == [True, False]
    async with store.read() as tx:
        assert await users.list_page(tx) == [ALICE]


async def test_a_name_that_is_free_again_comes_with_another_id(store: Store) -> None:
    """AUTH-15: who gets the name of a removed user is another user."""
    await _add(store, ALICE)
    async with store.write() as tx:
        assert await users.remove(tx, "u-alice")
        assert not await users.remove(tx, "u-alice")
        assert await users.add(tx, replace(ALICE, id="u-new"))

    async with store.read() as tx:
        assert await users.find_by_id(tx, "u-alice") is None


async def test_users_are_listed_by_name_in_pages(store: Store) -> None:
    """A page ends at its limit, and the next begins after it."""
    names = ["carol", "alice", "bob"]
    await _add(store, *(replace(ALICE, id=f"u-{name}", canonical_username=name) for name in names))

    async with store.read() as tx:
        first = await users.list_page(tx, limit=2)
        second = await users.list_page(tx, after="bob", limit=2)

    assert [user.canonical_username for user in (*first, *second)] == ["alice", "bob", "carol"]


async def test_a_hash_is_upgraded_only_in_the_place_of_its_source(store: Store) -> None:
    """A login that upgrades a hash does not undo a change of password beside it."""
    await _add(store, ALICE)
    async with store.write() as tx:
        assert await users.set_password_hash(tx, "u-alice", "$changed", now_s=NOW_S + 1)
        stale = await users.set_password_hash(
            tx, "u-alice", "$upgraded", now_s=NOW_S + 2, replaces=ALICE.password_hash
        )
        fresh = await users.set_password_hash(
            tx, "u-alice", "$better", now_s=NOW_S + 3, replaces="$changed"
        )
        found = await users.find_by_id(tx, "u-alice")

    assert (stale, fresh) == (False, True)
    assert found is not None
    assert (found.password_hash, found.updated_at_s) == ("$better", NOW_S + 3)


async def test_a_user_is_changed(store: Store) -> None:
    """Grants and the disabled flag are kept."""
    await _add(store, ALICE)
    grants = Grants(roles=("auditor",), scopes=(), attributes={"plan": None})
    async with store.write() as tx:
        assert await users.set_grants(tx, "u-alice", grants, now_s=NOW_S + 1)
        assert await users.set_disabled(tx, "u-alice", disabled=True, now_s=NOW_S + 1)
        assert not await users.set_disabled(tx, "nobody", disabled=True, now_s=NOW_S)
        found = await users.find_by_id(tx, "u-alice")

    assert found == replace(
        ALICE,
        roles=("auditor",),
        scopes=(),
        attributes={"plan": None},
        disabled=True,
        updated_at_s=NOW_S + 1,
    )
