"""Sessions: one login each, with the family of refresh tokens that comes of it.

The rule to keep in mind: a session that has ended never comes back, and ending it is one row; its
refresh tokens need no word, for none of them counts without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, insert, select, update

from gateway.store.engine import AnyRow, Reading, Writing
from gateway.store.tables import refresh_tokens, sessions
from gateway.store.text import is_storable, shown
from gateway.store.tokens import digest_token

LISTED: Final = 1000  # of one user; a script that logs in for each request has a million
_SHOWN_CHARS: Final = 256  # of what a client says of itself; a browser's user agent has 130


class EndReason(StrEnum):
    """Why a session ended, for listings and the log."""

    LOGOUT = "logout"
    LOGOUT_ALL = "logout_all"
    REUSE = "reuse"  # a spent refresh token was presented again
    REVOKED = "revoked"  # by an operator
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 (not a password)
    USER_DISABLED = "user_disabled"
    USER_REMOVED = "user_removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One login."""

    id: str
    user_id: str
    created_at_s: float
    refreshed_at_s: float
    idle_expires_at_s: float  # sliding: each refresh moves it, up to the next
    expires_at_s: float  # absolute
    user_agent: str = ""
    address: str = ""
    ended_at_s: float | None = None
    end_reason: EndReason | None = None

    def is_live(self, now_s: float) -> bool:
        """Whether it can be refreshed."""
        return self.ended_at_s is None and now_s < min(self.idle_expires_at_s, self.expires_at_s)


async def start(tx: Writing, session: Session, refresh_token: str) -> None:
    """Keep a new session and the hash of its first refresh token.

    Args:
        tx: The transaction.
        session: The new session, with an id that was never used.
        refresh_token: Text with 256 random bits; only its hash is kept.
    """
    values = {
        "id": session.id,
        "user_id": session.user_id,
        "created_at_s": session.created_at_s,
        "refreshed_at_s": session.refreshed_at_s,
        "idle_expires_at_s": min(session.idle_expires_at_s, session.expires_at_s),
        "expires_at_s": session.expires_at_s,
        "user_agent": shown(session.user_agent, _SHOWN_CHARS),
        "address": shown(session.address, _SHOWN_CHARS),
    }
    await tx.execute(insert(sessions).values(values))
    token = {
        "token_hash": digest_token(refresh_token),
        "session_id": session.id,
        "issued_at_s": session.created_at_s,
    }
    await tx.execute(insert(refresh_tokens).values(token))


async def find(tx: Reading, session_id: str) -> Session | None:
    """Return the session of that id, live or not."""
    if not is_storable(session_id):
        return None
    row = await tx.row(select(sessions).where(sessions.c.id == session_id))
    return None if row is None else session_of(row)


async def list_of_user(
    tx: Reading, user_id: str, *, now_s: float, limit: int = LISTED
) -> list[Session]:
    """Return up to *limit* of a user's live sessions, the one that was used last first."""
    if not is_storable(user_id):
        return []
    statement = select(sessions).where(sessions.c.user_id == user_id, _live(now_s))
    statement = statement.order_by(sessions.c.refreshed_at_s.desc(), sessions.c.id)
    return [session_of(row) for row in await tx.rows(statement.limit(limit))]


async def list_page(
    tx: Reading, *, now_s: float, after: str = "", limit: int = 100
) -> list[Session]:
    """Return up to *limit* live sessions of all users by their ids, from *after* on."""
    statement = select(sessions).where(sessions.c.id > after, _live(now_s))
    rows = await tx.rows(statement.order_by(sessions.c.id).limit(limit))
    return [session_of(row) for row in rows]


async def end(
    tx: Writing, session_id: str, *, reason: EndReason, now_s: float, user_id: str | None = None
) -> Session | None:
    """End one session.

    Args:
        tx: The transaction.
        session_id: Which.
        reason: Why.
        now_s: The time.
        user_id: Whose it must be, where a user asks and no operator.

    Returns:
        The session as it is now; None where there is none that has not ended (of that user).
    """
    if not is_storable(session_id):
        return None
    chosen = sessions.c.id == session_id
    if user_id is not None:
        chosen = and_(chosen, sessions.c.user_id == user_id)
    ended = await _end(tx, chosen, reason, now_s)
    return ended[0] if ended else None


async def end_all(
    tx: Writing, user_id: str, *, reason: EndReason, now_s: float, but: str | None = None
) -> list[Session]:
    """End all sessions of a user, *but* perhaps one; return those that had not ended before."""
    chosen = sessions.c.user_id == user_id
    if but is not None:
        chosen = and_(chosen, sessions.c.id != but)
    return await _end(tx, chosen, reason, now_s)


async def purge(tx: Writing, *, before_s: float) -> int:
    """Delete the sessions, and their refresh tokens, whose absolute end came before *before_s*."""
    return await tx.execute(delete(sessions).where(sessions.c.expires_at_s < before_s))


async def _end(
    tx: Writing, chosen: ColumnElement[bool], reason: EndReason, now_s: float
) -> list[Session]:
    # Locked in one order, so that two who end all sessions of a user do not wait for each other.
    locked = select(sessions.c.id).where(chosen).order_by(sessions.c.id).with_for_update()
    statement = update(sessions).where(sessions.c.id.in_(locked), sessions.c.ended_at_s.is_(None))
    ended = statement.values(ended_at_s=now_s, end_reason=reason.value).returning(sessions)
    rows: Sequence[AnyRow] = await tx.rows(ended)
    return [session_of(row) for row in rows]


def _live(now_s: float) -> ColumnElement[bool]:
    return and_(
        sessions.c.ended_at_s.is_(None),
        sessions.c.expires_at_s > now_s,
        sessions.c.idle_expires_at_s > now_s,
    )


def session_of(row: AnyRow) -> Session:
    """Return the session that a row of the table is."""
    values = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)
    reason = values["end_reason"]
    values["end_reason"] = None if reason is None else EndReason(reason)
    return Session(**values)
