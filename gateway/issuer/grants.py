"""What a session gives: tokens at its login, and the next pair at each refresh.

The rule to keep in mind: each of these is one transaction (``Revoker.carry_out``). Killed at any
point, the client can go on with what it has: a refresh token whose successor was never answered
gives the same successor once more.

Source: RFC 9700 section 4.14 (refresh token rotation and reuse detection).
"""

import asyncio
import logging
import secrets
from dataclasses import dataclass, field
from typing import Final, TypeAlias, assert_never

from gateway.errors import Reason
from gateway.issuer import throttle
from gateway.issuer.accounts import Accounts
from gateway.issuer.mint import AccessToken, Minter, make_id
from gateway.issuer.revoker import Revoker
from gateway.issuer.users import User
from gateway.store import rotation, sessions, users
from gateway.store.engine import Reading, Store, Writing
from gateway.store.revocations import Revocation
from gateway.store.sessions import EndReason, Session

REFRESH_TOKEN_BYTES: Final = 32  # 256 random bits
# A token issued in the second in which all of its user's tokens were revoked would be revoked too:
# a login waits for that second to end. After a change of roles it is 2 s later, and the clock of
# the host that revoked may be 2 s ahead of ours; what is longer is a clock that was set back.
_LONGEST_WAIT_S: Final = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long a session lasts."""

    idle_s: int  # since its last refresh
    absolute_s: int  # since its login


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """What is kept of who logs in, for the user's own list of sessions."""

    address: str = ""  # of the client, without port
    user_agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a login or a refresh gives."""

    session_id: str
    access_token: AccessToken
    refresh_token: str = field(repr=False)
    refresh_expires_in_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedLogin:
    """A login whose password is right."""

    user: User  # as the password was checked against
    ticket: throttle.Ticket
    visitor: Visitor
    new_hash: str | None = field(default=None, repr=False)  # to keep in place of a weaker one


_Refreshed: TypeAlias = tuple[User, Session, str]


class Granter:
    """Begins sessions, and carries them on."""

    __slots__ = ("_accounts", "_lifetimes", "_minter", "_revoker", "_store")

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        minter: Minter,
        revoker: Revoker,
        lifetimes: Lifetimes,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._minter = minter
        self._revoker = revoker
        self._lifetimes = lifetimes

    async def begin(self, login: CheckedLogin, now_s: float) -> Grant | None:
        """Begin a session; None where the user may no longer log in with what was checked.

        Raises:
            StoreUnavailableError: There is no session.
        """
        refresh_token = _make_refresh_token()
        lifetimes = self._lifetimes
        session = Session(
            id=make_id(),
            user_id=login.user.id,
            created_at_s=now_s,
            refreshed_at_s=now_s,
            idle_expires_at_s=now_s + lifetimes.idle_s,
            expires_at_s=now_s + lifetimes.absolute_s,
            user_agent=login.visitor.user_agent,
            address=login.visitor.address,
        )
        async with self._store.write() as tx:
            user = await self._hold(tx, login, now_s)
            if user is None:
                return None
            await sessions.start(tx, session, refresh_token)
            await throttle.forgive(tx, login.ticket, now_s=now_s)
        return await self._grant(user, session, refresh_token, now_s)

    async def let_in(self, login: CheckedLogin, now_s: float) -> User | None:
        """Return the user, for one request and without a session; None as ``begin``.

        Raises:
            StoreUnavailableError: Nobody is let in.
        """
        async with self._store.write() as tx:
            user = await self._hold(tx, login, now_s)
            if user is not None:
                await throttle.forgive(tx, login.ticket, now_s=now_s)
        return user

    async def _hold(self, tx: Writing, login: CheckedLogin, now_s: float) -> User | None:
        """Lock the user whose password was right, and keep the stronger hash of it."""
        user = await self._accounts.hold(tx, login.user)
        if user is not None and user.is_stored and login.new_hash is not None:
            old_hash = user.password_hash
            await users.set_password_hash(
                tx, user.id, login.new_hash, now_s=now_s, replaces=old_hash
            )
        return user

    async def refresh(self, presented: str, now_s: float) -> Grant | Reason:
        """Return the next pair of tokens, or why there is none.

        Raises:
            StoreUnavailableError: Perhaps it is spent; presented again, it gives what it gave.
        """

        async def work(tx: Writing) -> tuple[_Refreshed | Reason, list[Revocation]]:
            return await self._refresh(tx, presented, now_s)

        refreshed = await self._revoker.carry_out(work)
        if isinstance(refreshed, Reason):
            return refreshed
        user, session, refresh_token = refreshed
        return await self._grant(user, session, refresh_token, now_s)

    async def _refresh(
        self, tx: Writing, presented: str, now_s: float
    ) -> tuple[_Refreshed | Reason, list[Revocation]]:
        successor = _make_refresh_token()
        found = await rotation.rotate(
            tx, presented, successor, idle_s=self._lifetimes.idle_s, now_s=now_s
        )
        match found:
            case rotation.Rotated():
                return await self._go_on(tx, found.session, successor, now_s)
            case rotation.Replayed():
                return await self._go_on(tx, found.session, found.successor, now_s)
            case rotation.Reused():
                log.warning(
                    "a refresh token of session %s was used again: the session has ended",
                    found.session.id,
                )
                return Reason.REFRESH_REUSED, [self._revoker.of_ended(found.session, now_s)]
            case rotation.Expired():
                return Reason.REFRESH_EXPIRED, []
            case rotation.Ended() | rotation.Unknown():
                return Reason.REFRESH_INVALID, []
            case _:
                assert_never(found)

    async def _go_on(
        self, tx: Writing, session: Session, refresh_token: str, now_s: float
    ) -> tuple[_Refreshed | Reason, list[Revocation]]:
        """Let the session go on if its user still may; the claims are those of today."""
        user = await self._find_user(tx, session.user_id)
        if user is not None:
            return (user, session, refresh_token), []
        # Who disables or removes a user ends the sessions; this one was begun beside that, or its
        # user has gone from the configuration file.
        await sessions.end(tx, session.id, reason=EndReason.USER_REMOVED, now_s=now_s)
        return Reason.REFRESH_INVALID, [self._revoker.of_ended(session, now_s)]

    async def _find_user(self, tx: Reading, user_id: str) -> User | None:
        user = await self._accounts.find_by_id(tx, user_id)
        return None if user is None or user.disabled else user

    async def _grant(self, user: User, session: Session, refresh_token: str, now_s: float) -> Grant:
        wait_s = self._revoker.issuable_from_s(user.id) - now_s
        if wait_s > 0:
            wait_s = min(wait_s, _LONGEST_WAIT_S)
            await asyncio.sleep(wait_s)
            now_s += wait_s
            async with self._store.read() as tx:  # what was revoked may have been the old roles
                user = await self._find_user(tx, user.id) or user
        ends_at_s = min(session.idle_expires_at_s, session.expires_at_s)
        return Grant(
            session_id=session.id,
            access_token=self._minter.mint(user, session_id=session.id, now_s=now_s),
            refresh_token=refresh_token,
            refresh_expires_in_s=max(0, int(ends_at_s - now_s)),
        )


def _make_refresh_token() -> str:
    return secrets.token_urlsafe(REFRESH_TOKEN_BYTES)
