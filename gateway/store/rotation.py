"""Refresh: a token is spent, its successor takes its place, in the caller's one transaction.

What may happen to a presented token is decided by ``plan_rotation``, which is pure; the rest of the
module reads what it decides on, under the session's lock, and does what it says.

The rule to keep in mind: a family has one live token. Whoever presents a token that was just spent
is told the same successor, not another; later it means theft, and the whole session ends.

Source: RFC 9700 section 4.14.2.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, TypeAlias, assert_never

from sqlalchemy import delete, insert, select, update

from gateway.store.engine import Writing
from gateway.store.sessions import EndReason, Session, end, session_of
from gateway.store.tables import refresh_tokens, sessions
from gateway.store.tokens import digest_token, seal_successor, unseal_successor

GRACE_S: Final = 10.0  # DESIGN.md section 9: tabs that refresh side by side, answers that got lost
# Sealed successors are erased this long after the grace: the clocks of two hosts may differ by it.
# Once erased, an old token from a log opens nothing, even together with the database.
_SEAL_MARGIN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Rotated:
    """The presented token is spent; the successor counts. *session* is as it is now."""

    session: Session


@dataclass(frozen=True, slots=True)
class Replayed:
    """The presented token was spent just now; *successor* is what was answered then."""

    session: Session
    successor: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reused:
    """The presented token was spent long ago: somebody has a copy. The session has just ended."""

    session: Session


@dataclass(frozen=True, slots=True)
class Ended:
    """The session had ended before, as *session* says."""

    session: Session


@dataclass(frozen=True, slots=True)
class Expired:
    """The session was idle for too long, or has reached its absolute end."""

    session: Session


@dataclass(frozen=True, slots=True)
class Unknown:
    """No such token was ever issued, or its session is long gone."""


Rotation: TypeAlias = Rotated | Replayed | Reused | Ended | Expired | Unknown


@dataclass(frozen=True, slots=True)
class TokenState:
    """What decides on a presented token besides its session."""

    spent_at_s: float | None
    has_sealed_successor: bool


class Move(Enum):
    """What to do about a presented token."""

    ROTATE = auto()
    REPLAY = auto()
    END_SESSION = auto()
    REFUSE_ENDED = auto()
    REFUSE_EXPIRED = auto()


def plan_rotation(token: TokenState, session: Session, *, now_s: float) -> Move:
    """Decide about one presented token. Pure.

    A clock that was set back makes *now_s* less than ``spent_at_s``: that counts as just now, for
    otherwise each such correction would log people out.
    """
    if session.ended_at_s is not None:
        return Move.REFUSE_ENDED
    if not session.is_live(now_s):
        return Move.REFUSE_EXPIRED
    if token.spent_at_s is None:
        return Move.ROTATE
    if now_s - token.spent_at_s < GRACE_S and token.has_sealed_successor:
        return Move.REPLAY
    return Move.END_SESSION


async def rotate(
    tx: Writing, presented: str, successor: str, *, idle_s: float, now_s: float
) -> Rotation:
    """Take a refresh token and put *successor* in its place, if it may still be used.

    Args:
        tx: The transaction: nothing has happened until it is committed.
        presented: What the client sent; any text.
        successor: New text with 256 random bits, used where the answer is ``Rotated``.
        idle_s: How long the session may now stay idle, up to its absolute end.
        now_s: The time.
    """
    token_hash = digest_token(presented)
    # First the lock, then the look: what is read of the token is read after the others were done.
    found = await tx.row(
        select(sessions)
        .where(
            sessions.c.id
            == select(refresh_tokens.c.session_id)
            .where(refresh_tokens.c.token_hash == token_hash)
            .scalar_subquery()
        )
        .with_for_update()
    )
    token = await tx.row(
        select(refresh_tokens.c.spent_at_s, refresh_tokens.c.sealed_successor).where(
            refresh_tokens.c.token_hash == token_hash
        )
    )
    if found is None or token is None:
        return Unknown()
    session = session_of(found)
    state = TokenState(token.spent_at_s, token.sealed_successor is not None)
    match plan_rotation(state, session, now_s=now_s):
        case Move.ROTATE:
            return Rotated(await _spend(tx, session, (presented, successor), idle_s, now_s))
        case Move.REPLAY:
            sealed: bytes = token.sealed_successor
            return Replayed(
                session, unseal_successor(sealed, spent=presented, session_id=session.id)
            )
        case Move.END_SESSION:
            ended = await end(tx, session.id, reason=EndReason.REUSE, now_s=now_s)
            return Reused(ended or session)
        case Move.REFUSE_ENDED:
            return Ended(session)
        case Move.REFUSE_EXPIRED:
            return Expired(session)
        case move:
            assert_never(move)


async def purge_spent(tx: Writing, *, before_s: float) -> int:
    """Forget the tokens that were spent before *before_s*.

    Such a token is then unknown: refused as before, but it ends its session no more. A client that
    refreshes every 24 minutes leaves 60 spent tokens a day, so something has to be forgotten.
    """
    return await tx.execute(delete(refresh_tokens).where(refresh_tokens.c.spent_at_s < before_s))


async def _spend(
    tx: Writing, session: Session, tokens: tuple[str, str], idle_s: float, now_s: float
) -> Session:
    presented, successor = tokens
    sealed = seal_successor(successor, spent=presented, session_id=session.id)
    is_presented = refresh_tokens.c.token_hash == digest_token(presented)
    spending = update(refresh_tokens).where(is_presented)
    await tx.execute(spending.values(spent_at_s=now_s, sealed_successor=sealed))
    await tx.execute(
        insert(refresh_tokens).values(
            token_hash=digest_token(successor), session_id=session.id, issued_at_s=now_s
        )
    )
    await tx.execute(
        update(refresh_tokens)
        .where(
            refresh_tokens.c.session_id == session.id,
            refresh_tokens.c.sealed_successor.is_not(None),
            refresh_tokens.c.spent_at_s < now_s - GRACE_S - _SEAL_MARGIN_S,
        )
        .values(sealed_successor=None)
    )
    values = {
        # Never back, whatever the clock does: an ending looks here for the last token.
        "refreshed_at_s": max(now_s, session.refreshed_at_s),
        "idle_expires_at_s": min(now_s + idle_s, session.expires_at_s),
    }
    moved = update(sessions).where(sessions.c.id == session.id).values(values)
    rows = await tx.rows(moved.returning(sessions))
    return session_of(rows[0])
