"""All who may log in: the users of the configuration file, and those of the store.

The rule to keep in mind: where both know a name, the file's user is meant. Whoever may write to the
database must not be able to put another password in front of the operator's own account.
"""

from gateway.issuer.users import FileUsers, User
from gateway.policy.users import canonical_username
from gateway.store import users
from gateway.store.engine import Reading, Writing
from gateway.store.users import StoredUser


class Accounts:
    """Finds users, wherever they are kept."""

    __slots__ = ("_file_users",)

    def __init__(self, file_users: FileUsers) -> None:
        self._file_users = file_users

    async def find_by_name(self, tx: Reading, username: str) -> User | None:
        """Return the user of that name, in whatever spelling it comes."""
        user = self._file_users.find(username)
        if user is not None:
            return user
        stored = await users.find_by_name(tx, canonical_username(username))
        return None if stored is None else user_of(stored)

    async def find_by_id(self, tx: Reading, user_id: str) -> User | None:
        """Return the user whose tokens say *user_id*."""
        user = self._file_users.find_by_id(user_id)
        if user is not None:
            return user
        stored = await users.find_by_id(tx, user_id)
        return None if stored is None else user_of(stored)

    async def hold(self, tx: Writing, checked: User) -> User | None:
        """Return the user, locked, if the password that was checked is still the one that counts.

        Checking takes a tenth of a second and more, in which an operator may have removed or
        disabled the user, or set another password.
        """
        if not checked.is_stored:
            return checked
        stored = await users.hold(tx, checked.id)
        if stored is None or stored.disabled or stored.password_hash != checked.password_hash:
            return None
        return user_of(stored)


def user_of(stored: StoredUser) -> User:
    """Return a user of the store as the issuer sees one."""
    return User(
        id=stored.id,
        username=stored.username,
        password_hash=stored.password_hash,
        roles=stored.roles,
        scopes=stored.scopes,
        attributes=stored.attributes,
        disabled=stored.disabled,
        is_stored=True,
    )
