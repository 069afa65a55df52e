"""``POST /authenticate``: a username and a password for a token."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.answers import json_answer, refusal
from gateway.control.body import read_members
from gateway.errors import ProtocolError, Reason
from gateway.issuer.login import Login, Session
from gateway.issuer.passwords import PasswordsBusyError, UnfitPasswordError, check_password

MAX_USERNAME_BYTES: Final = 1024  # of UTF-8; RFC 5321 gives an address 254
_BUSY: Final = {"Retry-After": "1"}  # seconds: half of a full queue is done by then


class LoginEndpoint:
    """Answers logins."""

    __slots__ = ("_clock", "_login")

    def __init__(self, login: Login, clock: Callable[[], float]) -> None:
        self._login = login
        self._clock = clock  # gives seconds since the epoch

    async def answer(self, request: Request) -> Response:
        """Return the tokens of a new session, or why there is none."""
        username, password = parse_login(await read_members(request))
        try:
            session = await self._login.authenticate(username, password, self._clock())
        except PasswordsBusyError:
            return refusal(request, Reason.LOGIN_THROTTLED, headers=_BUSY)
        if session is None:
            return refusal(request, Reason.LOGIN_FAILED)
        return json_answer(_granted(session))


def parse_login(members: Mapping[str, Any]) -> tuple[str, str]:
    """Return username and password of a login's body; other members are not looked at.

    Raises:
        ProtocolError: ``bad_request``: one is absent, not a string, empty, too long, or has a NUL.
    """
    username, password = members.get("username"), members.get("password")
    if not isinstance(username, str) or not isinstance(password, str):
        raise ProtocolError(Reason.BAD_REQUEST, "A login has a username and a password.")
    if not 0 < len(username.encode("utf-8")) <= MAX_USERNAME_BYTES or "\0" in username:
        raise ProtocolError(Reason.BAD_REQUEST, "No username is like this.")
    try:
        return username, check_password(password)
    except UnfitPasswordError:
        raise ProtocolError(Reason.BAD_REQUEST, "No password is like this.") from None


def _granted(session: Session) -> dict[str, Any]:
    return {
        "message": "authentication done",
        "token": session.access_token.text,
        "token_type": "Bearer",
        "expires_in": session.access_token.expires_in_s,
        "session_id": session.id,
    }
