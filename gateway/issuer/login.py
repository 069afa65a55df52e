"""From a username and a password to a session.

The rule to keep in mind: whether there is such a user changes nothing that can be seen, measured or
logged from outside; both failures are one answer, after the work that ``passwords`` tells. That a
user is disabled is not seen either.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from gateway.issuer import throttle
from gateway.issuer.accounts import Accounts
from gateway.issuer.grants import CheckedLogin, Grant, Granter, Visitor
from gateway.issuer.passwords import PasswordCheck, PasswordChecker, PasswordsBusyError
from gateway.issuer.throttle import Ticket, Wait
from gateway.issuer.users import User
from gateway.store.engine import Store

# Another login of the same user may put a stronger hash in place of the one that this one was
# checked against: then the right password is right once more, against that.
_TRIES: Final = 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What somebody tries to log in with."""

    username: str  # in any spelling of ``canonical_username``
    password: str = field(repr=False)
    visitor: Visitor


class Login:
    """Lets users in.

    Args:
        store: Where failures are counted, and some of the users are.
        accounts: Who may log in.
        passwords: What checks their passwords.
        granter: What begins their sessions.
    """

    __slots__ = ("_accounts", "_granter", "_passwords", "_store")

    def __init__(
        self, store: Store, accounts: Accounts, passwords: PasswordChecker, granter: Granter
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._passwords = passwords
        self._granter = granter

    async def authenticate(self, attempt: Attempt, now_s: float) -> Grant | Wait | None:
        """Return a new session's tokens; or how long to wait; or None: not this user's password.

        Args:
            attempt: Name, password, and where they come from.
            now_s: From when on the token counts, in seconds since the epoch.

        Raises:
            UnfitPasswordError: No user can have this password.
            PasswordsBusyError: Too many logins at once; nothing was checked or counted.
            StoreUnavailableError: Nobody can be let in now.
        """
        return await self._let_in(attempt, now_s, self._granter.begin)

    async def check(self, attempt: Attempt, now_s: float) -> User | Wait | None:
        """Return the user, without a session; else as ``authenticate``, and counted like it.

        Raises:
            UnfitPasswordError: As ``authenticate``.
            PasswordsBusyError: As ``authenticate``.
            StoreUnavailableError: As ``authenticate``.
        """
        return await self._let_in(attempt, now_s, self._granter.let_in)

    async def _let_in(
        self,
        attempt: Attempt,
        now_s: float,
        begin: Callable[[CheckedLogin, float], Awaitable[T | None]],
    ) -> T | Wait | None:
        self._passwords.check_room()
        admitted, user = await self._admit(attempt, now_s)
        if isinstance(admitted, Wait):
            return admitted
        for _ in range(_TRIES):
            check = await self._check(attempt, admitted, user)
            if user is None or user.disabled or not check.is_right:
                return None
            login = CheckedLogin(
                user=user, ticket=admitted, visitor=attempt.visitor, new_hash=check.new_hash
            )
            begun = await begin(login, now_s)
            if begun is not None:
                return begun
            async with self._store.read() as tx:
                user = await self._accounts.find_by_name(tx, attempt.username)
        return None

    async def _check(self, attempt: Attempt, ticket: Ticket, user: User | None) -> PasswordCheck:
        try:
            return await self._passwords.verify(
                attempt.password, user.password_hash if user else None
            )
        except PasswordsBusyError:
            async with self._store.write() as tx:
                await throttle.take_back(tx, ticket)
            raise

    async def _admit(self, attempt: Attempt, now_s: float) -> tuple[Ticket | Wait, User | None]:
        """Count the login as failed before it is tried: a hundred at once are counted as well."""
        async with self._store.read() as tx:
            wait = await throttle.find_wait(
                tx, attempt.username, attempt.visitor.address, now_s=now_s
            )
        if wait is not None:
            return wait, None
        async with self._store.write() as tx:
            user = await self._accounts.find_by_name(tx, attempt.username)
            admitted = await throttle.admit(
                tx, attempt.username, attempt.visitor.address, now_s=now_s
            )
        return admitted, user
