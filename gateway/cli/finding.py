"""Who is meant by a name on the command line, of the store or of the configuration file.

The rule to keep in mind: a name of the file means the file's user, as it does at login.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gateway.cli.opening import Opened, RefusalError, look, refused
from gateway.config.load import Config
from gateway.desk import Desk
from gateway.errors import ConfigError
from gateway.issuer.users import User
from gateway.policy.users import canonical_username
from gateway.store.users import StoredUser

_PAGE: Final = 500
_MAX_NAMES: Final = 5_000  # beyond, to look for similar names takes longer than to look oneself


async def list_users(desk: Desk, at_most: int | None = None) -> list[StoredUser]:
    """Return the users of the store by their names; all of them, or roughly the first *at_most*."""
    found: list[StoredUser] = []
    while at_most is None or len(found) < at_most:
        after = found[-1].canonical_username if found else ""
        page = await desk.users.list_page(after=after, limit=_PAGE)
        found += page
        if len(page) < _PAGE:
            break
    return found


def look_for_stored(path: Path, username: str) -> StoredUser:
    """Return a user of the store, which is left as it is; exits with 1 where there is none."""

    async def work(opened: Opened) -> StoredUser:
        return await find_stored(opened, username)

    config, user = look(path, work)
    if user is not None:
        return user
    try:
        check_not_configured(config, username)
    except RefusalError as error:
        raise refused(error) from None
    raise refused(_no_such_user(username, _configured_names(config)))


def check_known_without_store(config: Config, username: str) -> None:
    """Make sure that the name is one of the file, where there is no store yet; else exit with 1."""
    names = _configured_names(config)
    if canonical_username(username) not in map(canonical_username, names):
        raise refused(_no_such_user(username, names))


async def find_stored(opened: Opened, username: str) -> StoredUser:
    """Return a user of the store.

    Raises:
        RefusalError: There is none, or the name is one of the configuration file.
    """
    check_not_configured(opened.config, username)
    user = await opened.desk.users.find_by_name(username)
    if user is None:
        raise await no_such_user(opened, username)
    return user


async def find_names(opened: Opened, user_ids: set[str]) -> dict[str, str]:
    """Return the names of users, by their ids; a user may have gone from the configuration file."""
    async with opened.desk.store.read() as tx:
        users = [await opened.desk.accounts.find_by_id(tx, user_id) for user_id in user_ids]
    return {user.id: user.username for user in users if user is not None}


async def find_user(opened: Opened, username: str) -> User:
    """Return a user, wherever they are kept.

    Raises:
        RefusalError: There is none.
    """
    async with opened.desk.store.read() as tx:
        user = await opened.desk.accounts.find_by_name(tx, username)
    if user is None:
        raise await no_such_user(opened, username)
    return user


def check_not_configured(config: Config, username: str) -> None:
    """Make sure that the name is not one of the configuration file.

    Raises:
        RefusalError: It is; says where.
    """
    wanted = canonical_username(username)
    for index, user in enumerate(config.settings.users):
        if canonical_username(user.username) == wanted:
            place = config.place("users", index)
            fault = f"'{user.username}' is a user of the configuration file"
            raise RefusalError(str(ConfigError(place, fault, "change it there")))


async def no_such_user(opened: Opened, username: str) -> RefusalError:
    """Return what to raise where nobody has that name; it names one that is like it."""
    names = _configured_names(opened.config)
    names += [user.username for user in await list_users(opened.desk, _MAX_NAMES)]
    return _no_such_user(username, names)


def _configured_names(config: Config) -> list[str]:
    return [user.username for user in config.settings.users]


def _no_such_user(username: str, names: Iterable[str]) -> RefusalError:
    spelled = {canonical_username(name): name for name in names}
    close = difflib.get_close_matches(canonical_username(username), spelled, n=1)
    cure = f"\n  did you mean '{spelled[close[0]]}'?" if close else ""
    return RefusalError(f"there is no user '{username}'{cure}")
