"""Revoking: what is written to the store and known to every process of this host before an answer.

The rule to keep in mind: first the store, then the table, then the answer. Killed between the first
two, the revocation stands in the store, every worker learns of it within a second (``sync``), and
the client has no answer that would say otherwise.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from math import floor
from typing import Final, TypeAlias, TypeVar

from gateway.issuer.revocation_table import RevocationTable
from gateway.issuer.shared_file import SharedFileError
from gateway.store import revocations
from gateway.store.engine import Store, Writing
from gateway.store.faults import StoreUnavailableError
from gateway.store.revocations import Revocation, RevocationKind
from gateway.store.sessions import Session

# How much longer a revocation lasts than what it ends: a token was issued by the clock of one host
# and is judged by that of another.
CLOCKS_APART_S: Final = 60.0

T = TypeVar("T")
Work: TypeAlias = Callable[[Writing], Awaitable[tuple[T, list[Revocation]]]]

log = logging.getLogger(__name__)


class Revoker:
    """Ends things for good.

    Args:
        store: Where revocations are kept.
        table: What the processes of this host know of them; None in a command, which is none of
            those processes: they hear of it within a second.
        token_lifetime_s: How long an access token can count after it was issued, with the leeway.
    """

    __slots__ = ("_store", "_table", "_token_lifetime_s")

    def __init__(
        self, store: Store, table: RevocationTable | None, *, token_lifetime_s: float
    ) -> None:
        self._store = store
        self._table = table
        self._token_lifetime_s = token_lifetime_s

    async def carry_out(self, work: Work[T]) -> T:
        """Run *work* in one transaction, revoke what it says, and return its result.

        Args:
            work: Changes the store; returns its result and what is to be revoked with it.

        Raises:
            StoreUnavailableError: Not done, or not yet known to all processes of this host: asking
                again is right, and everything here bears being done twice.
        """
        async with self._store.write() as tx:
            result, revoked = await work(tx)
            if revoked:
                await revocations.add(tx, revoked)  # the last statement, see there
        if revoked and self._table is not None:
            await self._publish(self._table, revoked)
        return result

    def of_session(self, session_id: str, last_issued_s: float) -> Revocation:
        """Return what makes the access tokens of a session count no more.

        Args:
            session_id: Which.
            last_issued_s: When the last of them was issued; now, where that is later.
        """
        expires_at_s = last_issued_s + self._token_lifetime_s + CLOCKS_APART_S
        return Revocation(kind=RevocationKind.SESSION, key=session_id, expires_at_s=expires_at_s)

    def of_ended(self, session: Session, now_s: float) -> Revocation:
        """Return what makes the access tokens of a session count no more that has just ended.

        It may have been used in what is the future by now, since the clock was set back.
        """
        last_issued_s = max(now_s, session.created_at_s, session.refreshed_at_s)
        return self.of_session(session.id, last_issued_s)

    def of_user(self, user_id: str, now_s: float) -> Revocation:
        """Return what makes all the tokens count no more that a user was issued up to *now_s*.

        Whole seconds, as ``iat`` has them: those of this second are meant too (THREATS SES-09).
        """
        return Revocation(
            kind=RevocationKind.USER,
            key=user_id,
            expires_at_s=now_s + self._token_lifetime_s + CLOCKS_APART_S,
            not_before_s=floor(now_s),
        )

    def of_all(self, user_id: str, ended: Iterable[Session], now_s: float) -> list[Revocation]:
        """Return what makes all tokens of a user count no more, whose sessions have just ended.

        The sessions are named too: one may have been refreshed beside this, a moment after *now_s*.
        """
        of_sessions = [self.of_ended(session, now_s) for session in ended]
        return [*of_sessions, self.of_user(user_id, now_s)]

    def of_token(self, token_id: str, expires_at_s: float) -> Revocation:
        """Return what makes one token count no more.

        Args:
            token_id: Its ``jti``.
            expires_at_s: The first second in which it does not count anyhow, leeway included.
        """
        expires_at_s += CLOCKS_APART_S
        return Revocation(kind=RevocationKind.TOKEN, key=token_id, expires_at_s=expires_at_s)

    def issuable_from_s(self, user_id: str) -> float:
        """Return the first second in which a token for this user is not revoked already."""
        until_s = self._table.revoked_until(user_id) if self._table is not None else None
        return 0.0 if until_s is None else until_s + 1.0

    async def _publish(self, table: RevocationTable, revoked: list[Revocation]) -> None:
        try:
            await asyncio.to_thread(table.add, revoked)  # it may wait for another writer
        except SharedFileError as error:
            log.error("a revocation is kept but not yet known to all workers: %s", error)  # noqa: TRY400
            raise StoreUnavailableError(str(error)) from error
