"""``gateway users``: who may log in, besides the users of the configuration file."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from gateway.cli import given
from gateway.cli.finding import (
    check_not_configured,
    find_stored,
    list_users,
    look_for_stored,
    no_such_user,
)
from gateway.cli.given import Attributes, HashOption, Roles, Scopes
from gateway.cli.loading import DEFAULT_CONFIG, AsJson, ConfigPath
from gateway.cli.opening import HEARD, Opened, RefusalError, act, look
from gateway.cli.output import print_json, print_line, print_rows, tell_moment
from gateway.config.schema import UserSettings
from gateway.issuer.user_admin import NewUser
from gateway.policy.users import canonical_username
from gateway.store.users import Grants, StoredUser

_HEADER: Final = ("NAME", "ID", "ROLES", "SCOPES", "STATE", "SINCE")

Name: TypeAlias = Annotated[
    str, typer.Argument(help="In whatever spelling: upper case is lower case.")
]
# What is done to one user; False where there is no such user any more.
Change: TypeAlias = Callable[[Opened, StoredUser], Awaitable[bool]]

users_app = typer.Typer(
    help="Users of the store: those of the configuration file are changed there.",
    no_args_is_help=True,
)


@users_app.command("add", short_help="Add a user; prints the id.")
def add(
    name: Annotated[str, typer.Argument(help="The name to log in with.")],
    role: Roles = None,
    scope: Scopes = None,
    attribute: Attributes = None,
    password_hash: HashOption = "",
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Add a user, and print the id that tokens will say (`sub`), which never changes.

    The password is asked for twice on a terminal and not shown; else it is a line of standard
    input.

    Exit codes: 0, 1 (the name is taken, or can be none), 2 (bad usage or configuration).
    """
    roles, scopes = given.parse_roles(role or ()), given.parse_scopes(scope or ())
    attributes = given.parse_attributes(attribute or ())

    async def check_is_free(opened: Opened) -> None:
        check_not_configured(opened.config, name)
        if await opened.desk.users.find_by_name(name) is not None:
            raise RefusalError(f"there is a user '{name}' already")

    look(config, check_is_free)  # before a password is asked for
    new = NewUser(
        username=name,
        password_hash=given.read_hash(password_hash),
        roles=roles,
        scopes=scopes,
        attributes={key: value for key, value in attributes.items() if value is not None},
    )

    async def work(opened: Opened) -> str:
        check_not_configured(opened.config, name)
        return (await opened.desk.users.add(new, opened.now_s)).id

    print(act(config, work))


@users_app.command("list", short_help="List all users.")
def list_all(config: ConfigPath = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """List all who may log in.

    States: active, disabled, configured (of the configuration file, and changed there), shadowed
    (of the store, but a user of the configuration file has the name).
    """

    async def work(opened: Opened) -> list[StoredUser]:
        return await list_users(opened.desk)

    loaded, found = look(config, work)
    listed = [_describe_configured(user) for user in loaded.settings.users]
    names = {canonical_username(user.username) for user in loaded.settings.users}
    listed += [_describe_stored(user, names) for user in found or ()]
    if as_json:
        print_json(listed)
    else:
        print_rows((_row(user) for user in listed), header=_HEADER)


@users_app.command("passwd", short_help="Set another password.")
def passwd(name: Name, password_hash: HashOption = "", config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Set another password, and end all of the user's sessions.

    It is asked for twice on a terminal and not shown; else it is a line of standard input. A
    running gateway hears of it within a second.

    Exit codes: 0, 1 (there is no such user), 2 (bad usage or configuration).
    """
    user = look_for_stored(config, name)
    made = given.read_hash(password_hash)

    async def change(opened: Opened, found: StoredUser) -> bool:
        return await opened.desk.users.set_password_hash(found.id, made, opened.now_s)

    _change(config, user.username, change)
    print_line(f"'{user.username}' has another password, and no session any more; {HEARD}")


@users_app.command("disable", short_help="Let a user in no more.")
def disable(name: Name, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Let a user in no more, and end all of the user's sessions.

    A running gateway hears of it within a second.

    Exit codes: 0, 1 (there is no such user), 2 (bad usage or configuration).
    """

    async def change(opened: Opened, found: StoredUser) -> bool:
        return await opened.desk.users.disable(found.id, opened.now_s)

    user = _change(config, name, change)
    print_line(f"'{user.username}' is disabled, and has no session any more; {HEARD}")


@users_app.command("enable", short_help="Let a disabled user in again.")
def enable(name: Name, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Let a disabled user log in again, with the same password.

    Exit codes: 0, 1 (there is no such user), 2 (bad usage or configuration).
    """

    async def change(opened: Opened, found: StoredUser) -> bool:
        return await opened.desk.users.enable(found.id, opened.now_s)

    user = _change(config, name, change)
    print_line(f"'{user.username}' can log in")


@users_app.command("remove", short_help="Remove a user for good.")
def remove(
    name: Name,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a user for good, and end all of the user's sessions.

    On a terminal it asks first; elsewhere --yes is needed. A running gateway hears of it within a
    second. Whoever is added under the name later is another user.

    Exit codes: 0, 1 (there is no such user, or the answer was no), 2 (bad usage or configuration).
    """
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("needed where nobody can be asked", param_hint="--yes")
        user = look_for_stored(config, name)
        typer.confirm(f"Remove '{user.username}' ({user.id}) for good?", abort=True)

    async def change(opened: Opened, found: StoredUser) -> bool:
        return await opened.desk.users.remove(found.id, opened.now_s)

    user = _change(config, name, change)
    print_line(f"'{user.username}' is removed, and has no session any more; {HEARD}")


@users_app.command("set", short_help="Set roles, scopes or attributes.")
def set_grants(
    name: Name,
    role: Roles = None,
    scope: Scopes = None,
    attribute: Attributes = None,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Set what a user may; what is not named stays as it is.

    Roles and scopes that are given replace all that there were; --role '' leaves none. Of the
    attributes those change that are given; KEY:=null removes one. Tokens that say the old ones
    count no more: a running gateway hears of it within a second, and the next refresh gives new
    ones.

    Exit codes: 0, 1 (there is no such user), 2 (bad usage or configuration).
    """
    if role is None and scope is None and attribute is None:
        raise typer.BadParameter("name at least one of --role, --scope and --attribute")
    roles = None if role is None else given.parse_roles(role)
    scopes = None if scope is None else given.parse_scopes(scope)
    attributes = given.parse_attributes(attribute or ())

    async def change(opened: Opened, found: StoredUser) -> bool:
        merged = {**found.attributes, **attributes}
        grants = Grants(
            roles=found.roles if roles is None else roles,
            scopes=found.scopes if scopes is None else scopes,
            attributes={key: value for key, value in merged.items() if value is not None},
        )
        return await opened.desk.users.set_grants(found.id, grants, opened.now_s)

    user = _change(config, name, change)
    print_line(f"'{user.username}' is changed; {HEARD}")


@users_app.command("unlock", short_help="Forget the failed logins of a name.")
def unlock(name: Name, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Forget the failed logins of a name, so that the next try need not wait.

    Any name will do: one of the configuration file too, and one that nobody has.
    """

    async def work(opened: Opened) -> int:
        return await opened.desk.users.unlock(name)

    if act(config, work):
        print_line(f"the failed logins of '{name}' are forgotten")
    else:
        print_line(f"there are no failed logins of '{name}'")


def _change(config: Path, name: str, change: Change) -> StoredUser:
    """Change one user of the store, and return who it was; exits with 1 where there is none."""
    look_for_stored(config, name)  # no store is made to say that nobody is in it

    async def work(opened: Opened) -> StoredUser:
        user = await find_stored(opened, name)
        if not await change(opened, user):
            raise await no_such_user(opened, name)  # removed just now by somebody else
        return user

    return act(config, work)


def _describe_stored(user: StoredUser, configured_names: set[str]) -> dict[str, Any]:
    """Return a user as JSON; times are whole seconds since the epoch, as in tokens."""
    state = "disabled" if user.disabled else "active"
    return {
        "username": user.username,
        "id": user.id,
        "roles": list(user.roles),
        "scopes": list(user.scopes),
        "attributes": dict(user.attributes),
        "state": "shadowed" if user.canonical_username in configured_names else state,
        "created_at": int(user.created_at_s),
        "updated_at": int(user.updated_at_s),
    }


def _describe_configured(user: UserSettings) -> dict[str, Any]:
    return {
        "username": user.username,
        "id": user.id or canonical_username(user.username),
        "roles": list(user.roles),
        "scopes": list(user.scopes),
        "attributes": dict(user.attributes),
        "state": "configured",
        "created_at": None,
        "updated_at": None,
    }


def _row(user: dict[str, Any]) -> list[str]:
    return [
        user["username"],
        user["id"],
        ",".join(user["roles"]) or "-",
        ",".join(user["scopes"]) or "-",
        user["state"],
        tell_moment(user["created_at"]),
    ]
