"""``POST /authenticate``: a username and a password for a token."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.answers import granted, json_answer, refusal
from gateway.control.body import read_members
from gateway.errors import ProtocolError, Reason
from gateway.issuer.grants import Visitor
from gateway.issuer.login import Attempt, Login
from gateway.issuer.passwords import PasswordsBusyError, UnfitPasswordError, check_password
from gateway.issuer.throttle import Wait
from gateway.issuer.user_admin import MAX_USERNAME_BYTES

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
        attempt = Attempt(username=username, password=password, visitor=visitor_of(request))
        try:
            answer = await self._login.authenticate(attempt, self._clock())
        except PasswordsBusyError:
            return refusal(request, Reason.LOGIN_THROTTLED, headers=_BUSY)
        if answer is None:
            return refusal(request, Reason.LOGIN_FAILED)
        if isinstance(answer, Wait):
            headers = {"Retry-After": str(answer.seconds)}
            return refusal(request, Reason.LOGIN_THROTTLED, headers=headers)
        return json_answer(granted(answer, "authentication done"))


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


def visitor_of(request: Request) -> Visitor:
    """Return what is kept of who asks."""
    address = request.client.host if request.client is not None else ""
    return Visitor(address=address, user_agent=request.headers.get("user-agent", ""))
