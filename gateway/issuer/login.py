"""From a username and a password to a session.

The rule to keep in mind: whether there is such a user changes nothing that can be seen, measured or
logged from outside; both failures are one answer, after the work that ``passwords`` tells.
"""

import logging
from dataclasses import dataclass
from typing import Protocol

from gateway.errors import GatewayError
from gateway.issuer.mint import AccessToken, Minter, make_id
from gateway.issuer.passwords import PasswordChecker
from gateway.issuer.users import FileUsers, User

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Session:
    """One login, and the access token that came of it."""

    id: str  # ``sid``
    access_token: AccessToken


class SaveHash(Protocol):
    """Keeps a stronger hash of the same password."""

    async def __call__(self, user_id: str, *, old_hash: str, new_hash: str) -> None:
        """Put *new_hash* in the place of *old_hash*, if that is still the user's.

        It must compare and set in one step: between reading the old hash and this call lies a
        second in which an operator may have set another password, and the old one must not come
        back. A user that is not kept there (one of the configuration file) is no error.

        Raises:
            GatewayError: Not now; the user is let in all the same.
        """
        ...


class Login:
    """Lets users in.

    Args:
        users: Who may log in.
        passwords: What checks their passwords.
        minter: What makes the access tokens.
        save_hash: None where hashes cannot be rewritten: the users are those of the file alone.
    """

    __slots__ = ("_minter", "_passwords", "_save_hash", "_users")

    def __init__(
        self,
        users: FileUsers,
        passwords: PasswordChecker,
        minter: Minter,
        *,
        save_hash: SaveHash | None = None,
    ) -> None:
        self._users = users
        self._passwords = passwords
        self._minter = minter
        self._save_hash = save_hash

    async def authenticate(self, username: str, password: str, now_s: float) -> Session | None:
        """Return a new session, or None: no such user, or not the user's password.

        Args:
            username: In any spelling of ``canonical_username``.
            password: As the client sent it.
            now_s: From when on the token counts, in seconds since the epoch.

        Raises:
            UnfitPasswordError: No user can have this password.
            PasswordsBusyError: Too many logins at once; nothing was checked.
        """
        user = self._users.find(username)
        check = await self._passwords.verify(password, user.password_hash if user else None)
        if user is None or not check.is_right:
            return None
        if check.new_hash is not None:
            await self._upgrade(user, check.new_hash)
        session_id = make_id()
        return Session(session_id, self._minter.mint(user, session_id=session_id, now_s=now_s))

    async def _upgrade(self, user: User, new_hash: str) -> None:
        if self._save_hash is None:
            return
        try:
            await self._save_hash(user.id, old_hash=user.password_hash, new_hash=new_hash)
        except GatewayError:
            # Neither name nor cause: the store says itself what is wrong with it.
            log.warning("an upgraded password hash could not be stored; the next login tries again")
