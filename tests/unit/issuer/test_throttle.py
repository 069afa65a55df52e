"""Who has guessed often enough waits; who has logged in from there before is never kept out."""

import asyncio
from itertools import product
from typing import Final

import pytest
from sqlalchemy import func, select

from gateway.issuer.throttle import (
    KNOWN_ADDRESS_S,
    RULES,
    WINDOW_S,
    Ticket,
    Wait,
    admit,
    find_wait,
    forgive,
    place_of,
    plan_wait,
    take_back,
    unlock,
)
from gateway.store import tables
from gateway.store.engine import Store
from gateway.store.migrate import open_store
from gateway.store.throttles import Counter, Mark, ThrottleKind
from tests.kit.stores import NOW_S

HOME: Final = "203.0.113.7"
PAIR, USER, ADDRESS = ThrottleKind
FREE: Final = RULES[PAIR].free
LONG_S: Final = 3600.0  # longer than any wait


def _counter(kind: ThrottleKind, failures: int, *, last_s: float = NOW_S) -> Counter:
    return Counter(Mark(kind, b"", None), failures, last_s)


@pytest.mark.parametrize(
    ("kind", "failures", "wait_s"),
    [
        *((PAIR, n, 0) for n in range(5)),
        *((PAIR, 5 + n, 2**n) for n in range(10)),  # 1 s to 512 s
        *((PAIR, n, 900) for n in (15, 16, 100, 2**31 - 1)),
        *((USER, n, 0) for n in (0, 29)),
        *((USER, 30 + n, 2**n) for n in range(6)),  # 1 s to 32 s
        *((USER, n, 60) for n in (36, 37, 2**31 - 1)),
        *((ADDRESS, n, 0) for n in (0, 59)),
        *((ADDRESS, 60 + n, 2**n) for n in range(9)),  # 1 s to 256 s
        *((ADDRESS, n, 300) for n in (69, 70, 2**31 - 1)),
    ],
)
def test_waits_double_from_a_second_to_the_longest(
    kind: ThrottleKind, failures: int, wait_s: int
) -> None:
    """DESIGN.md section 9: some failures are free, and each further one doubles the wait."""
    held = [_counter(kind, failures), _counter(PAIR, 0, last_s=0)]

    assert plan_wait(held, is_known=False, now_s=NOW_S) == wait_s


@pytest.mark.parametrize(
    ("passed_s", "wait_s"),
    [
        pytest.param(-1_000_000, 8, id="clock-set-back"),
        pytest.param(0, 8, id="now"),
        pytest.param(0.5, 8, id="rounded-up"),
        pytest.param(7, 1, id="almost-over"),
        pytest.param(7.75, 1, id="less-than-a-second"),
        pytest.param(8, 0, id="over"),
        pytest.param(1_000_000, 0, id="long-over"),
    ],
)
def test_a_wait_is_counted_from_the_last_failure(passed_s: float, wait_s: int) -> None:
    """Whole seconds, after which the login is let through; never longer than the wait itself."""
    held = [_counter(PAIR, 8)]

    assert plan_wait(held, is_known=False, now_s=NOW_S + passed_s) == wait_s


def test_the_longest_wait_counts() -> None:
    """Of three counters each can make a login wait; from a known address only the pair."""
    held = [_counter(PAIR, 6), _counter(USER, 34), _counter(ADDRESS, 68)]

    assert plan_wait(held, is_known=False, now_s=NOW_S) == 256
    assert plan_wait(held[:2], is_known=False, now_s=NOW_S) == 16
    assert plan_wait(held, is_known=True, now_s=NOW_S) == 2


@pytest.mark.parametrize(("kind", "at_most"), [(PAIR, 20), (USER, 100), (ADDRESS, 100)])
def test_an_hour_is_not_enough_for_many_guesses(kind: ThrottleKind, at_most: int) -> None:
    """OWASP ASVS 4.0 2.2.1: no more than 100 failures an hour on one account."""
    failures, passed_s, last_s = 0, 0, NOW_S
    while passed_s < 3600:
        held = [_counter(kind, failures, last_s=last_s)]
        wait_s = plan_wait(held, is_known=False, now_s=NOW_S + passed_s)
        failures, passed_s = (failures, passed_s + wait_s) if wait_s else (failures + 1, passed_s)
        last_s = last_s if wait_s else NOW_S + passed_s

    assert failures <= at_most


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:", ""),
        ("\0", ""),
    ],
)
def test_an_address_counts_by_what_one_subscriber_has(address: str, place: str) -> None:
    """IPv6 by its /64; mapped IPv4 as itself; what is no address as nothing."""
    assert place_of(address) == place


async def _try(
    store: Store, username: str = "alice", address: str = HOME, *, now_s: float = NOW_S
) -> Ticket | Wait:
    async with store.write() as tx:
        return await admit(tx, username, address, now_s=now_s)


async def _log_in(store: Store, username: str, address: str, *, now_s: float = NOW_S) -> None:
    ticket = await _try(store, username, address, now_s=now_s)
    assert isinstance(ticket, Ticket)
    async with store.write() as tx:
        await forgive(tx, ticket, now_s=now_s)


async def _fail(store: Store, username: str, address: str, *, times: int = FREE) -> None:
    for _ in range(times):
        assert isinstance(await _try(store, username, address), Ticket)


@pytest.mark.anyio
async def test_of_a_hundred_guesses_at_once_the_free_ones_are_tried(store: Store) -> None:
    """AUTH-05: in one tick no more are verified than one after the other."""
    outcomes = await asyncio.gather(*(_try(store) for _ in range(100)))

    assert sum(isinstance(outcome, Ticket) for outcome in outcomes) == FREE
    assert outcomes.count(Wait(1)) == 100 - FREE


@pytest.mark.anyio
async def test_each_failure_after_the_free_ones_doubles_the_wait(store: Store) -> None:
    """A client that waits as told is let through; one that does not has moved nothing."""
    await _fail(store, "alice", HOME)
    now_s, waits = NOW_S, []
    for _ in range(12):
        refused = await _try(store, now_s=now_s)
        assert isinstance(refused, Wait)
        assert await _try(store, now_s=now_s) == refused
        waits.append(refused.seconds)
        now_s += refused.seconds
        assert isinstance(await _try(store, now_s=now_s), Ticket)

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


@pytest.mark.anyio
async def test_a_refusal_leaves_nothing_behind(store: Store) -> None:
    """Whoever is refused fills no table, and counts against no other user."""
    for n in range(RULES[ADDRESS].free):
        await _fail(store, f"user-{n}", HOME, times=1)
    refused = [await _try(store, f"another-{n}") for n in range(20)]
    async with store.read() as tx:
        row = await tx.row(select(func.count()).select_from(tables.throttles))

    assert refused == [Wait(1)] * 20
    assert row is not None
    assert row[0] == 2 * RULES[ADDRESS].free + 1
    assert isinstance(await _try(store, "another-0", "198.51.100.1"), Ticket)


@pytest.mark.anyio
async def test_all_spellings_of_a_name_share_a_counter(store: Store) -> None:
    """AUTH-04: there is one canonical form, and guesses are counted under it."""
    names = ["Alice", "alice ", "ALICE", "\uff41\uff4c\uff49\uff43\uff45", "\u2003aLiCe"]
    assert len(names) == FREE
    for name in names:
        assert isinstance(await _try(store, name), Ticket)

    assert await _try(store, "alice") == Wait(1)
    assert isinstance(await _try(store, "alice2"), Ticket)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["nobody", "", "\0", "\ud800", "x" * 65_536])
async def test_any_name_counts(store: Store, name: str) -> None:
    """Whether there is such a user is not asked, so that it cannot be learnt."""
    await _fail(store, name, HOME)

    assert await _try(store, name) == Wait(1)


@pytest.mark.anyio
async def test_an_ipv6_network_is_one_address(store: Store) -> None:
    """A subscriber has 2**64 addresses; where one of them has logged in, all are known."""
    for n in range(FREE):
        assert isinstance(await _try(store, "alice", f"2001:db8::{n:x}"), Ticket)

    assert await _try(store, "alice", "2001:db8::ffff") == Wait(1)
    await _log_in(store, "alice", "2001:db8:0:1::1")
    await _fail_from_everywhere(store, "alice")
    assert isinstance(await _try(store, "alice", "2001:db8:0:1::2"), Ticket)


async def _fail_from_everywhere(store: Store, username: str) -> None:
    """Guess until the user waits at any new address."""
    for n in range(RULES[USER].free):
        await _try(store, username, f"198.18.0.{n}")
    assert isinstance(await _try(store, username, "198.18.1.1"), Wait)


@pytest.mark.anyio
async def test_the_true_user_gets_in_while_a_thousand_addresses_guess(store: Store) -> None:
    """AUTH-03: the name is throttled for all but those who have logged in from there."""
    await _log_in(store, "alice", HOME)
    now_s, minute_s = NOW_S, RULES[USER].longest_wait_s
    for network in range(20):  # in one transaction they would take too long
        async with store.write() as tx:
            for host in range(50):
                now_s += minute_s
                guess = await admit(tx, "alice", f"198.18.{network}.{host}", now_s=now_s)
                assert isinstance(guess, Ticket)  # they wait as told

    assert await _try(store, "alice", "192.0.2.1", now_s=now_s) == Wait(minute_s)
    await _log_in(store, "alice", HOME, now_s=now_s)
    assert await _try(store, "alice", "192.0.2.1", now_s=now_s) == Wait(minute_s)


@pytest.mark.anyio
async def test_the_true_user_gets_in_while_others_are_attacked_from_there(store: Store) -> None:
    """Behind one address sit many; its failures keep out who was never let in from there."""
    await _log_in(store, "alice", HOME)
    for n in range(RULES[ADDRESS].free):
        await _fail(store, f"user-{n}", HOME, times=1)

    assert await _try(store, "bob") == Wait(1)
    await _log_in(store, "alice", HOME)


@pytest.mark.anyio
async def test_at_a_known_address_the_pair_counts(store: Store) -> None:
    """Who shares the true user's address cannot guess without end."""
    await _log_in(store, "alice", HOME)
    await _fail(store, "alice", HOME)

    assert await _try(store) == Wait(1)


@pytest.mark.anyio
async def test_an_address_is_known_for_a_time(store: Store) -> None:
    """After the last login from there by ``KNOWN_ADDRESS_S`` it is like any other."""
    await _log_in(store, "alice", HOME, now_s=NOW_S - KNOWN_ADDRESS_S)
    await _log_in(store, "alice", "192.0.2.1", now_s=NOW_S - KNOWN_ADDRESS_S - 1)
    await _fail_from_everywhere(store, "alice")

    assert isinstance(await _try(store, "alice", "192.0.2.1"), Wait)
    assert isinstance(await _try(store, "alice", HOME), Ticket)


@pytest.mark.anyio
async def test_a_success_clears_the_pair_only(store: Store) -> None:
    """Neither the user's nor the address's failures are forgotten, and it is none of them."""
    await _fail(store, "alice", HOME, times=FREE - 1)
    await _fail(store, "alice", "198.51.100.1")
    await _log_in(store, "alice", HOME)
    ticket = await _try(store)

    assert isinstance(ticket, Ticket)
    counted = {counter.mark.kind: counter.failures for counter in ticket.held}
    assert counted == {PAIR: 0, USER: 2 * FREE - 1, ADDRESS: FREE - 1}
    assert await _try(store, "alice", "198.51.100.1") == Wait(1)


@pytest.mark.anyio
async def test_what_was_not_checked_does_not_count(store: Store) -> None:
    """When the hashing pool is full, the client may come again as if it had not come."""
    for _ in range(3 * FREE):
        ticket = await _try(store)
        assert isinstance(ticket, Ticket)
        async with store.write() as tx:
            await take_back(tx, ticket)
    async with store.read() as tx:
        assert await tx.rows(select(tables.throttles.c.kind)) == []


@pytest.mark.anyio
async def test_a_wait_is_seen_without_counting(store: Store) -> None:
    """What would be refused is refused by a look; what the look cannot tell, ``admit`` does.

    A last failure that is still to come shows a clock that was set back, which ``admit`` mends.
    """

    async def seen(address: str = HOME, now_s: float = NOW_S) -> Wait | None:
        async with store.read() as tx:
            return await find_wait(tx, "alice", address, now_s=now_s)

    assert await seen() is None
    await _fail(store, "alice", HOME)
    assert await seen("198.51.100.1") is None
    assert await seen() == await _try(store) == Wait(1)
    assert await seen(now_s=NOW_S + 1) is None
    assert await seen(now_s=NOW_S - 1) is None
    assert await seen(now_s=NOW_S + WINDOW_S) is None


@pytest.mark.anyio
async def test_logins_and_unlocks_at_once_do_not_wait_for_each_other(store: Store) -> None:
    """All lock the counters in one order; else the database would end some of them."""

    async def log_in() -> None:
        ticket = await _try(store)
        if isinstance(ticket, Ticket):
            async with store.write() as tx:
                await forgive(tx, ticket, now_s=NOW_S)

    async def free() -> None:
        async with store.write() as tx:
            await unlock(tx, "alice")

    for _ in range(10):
        await asyncio.gather(*(job for _ in range(5) for job in (log_in(), free())))


@pytest.mark.anyio
async def test_a_restart_forgets_nothing(store_url: str) -> None:
    """Failures and known addresses are in the database, whichever process counted them."""
    async with await open_store(store_url) as store:
        await _log_in(store, "bob", HOME)
        await _fail_from_everywhere(store, "bob")
        await _fail(store, "alice", HOME)
    async with await open_store(store_url) as store:
        assert await _try(store) == Wait(1)
        assert isinstance(await _try(store, "bob"), Ticket)


@pytest.mark.anyio
async def test_failures_are_forgotten_in_time(store: Store) -> None:
    """A window after the first of them the count begins anew."""
    await _fail(store, "alice", HOME)
    for now_s, failures in ((NOW_S + WINDOW_S - 1, FREE), (NOW_S + WINDOW_S, 0)):
        ticket = await _try(store, now_s=now_s)
        assert isinstance(ticket, Ticket)
        assert ticket.held[0].failures == failures


@pytest.mark.anyio
async def test_a_clock_set_back_does_not_lengthen_a_wait(store: Store) -> None:
    """The wait begins when the client next comes, and ends for one who keeps to it."""
    await _fail(store, "alice", HOME, times=FREE)
    then_s = NOW_S - 30 * LONG_S

    assert await _try(store, now_s=then_s) == Wait(1)
    assert isinstance(await _try(store, now_s=then_s + 1), Ticket)


@pytest.mark.anyio
async def test_unlocking_forgets_a_users_failures_everywhere(store: Store) -> None:
    """``users unlock``, in any spelling; what the addresses have on them stays."""
    places = [HOME, "198.51.100.1"]
    for place, _ in product(places, range(FREE)):
        await _try(store, "alice", place)
    await _fail(store, "bob", HOME)
    async with store.write() as tx:
        assert await unlock(tx, " ALICE") == 3
        assert await unlock(tx, "alice") == 0
    ticket = await _try(store)

    assert isinstance(ticket, Ticket)
    assert [counter.failures for counter in ticket.held] == [0, 0, 2 * FREE]
    assert isinstance(await _try(store, "bob"), Wait)


def test_a_ticket_shows_no_name() -> None:
    """People type their password where the name belongs, and a log may show a ticket."""
    assert "hunter2" not in repr(Ticket("hunter2", HOME, (), NOW_S))
