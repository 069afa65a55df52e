"""Failed logins are counted exactly, in windows, and forgotten as told."""

import asyncio

import pytest
from sqlalchemy import select

from gateway.store import throttles
from gateway.store.engine import Store
from gateway.store.tables import throttles as table
from gateway.store.throttles import Counter, ThrottleKind, marks_of
from tests.kit.stores import NOW_S

pytestmark = pytest.mark.anyio

MARKS = marks_of("alice", "203.0.113.7")
WINDOW_S = 3600.0


async def _fail(store: Store, *, now_s: float = NOW_S, limit: int = 1000) -> list[Counter] | None:
    """Count a failure unless the pair is at its limit; return what stood before."""
    async with store.write() as tx:
        held = await throttles.hold(tx, MARKS, now_s=now_s, window_s=WINDOW_S)
        if held[0].failures >= limit:
            return None
        await throttles.count(tx, held, now_s=now_s)
        return held


async def _counts(store: Store, *, now_s: float = NOW_S) -> list[int]:
    async with store.write() as tx:
        held = await throttles.hold(tx, MARKS, now_s=now_s, window_s=WINDOW_S)
    return [counter.failures for counter in held]


async def test_a_hundred_guesses_at_once_are_counted_one_by_one(store: Store) -> None:
    """AUTH-05: of a hundred parallel guesses exactly as many pass as one after the other."""
    outcomes = await asyncio.gather(*(_fail(store, limit=7) for _ in range(100)))

    passed = sorted(held[0].failures for held in outcomes if held is not None)
    assert passed == list(range(7))
    assert await _counts(store) == [7, 7, 7]


async def test_what_stood_before_is_told(store: Store) -> None:
    """Count and time of the last failure are what the growing waits are made from."""
    await _fail(store, now_s=NOW_S)
    await _fail(store, now_s=NOW_S + 5)
    held = await _fail(store, now_s=NOW_S + 9)

    assert held is not None
    assert [(c.mark.kind, c.failures, c.last_failure_at_s) for c in held] == [
        (ThrottleKind.PAIR, 2, NOW_S + 5),
        (ThrottleKind.USER, 2, NOW_S + 5),
        (ThrottleKind.ADDRESS, 2, NOW_S + 5),
    ]


async def test_a_window_begins_with_its_first_failure(store: Store) -> None:
    """Once the window is over, the count begins anew."""
    await _fail(store)
    await _fail(store, now_s=NOW_S + 3000)

    assert await _counts(store, now_s=NOW_S + WINDOW_S - 1) == [2, 2, 2]
    assert await _counts(store, now_s=NOW_S + WINDOW_S) == [0, 0, 0]


async def test_a_window_does_not_begin_with_what_was_no_failure(store: Store) -> None:
    """A login that was forgiven long ago takes nothing from the window of a failure."""
    held = await _fail(store)
    assert held is not None
    async with store.write() as tx:
        await throttles.forgive(tx, held, counted_at_s=NOW_S)
    await _fail(store, now_s=NOW_S + 3000)

    assert await _counts(store, now_s=NOW_S + WINDOW_S) == [1, 1, 1]
    assert await _counts(store, now_s=NOW_S + 3000 + WINDOW_S) == [0, 0, 0]


async def test_a_clock_set_back_is_believed(store: Store) -> None:
    """What happened later than now happened now: neither wait nor window lasts any longer."""
    await _fail(store)
    before_s = NOW_S - 1_000_000
    first = await _fail(store, now_s=before_s)

    assert first is not None
    assert [(c.failures, c.last_failure_at_s) for c in first] == [(1, before_s)] * 3
    assert await _counts(store, now_s=before_s + WINDOW_S - 1) == [2, 2, 2]
    assert await _counts(store, now_s=before_s + WINDOW_S) == [0, 0, 0]


async def test_a_success_clears_the_pair_and_is_no_failure_of_the_others(store: Store) -> None:
    """The counted login is taken back from user and address, with its time."""
    await _fail(store)
    held = await _fail(store, now_s=NOW_S + 9)
    assert held is not None
    async with store.write() as tx:
        await throttles.clear(tx, [held[0].mark])
        await throttles.forgive(tx, held[1:], counted_at_s=NOW_S + 9)
    after = await _fail(store, now_s=NOW_S + 10)

    assert after is not None
    assert [(c.failures, c.last_failure_at_s) for c in after] == [(0, 0), (1, NOW_S), (1, NOW_S)]


async def test_forgiving_keeps_a_failure_that_came_after(store: Store) -> None:
    """Only the counted login is taken back, and a count never falls below none."""
    held = await _fail(store)
    assert held is not None
    await _fail(store, now_s=NOW_S + 1)
    async with store.write() as tx:
        for _ in range(3):
            await throttles.forgive(tx, held, counted_at_s=NOW_S)
    after = await _fail(store, now_s=NOW_S + 2)

    assert after is not None
    assert [(c.failures, c.last_failure_at_s) for c in after] == [(0, NOW_S + 1)] * 3


async def test_unlocking_a_user_leaves_the_address(store: Store) -> None:
    """``users unlock`` clears the user's own counter and their pairs, from wherever."""
    await _fail(store)
    async with store.write() as tx:
        assert await throttles.clear_user(tx, "alice") == 2

    assert await _counts(store) == [0, 0, 1]


async def test_unlocking_and_counting_do_not_wait_for_each_other(store: Store) -> None:
    """Both lock the pairs before the user; else the database would end one of them."""

    async def unlock() -> None:
        async with store.write() as tx:
            await throttles.clear_user(tx, "alice")

    for _ in range(10):
        await asyncio.gather(*(job for _ in range(5) for job in (_fail(store), unlock())))
    await unlock()

    assert await _counts(store) == [0, 0, 50]


@pytest.mark.parametrize("name", ["", "\0", "\ud800", "x" * 1_000_000, "hunter2 in the name field"])
async def test_any_name_can_be_counted_and_none_is_kept(store: Store, name: str) -> None:
    """What is typed where the name belongs may be a password: only a digest is kept."""
    async with store.write() as tx:
        await throttles.hold(tx, marks_of(name, "::1"), now_s=NOW_S, window_s=WINDOW_S)
        rows = repr(await tx.rows(select(table)))

    assert "hunter2" not in rows


async def test_marks_tell_users_and_addresses_apart() -> None:
    """No two logins share a counter because their names and addresses run together."""
    one, other = marks_of("ab", "c"), marks_of("a", "bc")

    assert not {mark.key_hash for mark in one} & {mark.key_hash for mark in other}


async def test_old_counters_are_deleted(store: Store) -> None:
    """A purge leaves what was counted lately."""
    await _fail(store)
    async with store.write() as tx:
        assert await throttles.purge(tx, before_s=NOW_S) == 0
        assert await throttles.purge(tx, before_s=NOW_S + 1) == 3


async def test_a_known_address_is_known_for_a_time(store: Store) -> None:
    """Where a user has logged in is remembered for that user, until it is forgotten."""
    async with store.write() as tx:
        await throttles.remember_address(tx, "alice", "::1", now_s=NOW_S - 5)
        await throttles.remember_address(tx, "alice", "::1", now_s=NOW_S)
        known = [
            await throttles.is_known_address(tx, name, address, since_s=since_s)
            for name, address, since_s in (
                ("alice", "::1", NOW_S),
                ("alice", "::1", NOW_S + 1),
                ("alice", "::2", NOW_S),
                ("alice", "\0", NOW_S),
                ("bob", "::1", NOW_S),
            )
        ]
        assert await throttles.purge_addresses(tx, before_s=NOW_S) == 0
        assert await throttles.purge_addresses(tx, before_s=NOW_S + 1) == 1

    assert known == [True, False, False, False, False]
