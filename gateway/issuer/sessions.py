"""Sessions as their users and operators see them: listed, and ended for good.

The rule to keep in mind: once an ending has returned, no process of this host lets a token of the
session in (``revoker``). Ending what has ended is no error: who asks again had no answer.
"""

from dataclasses import dataclass

from gateway.issuer.revoker import Revoker
from gateway.policy.tokens import VerifiedToken
from gateway.store import sessions
from gateway.store.engine import Store, Writing
from gateway.store.revocations import Revocation
from gateway.store.sessions import EndReason, Session
from gateway.store.text import is_storable


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Who ends a session, and when."""

    reason: EndReason
    now_s: float
    user_id: str | None = None  # whose it must be, where a user asks and no operator


class Sessions:
    """Lists and ends sessions."""

    __slots__ = ("_revoker", "_store")

    def __init__(self, store: Store, revoker: Revoker) -> None:
        self._store = store
        self._revoker = revoker

    async def log_out(self, token: VerifiedToken, now_s: float) -> None:
        """End the session that a verified token belongs to; a token without one ends alone.

        Raises:
            StoreUnavailableError: See ``Revoker.carry_out``.
        """
        claims = token.claims
        session_id, user_id = claims.get("sid"), claims["sub"]
        # One that was minted elsewhere may count for longer than ours do.
        expires_at_s = max(now_s, token.expires_at_s)

        async def work(tx: Writing) -> tuple[None, list[Revocation]]:
            if not isinstance(session_id, str) or not is_storable(session_id + user_id):
                return None, [self._revoker.of_token(claims["jti"], expires_at_s)]
            ended = await sessions.end(
                tx, session_id, reason=EndReason.LOGOUT, now_s=now_s, user_id=user_id
            )
            # Whether there is such a row or not: `token issue` makes tokens without.
            revoked = [self._revoker.of_session(session_id, expires_at_s)]
            if ended is not None:
                revoked.append(self._revoker.of_ended(ended, now_s))
            return None, revoked

        await self._revoker.carry_out(work)

    async def end(self, session_id: str, ending: Ending) -> bool:
        """End one session; False where there is none that has not ended (of that user).

        Raises:
            StoreUnavailableError: See ``Revoker.carry_out``.
        """

        async def work(tx: Writing) -> tuple[bool, list[Revocation]]:
            found = await sessions.find(tx, session_id)
            if found is None or ending.user_id not in (None, found.user_id):
                return False, []
            ended = await sessions.end(tx, session_id, reason=ending.reason, now_s=ending.now_s)
            return ended is not None, [self._revoker.of_ended(found, ending.now_s)]

        return await self._revoker.carry_out(work)

    async def end_all(self, user_id: str, ending: Ending) -> int:
        """End all sessions of a user, and all tokens issued until now; return how many there were.

        Raises:
            StoreUnavailableError: See ``Revoker.carry_out``.
        """

        async def work(tx: Writing) -> tuple[int, list[Revocation]]:
            now_s = ending.now_s
            ended = await sessions.end_all(tx, user_id, reason=ending.reason, now_s=now_s)
            return len(ended), self._revoker.of_all(user_id, ended, now_s)

        return await self._revoker.carry_out(work)

    async def list_of_user(self, user_id: str, now_s: float) -> list[Session]:
        """Return a user's live sessions, the one that was used last first."""
        async with self._store.read() as tx:
            return await sessions.list_of_user(tx, user_id, now_s=now_s)

    async def list_page(self, *, now_s: float, after: str = "", limit: int = 100) -> list[Session]:
        """Return up to *limit* live sessions of all users by their ids, from *after* on."""
        async with self._store.read() as tx:
            return await sessions.list_page(tx, now_s=now_s, after=after, limit=limit)
