"""``POST /revocations`` of the admin API: one token, one session, or all of a user.

For what the lists do not show: a token that was found in a log, or one that was made without a
session (``gateway token issue``). Whether there is such a thing is not asked.
"""

from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.admin_reading import bad_request, parse_text, read_known_members
from gateway.control.answers import no_content
from gateway.issuer.revoker import Revoker
from gateway.issuer.sessions import Ending, Sessions
from gateway.store import sessions
from gateway.store.engine import Writing
from gateway.store.revocations import Revocation
from gateway.store.sessions import EndReason

_KNOWN: Final = frozenset(("jti", "expires_at", "sid", "sub"))
_MAX_TIME_S: Final = 253_402_300_799  # the end of the year 9999; no token says more


class RevocationEndpoint:
    """Revokes by the claims of a token."""

    __slots__ = ("_clock", "_revoker", "_sessions")

    def __init__(self, revoker: Revoker, sessions: Sessions, clock: Callable[[], float]) -> None:
        self._revoker = revoker
        self._sessions = sessions
        self._clock = clock  # gives seconds since the epoch

    async def add(self, request: Request) -> Response:
        """Revoke what the body names; done when this answers, on this host."""
        members = await read_known_members(request, _KNOWN)
        match sorted(members):
            case ["expires_at", "jti"]:
                expires_at_s = _parse_time(members["expires_at"])
                await self._revoke_token(parse_text(members["jti"]), expires_at_s)
            case ["sid"]:
                await self._revoke_session(parse_text(members["sid"]))
            case ["sub"]:
                ending = Ending(reason=EndReason.REVOKED, now_s=self._clock())
                await self._sessions.end_all(parse_text(members["sub"]), ending)
            case _:
                raise bad_request("A revocation has jti and expires_at, or sid, or sub.")
        return no_content()

    async def _revoke_token(self, token_id: str, expires_at_s: float) -> None:
        async def work(_: Writing) -> tuple[None, list[Revocation]]:
            return None, [self._revoker.of_token(token_id, expires_at_s)]

        await self._revoker.carry_out(work)

    async def _revoke_session(self, session_id: str) -> None:
        """End the session too, where there is one: else a refresh would bring it back."""
        now_s = self._clock()

        async def work(tx: Writing) -> tuple[None, list[Revocation]]:
            await sessions.end(tx, session_id, reason=EndReason.REVOKED, now_s=now_s)
            return None, [self._revoker.of_session(session_id, now_s)]

        await self._revoker.carry_out(work)


def _parse_time(value: Any) -> float:  # noqa: ANN401 (a JSON value)
    """Return *value* if it is a time as tokens have it."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= _MAX_TIME_S:
        raise bad_request("'expires_at' is the token's exp: seconds since the epoch.")
    return float(value)
