"""``gateway api-keys``: for programs that cannot log in."""

from typing import Annotated, Any, Final

import typer

from gateway.cli.finding import check_known_without_store, find_names, find_user
from gateway.cli.given import Scopes, parse_lifetime, parse_scopes
from gateway.cli.loading import DEFAULT_CONFIG, AsJson, ConfigPath
from gateway.cli.opening import HEARD, Opened, RefusalError, act, look
from gateway.cli.output import print_error, print_json, print_line, print_rows, tell_moment
from gateway.control.admin_api_keys import describe_api_key
from gateway.issuer.api_keys import NewApiKey, UnfitApiKeyError
from gateway.store.api_keys import StoredApiKey

_HEADER: Final = ("ID", "OWNER", "NAME", "SCOPES", "CREATED", "EXPIRES", "REVOKED")
_PAGE: Final = 500

api_keys_app = typer.Typer(help="API keys, each of one user.", no_args_is_help=True)


@api_keys_app.command("create", short_help="Make a key and print it, once.")
def create(
    owner: Annotated[str, typer.Option(metavar="NAME", help="Whose claims it carries.")],
    name: Annotated[str, typer.Option(metavar="LABEL", help="What it is for.")] = "",
    scope: Scopes = None,
    expires_in: Annotated[
        str, typer.Option(metavar="DURATION", help="As 90d; without it, it does not expire.")
    ] = "",
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Make an API key of a user. It is printed now and never again: only its hash is kept.

    It has the user's roles and claims as they are when it is used, and of the user's scopes those
    that are named here.

    Exit codes: 0, 1 (there is no such user, or it lacks a scope), 2 (bad usage or configuration).
    """
    scopes = parse_scopes(scope or [])
    lifetime_s = parse_lifetime(expires_in, "--expires-in") if expires_in else None

    async def work(opened: Opened) -> tuple[StoredApiKey, str]:
        user = await find_user(opened, owner)
        new = NewApiKey(owner_id=user.id, name=name, scopes=scopes, lifetime_s=lifetime_s)
        try:
            return await opened.desk.api_keys.create(new, opened.now_s)
        except UnfitApiKeyError as error:
            raise RefusalError(str(error)) from None

    key, text = act(config, work)
    if as_json:
        print_json({**describe_api_key(key), "key": text})
    else:
        print_line(text)
        print_error(f"API key {key.id}: keep it, it cannot be shown again")


@api_keys_app.command("list", short_help="List the keys, without their secrets.")
def list_all(
    owner: Annotated[str, typer.Option(metavar="NAME", help="Only those of this user.")] = "",
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """List the API keys; those that have ended for another month.

    Exit codes: 0, 1 (there is no such user), 2 (bad usage or configuration).
    """

    async def work(opened: Opened) -> list[dict[str, Any]]:
        owner_id = (await find_user(opened, owner)).id if owner else None
        found = await _list_all(opened, owner_id)
        names = await find_names(opened, {key.owner_id for key in found})
        return [{**describe_api_key(key), "username": names.get(key.owner_id)} for key in found]

    loaded, listed = look(config, work)
    if listed is None and owner:
        check_known_without_store(loaded, owner)
    if as_json:
        print_json(listed or [])
    else:
        print_rows((_row(key) for key in listed or ()), header=_HEADER)


@api_keys_app.command("revoke", short_help="Let a key count no more.")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Revoke an API key for good. A running gateway hears of it within a second.

    Exit codes: 0, 1 (there is no such key), 2 (bad usage or configuration).
    """

    async def work(opened: Opened) -> None:
        if not await opened.desk.api_keys.revoke(key_id, opened.now_s):
            raise RefusalError(
                "there is no API key of that id\n  `gateway api-keys list` shows those that are"
            )

    act(config, work)
    print_line(f"the API key counts no more; {HEARD}")


async def _list_all(opened: Opened, owner_id: str | None) -> list[StoredApiKey]:
    found: list[StoredApiKey] = []
    while True:
        after = found[-1].id if found else ""
        page = await opened.desk.api_keys.list_page(owner_id=owner_id, after=after, limit=_PAGE)
        found += page
        if len(page) < _PAGE:
            return found


def _row(key: dict[str, Any]) -> list[str]:
    return [
        key["id"],
        key["username"] or key["user_id"],
        key["name"] or "-",
        ",".join(key["scopes"]) or "-",
        tell_moment(key["created_at"]),
        tell_moment(key["expires_at"]),
        tell_moment(key["revoked_at"]),
    ]
