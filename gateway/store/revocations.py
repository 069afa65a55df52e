"""Revocations: what no longer counts though it has not expired, each with a number that only grows.

A worker keeps all live ones in memory and asks for "all since" the last number (the epoch) that it
has seen; PostgreSQL tells it when to ask.

The rule to keep in mind: epochs become visible in their order. They are counted in one row, whose
lock is kept until the transaction ends; so ``add`` comes last in a transaction, when everything
else is locked already, and never waits for another while it holds what all wait for.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sqlalchemy import ColumnElement, case, delete, func, select, update

from gateway.store.engine import Reading, Store, Writing
from gateway.store.tables import revocation_epoch, revocations

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

CHANNEL: Final = "gateway_revocations"
PAGE_ROWS: Final = 1_000  # about 10 ms of the event loop; a million rows at start take 10 s
_INSERT_ROWS: Final = 1_000  # five parameters each; a statement of PostgreSQL takes 32,767


class RevocationKind(StrEnum):
    """What is revoked, by the claim that names it."""

    TOKEN = "jti"  # noqa: S105 (the name of a claim)
    SESSION = "sid"
    USER = "sub"  # the tokens from before a time


_KINDS: Final = {kind.value: kind for kind in RevocationKind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One thing that no longer counts."""

    kind: RevocationKind
    key: str  # the claim's value
    expires_at_s: float  # when the last token that it concerns has expired
    not_before_s: float | None = None  # USER only: tokens issued before then are meant
    epoch: int = 0  # given by ``add``


async def add(tx: Writing, added: Iterable[Revocation]) -> int:
    """Revoke; to be the last thing that a transaction does (see the rule above).

    Where something is revoked again, the later ``expires_at_s`` and ``not_before_s`` stand, with a
    new epoch.

    Returns:
        The epoch that these revocations have reached.
    """
    merged = _merge(added)
    if not merged:
        return await latest_epoch(tx)
    counted = update(revocation_epoch).values(epoch=revocation_epoch.c.epoch + len(merged))
    last: int = (await tx.rows(counted.returning(revocation_epoch.c.epoch)))[0].epoch
    numbered = [
        replace(revocation, epoch=last - len(merged) + index)
        for index, revocation in enumerate(merged, start=1)
    ]
    for first in range(0, len(numbered), _INSERT_ROWS):
        await tx.execute(_upsert(tx, numbered[first : first + _INSERT_ROWS]))
    if tx.is_postgresql:  # told to the others when, and only if, this transaction is committed
        await tx.row(select(func.pg_notify(CHANNEL, str(last))))
    return last


async def since(tx: Reading, epoch: int, *, limit: int = PAGE_ROWS) -> list[Revocation]:
    """Return up to *limit* revocations after *epoch*, in their order; 0 is before the first.

    The epoch of the last one is where to go on.
    """
    old = revocations.c
    columns = (old.kind, old.key, old.epoch, old.not_before_s, old.expires_at_s)
    after = select(*columns).where(old.epoch > epoch).order_by(old.epoch).limit(limit)
    return [
        Revocation(
            kind=_KINDS[kind],
            key=key,
            epoch=number,
            not_before_s=not_before_s,
            expires_at_s=expires_at_s,
        )
        for kind, key, number, not_before_s, expires_at_s in await tx.rows(after)
    ]


async def latest_epoch(tx: Reading) -> int:
    """Return the epoch of the newest revocation, expired or not.

    One below what a worker has seen means another database (restored from a backup): the worker
    reads all of it again.
    """
    row = await tx.row(select(revocation_epoch.c.epoch))
    return 0 if row is None else int(row.epoch)


async def purge(tx: Writing, *, now_s: float) -> int:
    """Delete what has expired: the tokens it concerned have expired too."""
    return await tx.execute(delete(revocations).where(revocations.c.expires_at_s <= now_s))


async def listen(store: Store, on_change: Callable[[], None]) -> None:
    """Call *on_change* whenever there may be news, until cancelled; PostgreSQL only.

    Returns at once where the database cannot notify (``Store.can_notify``). Called also when the
    connection was made anew, since what was notified meanwhile is lost. A poll stays the net under
    it: a connection can be dead without anybody having noticed.
    """
    await store.listen(CHANNEL, on_change)


def _merge(added: Iterable[Revocation]) -> list[Revocation]:
    """Return *added* with one entry for each thing: an upsert cannot touch a row twice."""
    merged: dict[tuple[str, str], Revocation] = {}
    for revocation in added:
        key = (revocation.kind, revocation.key)
        known = merged.get(key, revocation)
        times = [t for t in (known.not_before_s, revocation.not_before_s) if t is not None]
        merged[key] = replace(
            revocation,
            expires_at_s=max(known.expires_at_s, revocation.expires_at_s),
            not_before_s=max(times, default=None),
        )
    return [merged[key] for key in sorted(merged)]


def _upsert(tx: Writing, numbered: list[Revocation]) -> "sqlite.Insert | postgresql.Insert":
    statement = tx.insert(revocations).values(
        [
            {
                "kind": revocation.kind.value,
                "key": revocation.key,
                "epoch": revocation.epoch,
                "not_before_s": revocation.not_before_s,
                "expires_at_s": revocation.expires_at_s,
            }
            for revocation in numbered
        ]
    )
    new, old = statement.excluded, revocations.c
    return statement.on_conflict_do_update(
        index_elements=[old.kind, old.key],
        set_={
            "epoch": new.epoch,
            "not_before_s": _later(new.not_before_s, old.not_before_s),
            "expires_at_s": _later(new.expires_at_s, old.expires_at_s),
        },
    )


def _later(new: ColumnElement[float], old: ColumnElement[float]) -> ColumnElement[float]:
    """Return the greater of two, the other where one is NULL: MAX and GREATEST are not portable."""
    return case((old.is_(None), new), (new > old, new), else_=old)
