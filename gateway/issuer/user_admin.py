"""The users of the store, as operators change them: by a command or through the admin listener.

The rule to keep in mind: whoever takes something away from a user (the password that was known, the
account, a role) ends what was let in with it, in the same transaction.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from gateway.issuer import throttle
from gateway.issuer.mint import make_id
from gateway.issuer.revoker import Revoker
from gateway.issuer.users import FileUsers
from gateway.policy.users import canonical_username
from gateway.store import api_keys, sessions, users
from gateway.store.engine import Store, Writing
from gateway.store.revocations import Revocation
from gateway.store.sessions import EndReason
from gateway.store.users import Grants, StoredUser

Change: TypeAlias = Callable[[Writing], Awaitable[bool]]

# A refresh that runs beside a change of roles may have read the old ones, and issues its token a
# moment later, perhaps by another host's clock.
_BESIDE_S: Final = 2.0

MAX_USERNAME_BYTES: Final = 1024  # of UTF-8; RFC 5321 gives an address 254


class UnfitUserError(ValueError):
    """There cannot be such a user; says why, for the operator."""


class NameTakenError(UnfitUserError):
    """There is a user of this name already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """A user that is not kept yet."""

    username: str
    password_hash: str = field(repr=False)
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)  # JSON values


class UserAdmin:
    """Adds, changes and removes users of the store.

    Args:
        store: Where they are.
        revoker: Ends what was let in.
        file_users: Those of the configuration, whose names nobody else can have.
    """

    __slots__ = ("_file_users", "_revoker", "_store")

    def __init__(self, store: Store, revoker: Revoker, file_users: FileUsers) -> None:
        self._store = store
        self._revoker = revoker
        self._file_users = file_users

    async def add(self, new: NewUser, now_s: float) -> StoredUser:
        """Keep a new user, with an id that never changes.

        Raises:
            NameTakenError: There is a user of this name, here or in the configuration file.
            UnfitUserError: No user can have this name.
            StoreUnavailableError: See ``gateway.store.faults``.
        """
        user = StoredUser(
            id=make_id(),
            username=new.username.strip(),
            canonical_username=self._check_name(new.username),
            password_hash=new.password_hash,
            created_at_s=now_s,
            updated_at_s=now_s,
            roles=new.roles,
            scopes=new.scopes,
            attributes=new.attributes,
        )
        async with self._store.write() as tx:
            if not await users.add(tx, user):
                raise NameTakenError("there is a user of this name already")
        return user

    async def find(self, user_id: str) -> StoredUser | None:
        """Return the user of that id."""
        async with self._store.read() as tx:
            return await users.find_by_id(tx, user_id)

    async def find_by_name(self, username: str) -> StoredUser | None:
        """Return the user of that name, in whatever spelling it comes."""
        async with self._store.read() as tx:
            return await users.find_by_name(tx, canonical_username(username))

    async def find_name(self, user_id: str) -> str | None:
        """Return the name of the user of that id, in the store or in the configuration file."""
        stored = await self.find(user_id)
        if stored is not None:
            return stored.username
        user = self._file_users.find_by_id(user_id)
        return None if user is None else user.username

    async def list_page(self, *, after: str = "", limit: int = 100) -> list[StoredUser]:
        """Return up to *limit* users in the order of their canonical names, from *after* on."""
        async with self._store.read() as tx:
            return await users.list_page(tx, after=after, limit=limit)

    async def set_password_hash(self, user_id: str, password_hash: str, now_s: float) -> bool:
        """Set another password, and end all sessions; False where there is no such user."""

        async def change(tx: Writing) -> bool:
            return await users.set_password_hash(tx, user_id, password_hash, now_s=now_s)

        return await self._ending_all(user_id, EndReason.PASSWORD_CHANGED, now_s, change)

    async def disable(self, user_id: str, now_s: float) -> bool:
        """Let the user in no more, and end all sessions; False where there is no such user."""

        async def change(tx: Writing) -> bool:
            return await users.set_disabled(tx, user_id, disabled=True, now_s=now_s)

        return await self._ending_all(user_id, EndReason.USER_DISABLED, now_s, change)

    async def enable(self, user_id: str, now_s: float) -> bool:
        """Let the user log in again; False where there is no such user."""
        async with self._store.write() as tx:
            return await users.set_disabled(tx, user_id, disabled=False, now_s=now_s)

    async def remove(self, user_id: str, now_s: float) -> bool:
        """Remove the user with all API keys, and end all sessions; False where there is none."""

        async def change(tx: Writing) -> bool:
            await api_keys.remove_of_owner(tx, user_id)
            return await users.remove(tx, user_id)

        return await self._ending_all(user_id, EndReason.USER_REMOVED, now_s, change)

    async def set_grants(self, user_id: str, grants: Grants, now_s: float) -> bool:
        """Replace roles, scopes and attributes; False where there is no such user.

        The user's access tokens count no more, since they say the old ones; the sessions go on, and
        their next refresh gives tokens that say the new ones; it may have to wait for two seconds.
        """
        return await self.change_grants(user_id, lambda _: grants, now_s)

    async def change_grants(
        self, user_id: str, change: Callable[[Grants], Grants], now_s: float
    ) -> bool:
        """Replace roles, scopes and attributes by what *change* makes of them, as ``set_grants``.

        The user is held meanwhile: of two who change something at once, neither undoes the other's.
        """

        async def work(tx: Writing) -> tuple[bool, list[Revocation]]:
            user = await users.hold(tx, user_id)
            if user is None:
                return False, []
            old = Grants(roles=user.roles, scopes=user.scopes, attributes=user.attributes)
            await users.set_grants(tx, user_id, change(old), now_s=now_s)
            return True, [self._revoker.of_user(user_id, now_s + _BESIDE_S)]

        return await self._revoker.carry_out(work)

    async def unlock(self, username: str) -> int:
        """Forget the failed logins of a name, whoever has it; return how many counters there were.

        A name of the configuration file is as good as one of the store.
        """
        async with self._store.write() as tx:
            return await throttle.unlock(tx, username)

    def is_file_user(self, username: str) -> bool:
        """Whether the name is one of the configuration file, where alone it can be changed."""
        return self._file_users.find(username) is not None

    def _check_name(self, username: str) -> str:
        try:
            size = len(username.encode("utf-8"))
        except UnicodeEncodeError:
            raise UnfitUserError("the name is not valid Unicode") from None
        name = canonical_username(username)
        if not name or size > MAX_USERNAME_BYTES:
            raise UnfitUserError(f"a name has 1 to {MAX_USERNAME_BYTES} bytes")
        if not name.isprintable():
            raise UnfitUserError("a name has no control characters")
        if self.is_file_user(username):
            raise NameTakenError("the configuration file has a user of this name")
        return name

    async def _ending_all(
        self, user_id: str, reason: EndReason, now_s: float, change: Change
    ) -> bool:
        async def work(tx: Writing) -> tuple[bool, list[Revocation]]:
            if not await change(tx):
                return False, []
            ended = await sessions.end_all(tx, user_id, reason=reason, now_s=now_s)
            return True, self._revoker.of_all(user_id, ended, now_s)

        return await self._revoker.carry_out(work)
