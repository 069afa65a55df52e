"""``gateway sessions``: who is logged in, and an end to it."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.cli.finding import check_known_without_store, find_names, find_user
from gateway.cli.loading import DEFAULT_CONFIG, AsJson, ConfigPath
from gateway.cli.opening import HEARD, Opened, RefusalError, act, look
from gateway.cli.output import print_json, print_line, print_rows, tell_moment
from gateway.issuer.sessions import Ending
from gateway.store.sessions import EndReason, Session

_HEADER: Final = ("ID", "USER", "ADDRESS", "SINCE", "REFRESHED", "EXPIRES", "USER AGENT")
_PAGE: Final = 500

sessions_app = typer.Typer(help="The sessions of all users.", no_args_is_help=True)


@sessions_app.command("list", short_help="List the live sessions.")
def list_all(
    user: Annotated[str, typer.Option(metavar="NAME", help="Only those of this user.")] = "",
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """List the sessions that have neither ended nor expired.

    Exit codes: 0, 1 (there is no such user), 2 (bad usage or configuration).
    """

    async def work(opened: Opened) -> list[dict[str, Any]]:
        if user:
            owner = await find_user(opened, user)
            found = await opened.desk.sessions.list_of_user(owner.id, opened.now_s)
        else:
            found = await _list_all(opened)
        names = await find_names(opened, {session.user_id for session in found})
        return [_describe(session, names.get(session.user_id)) for session in found]

    loaded, listed = look(config, work)
    if listed is None and user:
        check_known_without_store(loaded, user)
    if as_json:
        print_json(listed or [])
    else:
        print_rows((_row(session) for session in listed or ()), header=_HEADER)


@sessions_app.command("revoke", short_help="End a session, or all of a user.")
def revoke(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="The session.")] = "",
    user: Annotated[
        str, typer.Option(metavar="NAME", help="All of this user, and every token issued so far.")
    ] = "",
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """End a session for good: its tokens count no more. A running gateway hears within a second.

    Exit codes: 0, 1 (there is no such session or user), 2 (bad usage or configuration).
    """
    if bool(session_id) == bool(user):
        raise typer.BadParameter("name a session, or a user with --user")
    if user:
        _revoke_all(config, user)
    else:
        _revoke_one(config, session_id)


def _revoke_one(config: Path, session_id: str) -> None:
    async def work(opened: Opened) -> None:
        ending = Ending(reason=EndReason.REVOKED, now_s=opened.now_s)
        if not await opened.desk.sessions.end(session_id, ending):
            raise RefusalError(
                f"there is no session '{session_id}', or it has ended\n"
                "  `gateway sessions list` shows those that live"
            )

    act(config, work)
    print_line(f"the session has ended; {HEARD}")


def _revoke_all(config: Path, username: str) -> None:
    async def work(opened: Opened) -> tuple[str, int]:
        owner = await find_user(opened, username)
        ending = Ending(reason=EndReason.REVOKED, now_s=opened.now_s)
        return owner.username, await opened.desk.sessions.end_all(owner.id, ending)

    name, count = act(config, work)
    noun = "session" if count == 1 else "sessions"
    print_line(f"{count} {noun} of '{name}' ended, and no token issued so far counts; {HEARD}")


async def _list_all(opened: Opened) -> list[Session]:
    found: list[Session] = []
    while True:
        after = found[-1].id if found else ""
        page = await opened.desk.sessions.list_page(now_s=opened.now_s, after=after, limit=_PAGE)
        found += page
        if len(page) < _PAGE:
            return found


def _describe(session: Session, username: str | None) -> dict[str, Any]:
    """Return a session as JSON; times are whole seconds since the epoch, as in tokens."""
    return {
        "id": session.id,
        "user_id": session.user_id,
        "username": username,
        "created_at": int(session.created_at_s),
        "refreshed_at": int(session.refreshed_at_s),
        "expires_at": int(min(session.idle_expires_at_s, session.expires_at_s)),
        "address": session.address,
        "user_agent": session.user_agent,
    }


def _row(session: dict[str, Any]) -> list[str]:
    return [
        session["id"],
        session["username"] or session["user_id"],
        session["address"] or "-",
        tell_moment(session["created_at"]),
        tell_moment(session["refreshed_at"]),
        tell_moment(session["expires_at"]),
        session["user_agent"] or "-",
    ]
