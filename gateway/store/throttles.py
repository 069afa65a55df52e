"""Failed logins, counted exactly however many processes count; and where logins have succeeded.

A login is counted before its password is looked at, in one transaction::

    async with store.write() as tx:
        before = await throttles.hold(tx, marks, now_s=now_s, window_s=...)
        if <the caller's rule lets it through, by the counts of *before*>:
            await throttles.count(tx, before, now_s=now_s)

so that of a hundred guesses at once no more are verified than one after the other. What is counted
for a login that then succeeds is taken back with ``forgive`` or ``clear``.

The rule to keep in mind: only digests of names and addresses are kept. People type passwords where
their name belongs, and whoever attacks fills this table with any text at all.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, case, delete, or_, select, tuple_, update

from gateway.store.engine import Reading, Writing
from gateway.store.tables import known_addresses, throttles
from gateway.store.text import is_storable


class ThrottleKind(StrEnum):
    """What failures are counted by."""

    PAIR = "pair"  # (user, address)
    USER = "user"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Mark:
    """One counter that a login concerns. Made by ``marks_of``."""

    kind: ThrottleKind
    key_hash: bytes
    user_hash: bytes | None  # whose ``clear_user`` clears it


@dataclass(frozen=True, slots=True)
class Counter:
    """What a mark stood at."""

    mark: Mark
    failures: int
    last_failure_at_s: float  # 0 where there were none


def marks_of(canonical_username: str, address: str) -> list[Mark]:
    """Return the three marks of a login, in the order of ``ThrottleKind``."""
    user, place = _digest(canonical_username), _digest(address)
    pair = hashlib.sha256(user + place).digest()
    return [
        Mark(ThrottleKind.PAIR, pair, user),
        Mark(ThrottleKind.USER, user, user),
        Mark(ThrottleKind.ADDRESS, place, None),
    ]


async def hold(
    tx: Writing, marks: Sequence[Mark], *, now_s: float, window_s: float
) -> list[Counter]:
    """Return what *marks* stand at, in their order; nobody else counts until the transaction ends.

    Args:
        tx: The transaction.
        marks: Each kind at most once.
        now_s: The time.
        window_s: A window begins with its first failure; once so much time has passed, the count
            begins anew.

    Times that are still to come become *now_s*: the clock was set back, and no wait may last until
    it has caught up.
    """
    ordered = sorted(marks, key=lambda mark: mark.kind)  # one order of locks: no deadlock
    statement = tx.insert(throttles).values(
        [
            {
                "kind": mark.kind.value,
                "key_hash": mark.key_hash,
                "user_hash": mark.user_hash,
                "failures": 0,
                "window_from_s": now_s,
                "last_failure_at_s": 0.0,
            }
            for mark in ordered
        ]
    )
    old, new = throttles.c, statement.excluded
    over = old.window_from_s <= now_s - window_s
    unbegun = or_(over, old.failures == 0, old.window_from_s > new.window_from_s)
    # An upsert, since a row that is not there cannot be locked.
    held = statement.on_conflict_do_update(
        index_elements=[old.kind, old.key_hash],
        set_={
            "failures": case((over, 0), else_=old.failures),
            "window_from_s": case((unbegun, new.window_from_s), else_=old.window_from_s),
            "last_failure_at_s": case(
                (over, 0.0),
                (old.last_failure_at_s > new.window_from_s, new.window_from_s),
                else_=old.last_failure_at_s,
            ),
        },
    ).returning(old.kind, old.failures, old.last_failure_at_s)
    found = {row.kind: row for row in await tx.rows(held)}
    return [
        Counter(mark, found[mark.kind].failures, found[mark.kind].last_failure_at_s)
        for mark in marks
    ]


async def look(
    tx: Reading, marks: Sequence[Mark], *, now_s: float, window_s: float
) -> list[Counter]:
    """Return what *marks* stand at, those left out that ``hold`` would begin anew or set right."""
    old = throttles.c
    columns = (old.kind, old.failures, old.window_from_s, old.last_failure_at_s)
    rows = await tx.rows(select(*columns).where(or_(*map(_is, marks))))
    by_kind = {mark.kind.value: mark for mark in marks}
    return [
        Counter(by_kind[row.kind], row.failures, row.last_failure_at_s)
        for row in rows
        if now_s - window_s < row.window_from_s <= now_s and row.last_failure_at_s <= now_s
    ]


async def count(tx: Writing, held: Sequence[Counter], *, now_s: float) -> None:
    """Count one failure on each of the counters that this transaction holds."""
    for counter in held:
        values = {"failures": throttles.c.failures + 1, "last_failure_at_s": now_s}
        await tx.execute(update(throttles).where(_is(counter.mark)).values(values))


async def forgive(tx: Writing, held: Sequence[Counter], *, counted_at_s: float) -> None:
    """Take back what ``count`` counted at *counted_at_s*: the login was none of the failed ones.

    The time of the last failure is put back too, unless another failure came after; otherwise those
    who log in well would lengthen the waits of their address.
    """
    for counter in sorted(held, key=lambda each: each.mark.kind):
        last = throttles.c.last_failure_at_s
        values = {
            "failures": throttles.c.failures - 1,
            "last_failure_at_s": case(
                (last == counted_at_s, counter.last_failure_at_s), else_=last
            ),
        }
        counted = update(throttles).where(_is(counter.mark), throttles.c.failures > 0)
        await tx.execute(counted.values(values))


async def clear(tx: Writing, marks: Sequence[Mark]) -> None:
    """Forget the failures of *marks*."""
    for mark in sorted(marks, key=lambda each: each.kind):
        await tx.execute(delete(throttles).where(_is(mark)))


async def clear_unused(tx: Writing, marks: Sequence[Mark]) -> None:
    """Forget those of *marks* that stand at no failure: they say nothing."""
    for mark in sorted(marks, key=lambda each: each.kind):
        await tx.execute(delete(throttles).where(_is(mark), throttles.c.failures == 0))


async def clear_user(tx: Writing, canonical_username: str) -> int:
    """Forget all failures of a user, from wherever; return how many counters there were."""
    of_user = delete(throttles).where(throttles.c.user_hash == _digest(canonical_username))
    # In the order in which ``hold`` locks.
    pairs = await tx.execute(of_user.where(throttles.c.kind == ThrottleKind.PAIR.value))
    return pairs + await tx.execute(of_user.where(throttles.c.kind == ThrottleKind.USER.value))


async def purge(tx: Writing, *, before_s: float) -> int:
    """Delete the counters whose window began, and whose last failure was, before *before_s*.

    Those that a login holds are left for the next time: waiting for them, in whatever order they
    come, could be waiting for each other.
    """
    old = throttles.c
    over = select(old.kind, old.key_hash).where(
        old.window_from_s < before_s, old.last_failure_at_s < before_s
    )
    chosen = tuple_(old.kind, old.key_hash).in_(over.with_for_update(skip_locked=True))
    return await tx.execute(delete(throttles).where(chosen))


async def remember_address(
    tx: Writing, canonical_username: str, address: str, *, now_s: float
) -> None:
    """Remember that the user has logged in from there."""
    values = {
        "user_hash": _digest(canonical_username),
        "address": address,
        "last_login_at_s": now_s,
    }
    statement = tx.insert(known_addresses).values(values)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=[known_addresses.c.user_hash, known_addresses.c.address],
            set_={"last_login_at_s": statement.excluded.last_login_at_s},
        )
    )


async def is_known_address(
    tx: Reading, canonical_username: str, address: str, *, since_s: float
) -> bool:
    """Whether the user has logged in from there, at *since_s* or later."""
    if not is_storable(address):
        return False
    found = await tx.row(
        select(known_addresses.c.last_login_at_s).where(
            known_addresses.c.user_hash == _digest(canonical_username),
            known_addresses.c.address == address,
            known_addresses.c.last_login_at_s >= since_s,
        )
    )
    return found is not None


async def purge_addresses(tx: Writing, *, before_s: float) -> int:
    """Forget the addresses where the last login came before *before_s*."""
    old = known_addresses.c.last_login_at_s < before_s
    return await tx.execute(delete(known_addresses).where(old))


def _is(mark: Mark) -> ColumnElement[bool]:
    return and_(throttles.c.kind == mark.kind.value, throttles.c.key_hash == mark.key_hash)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
