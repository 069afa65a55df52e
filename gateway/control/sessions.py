"""What a user does with sessions: refresh, log out, look at them, end one."""

from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.answers import granted, json_answer, no_content, refusal
from gateway.control.body import read_members
from gateway.errors import ProtocolError, Reason
from gateway.issuer.grants import Granter
from gateway.issuer.sessions import Ending, Sessions
from gateway.policy.tokens import VerifiedToken
from gateway.store.sessions import EndReason, Session

MAX_REFRESH_TOKEN_CHARS: Final = 512  # ours have 43; longer ones are looked up nowhere


class SessionEndpoints:
    """Answers for the caller's own sessions."""

    __slots__ = ("_clock", "_granter", "_sessions")

    def __init__(self, granter: Granter, sessions: Sessions, clock: Callable[[], float]) -> None:
        self._granter = granter
        self._sessions = sessions
        self._clock = clock  # gives seconds since the epoch

    async def refresh(self, request: Request) -> Response:
        """``POST /refresh``: the next pair of tokens for a refresh token."""
        presented = (await read_members(request)).get("refresh_token")
        if not isinstance(presented, str) or not 0 < len(presented) <= MAX_REFRESH_TOKEN_CHARS:
            raise ProtocolError(Reason.BAD_REQUEST, "A refresh has a refresh_token.")
        grant = await self._granter.refresh(presented, self._clock())
        if isinstance(grant, Reason):
            return refusal(request, grant)
        return json_answer(granted(grant, "refresh done"))

    async def log_out(self, request: Request) -> Response:
        """``POST /logout``: end the caller's session, or all of the user's.

        A token that has expired or was revoked still says whose session is to end. It does not end
        the others: it may be an old one, out of a log.
        """
        token = _token_of(request)
        if token is None:
            return refusal(request, Reason.CREDENTIAL_MISSING)
        refused: Reason | None = getattr(request.state, "refused", None)
        now_s = self._clock()
        if not await _wants_all(request):
            await self._sessions.log_out(token, now_s)
            return no_content()
        if refused is not None:
            return refusal(request, refused)
        user_id = token.claims["sub"]
        await self._sessions.end_all(user_id, Ending(reason=EndReason.LOGOUT_ALL, now_s=now_s))
        return no_content()

    async def list(self, request: Request) -> Response:
        """``GET /sessions``: the caller's live sessions, the one that was used last first."""
        token = _token_of(request)
        if token is None:
            return refusal(request, Reason.CREDENTIAL_MISSING)
        found = await self._sessions.list_of_user(token.claims["sub"], self._clock())
        own = token.claims.get("sid")
        return json_answer(
            {"sessions": [{**describe(each), "current": each.id == own} for each in found]}
        )

    async def end(self, request: Request) -> Response:
        """``DELETE /sessions/{id}``: end one of the caller's sessions."""
        token = _token_of(request)
        if token is None:
            return refusal(request, Reason.CREDENTIAL_MISSING)
        ending = Ending(reason=EndReason.LOGOUT, now_s=self._clock(), user_id=token.claims["sub"])
        if await self._sessions.end(request.path_params["id"], ending):
            return no_content()
        return refusal(request, Reason.ROUTE_NOT_FOUND, "There is no such session.")


def describe(session: Session) -> dict[str, Any]:
    """Return a session as JSON; times are whole seconds since the epoch, as in tokens."""
    return {
        "id": session.id,
        "created_at": int(session.created_at_s),
        "refreshed_at": int(session.refreshed_at_s),
        "expires_at": int(min(session.idle_expires_at_s, session.expires_at_s)),
        "address": session.address,
        "user_agent": session.user_agent,
    }


def _token_of(request: Request) -> VerifiedToken | None:
    """Return the token that the data plane has verified; it asks for one at these endpoints."""
    return getattr(request.state, "token", None)


async def _wants_all(request: Request) -> bool:
    """Whether a logout is meant for all sessions; the body may be absent.

    Raises:
        ProtocolError: ``bad_request``: there is an ``all`` that is neither true nor false.
    """
    if not await request.body():
        return False
    chosen = (await read_members(request)).get("all", False)
    if chosen is True or chosen == "true":  # a form has only text
        return True
    if chosen is False or chosen == "false":
        return False
    raise ProtocolError(Reason.BAD_REQUEST, "'all' is true or false.")
