"""How failed logins are throttled: the rule, on the exact counters of ``gateway.store.throttles``.

::

    async with store.write() as tx:
        admitted = await admit(tx, username, address, now_s=now_s)

and then, once the password has been looked at, outside of any transaction: where it was right,
``forgive``; where nothing was looked at, ``take_back``; where it was wrong, nothing. The
transaction of ``admit`` is to be committed whatever it says.

The rule to keep in mind: a login has failed until it is forgiven. Whoever is killed in between, or
comes with a hundred guesses at once, has been counted.

A known address is one where the user has logged in; there only the pair counts, so that nobody who
attacks the name from elsewhere, or other names from there, keeps the true user out. The price: who
has used up an address can learn from a 401 in place of a 429 that a user is known there.
"""

import ipaddress
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway.policy.peers import find_address
from gateway.policy.users import canonical_username
from gateway.store import throttles
from gateway.store.engine import Reading, Writing
from gateway.store.throttles import Counter, ThrottleKind

WINDOW_S: Final = 24 * 3600  # failures count so long; ``throttles.purge`` what began before
KNOWN_ADDRESS_S: Final = 90 * 24 * 3600  # since the last login; a long holiday, then some
_IPV6_PREFIX: Final = 64  # one subscriber has at least so much (RFC 6177)
_MAX_DOUBLINGS: Final = 16  # beyond every longest wait, below every number that is slow to make


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """From which failure on there is a wait: 1 s, twice as long after each further one."""

    free: int  # failures that cost no wait
    longest_wait_s: int


RULES: Final = {
    # fail2ban: maxretry 5. In 15 minutes a person has found the right one, or asks for help.
    ThrottleKind.PAIR: Rule(free=5, longest_wait_s=15 * 60),
    # OWASP ASVS 4.0 2.2.1: at most 100 failures an hour on one account; a test counts them. No
    # longer than a minute, since a true user at a new address waits it too.
    ThrottleKind.USER: Rule(free=30, longest_wait_s=60),
    # A school or a company sits behind one address, and all of it mistypes.
    ThrottleKind.ADDRESS: Rule(free=60, longest_wait_s=5 * 60),
}


@dataclass(frozen=True, slots=True)
class Ticket:
    """A login that may be tried, and what has been counted for it."""

    username: str = field(repr=False)  # canonical; people type passwords here
    place: str
    held: tuple[Counter, ...]  # what stood before; pair, user, address
    counted_at_s: float


@dataclass(frozen=True, slots=True)
class Wait:
    """A login that may not be tried yet."""

    seconds: int  # whole and at least 1, for Retry-After


async def admit(tx: Writing, username: str, address: str, *, now_s: float) -> Ticket | Wait:
    """Count a login as failed and let it be tried; or count nothing and say how long to wait.

    Args:
        tx: The transaction.
        username: As the client typed it; whether there is such a user makes no difference.
        address: The client's, as text. Those without a readable one are counted together.
        now_s: The time.
    """
    user, place = canonical_username(username), place_of(address)
    marks = throttles.marks_of(user, place)
    held = await throttles.hold(tx, marks, now_s=now_s, window_s=WINDOW_S)
    since_s = now_s - KNOWN_ADDRESS_S
    is_known = await throttles.is_known_address(tx, user, place, since_s=since_s)
    wait_s = plan_wait(held, is_known=is_known, now_s=now_s)
    if wait_s:
        # A refusal costs its sender nothing, so it must not leave rows behind either.
        await throttles.clear(tx, [counter.mark for counter in held if not counter.failures])
        return Wait(wait_s)
    await throttles.count(tx, held, now_s=now_s)
    return Ticket(user, place, tuple(held), now_s)


async def find_wait(tx: Reading, username: str, address: str, *, now_s: float) -> Wait | None:
    """Return how long a login has to wait, if that is seen without counting; else ``admit`` says.

    Whoever has to wait and comes all the same must cost nobody else a turn at the database: only
    one transaction writes at a time (in SQLite), and logouts are among those that wait for it.
    """
    user, place = canonical_username(username), place_of(address)
    marks = throttles.marks_of(user, place)
    seen = await throttles.look(tx, marks, now_s=now_s, window_s=WINDOW_S)
    if not any(_wait_s(counter, now_s) for counter in seen):
        return None
    since_s = now_s - KNOWN_ADDRESS_S
    is_known = await throttles.is_known_address(tx, user, place, since_s=since_s)
    wait_s = plan_wait(seen, is_known=is_known, now_s=now_s)
    return Wait(wait_s) if wait_s else None


async def forgive(tx: Writing, ticket: Ticket, *, now_s: float) -> None:
    """The login succeeded: clear its pair, and it was no failure of the user or the address."""
    pair, user, address = ticket.held
    # In the order in which ``hold`` locks, so that no two logins wait for each other.
    await throttles.forgive(tx, [address], counted_at_s=ticket.counted_at_s)
    await throttles.clear(tx, [pair.mark])
    await throttles.forgive(tx, [user], counted_at_s=ticket.counted_at_s)
    await throttles.remember_address(tx, ticket.username, ticket.place, now_s=now_s)


async def take_back(tx: Writing, ticket: Ticket) -> None:
    """Nothing was checked: it is as if the login had not come, and it leaves no rows behind."""
    await throttles.forgive(tx, ticket.held, counted_at_s=ticket.counted_at_s)
    await throttles.clear_unused(tx, [counter.mark for counter in ticket.held])


async def unlock(tx: Writing, username: str) -> int:
    """Forget all failures of a user, from wherever; return how many counters there were."""
    return await throttles.clear_user(tx, canonical_username(username))


def plan_wait(held: Iterable[Counter], *, is_known: bool, now_s: float) -> int:
    """Return how many seconds a login has to wait; 0 where it may be tried now.

    Args:
        held: What its counters stand at.
        is_known: Whether its user has logged in from there; then only the pair counts.
        now_s: The time.
    """
    waits = [
        _wait_s(counter, now_s)
        for counter in held
        if counter.mark.kind is ThrottleKind.PAIR or not is_known
    ]
    return math.ceil(max(waits, default=0.0))


def place_of(address: str) -> str:
    """Return what an address is counted as: itself, of IPv6 its /64; nothing if unreadable."""
    found = find_address(address)
    if isinstance(found, ipaddress.IPv6Address):  # by number, since it may have a scope
        return str(ipaddress.IPv6Network((int(found), _IPV6_PREFIX), strict=False))
    return str(found or "")


def _wait_s(counter: Counter, now_s: float) -> float:
    rule = RULES[counter.mark.kind]
    above = counter.failures - rule.free
    if above < 0:
        return 0.0
    wait_s = min(1 << min(above, _MAX_DOUBLINGS), rule.longest_wait_s)
    passed_s = max(0.0, now_s - counter.last_failure_at_s)  # the clock may have been set back
    return max(0.0, wait_s - passed_s)
