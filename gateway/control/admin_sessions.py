"""``/sessions`` of the admin API: everybody's sessions, and ending them."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.admin_reading import PageQuery, parse_page_query, read_nothing
from gateway.control.answers import json_answer, no_content, refusal
from gateway.control.sessions import describe
from gateway.errors import Reason
from gateway.issuer.sessions import Ending, Sessions
from gateway.store.sessions import EndReason, Session


class AllSessionEndpoints:
    """Answers about the sessions of all users, those of the configuration file too."""

    __slots__ = ("_clock", "_sessions")

    def __init__(self, sessions: Sessions, clock: Callable[[], float]) -> None:
        self._sessions = sessions
        self._clock = clock  # gives seconds since the epoch

    async def list_page(self, request: Request) -> Response:
        """``GET /sessions``: a page of the live ones, in the order of their ids."""
        query = parse_page_query(request, takes_user=True)
        page, cursor = query.cut(await self._find(query), lambda session: session.id)
        return json_answer({"sessions": [_describe(session) for session in page], "next": cursor})

    async def end(self, request: Request) -> Response:
        """``DELETE /sessions/{id}``."""
        await read_nothing(request)
        if await self._sessions.end(request.path_params["id"], self._ending()):
            return no_content()
        return refusal(request, Reason.ROUTE_NOT_FOUND, "There is no such session.")

    async def end_all_of_user(self, request: Request) -> Response:
        """``DELETE /users/{id}/sessions``: all of them, and the access tokens without session."""
        await read_nothing(request)
        await self._sessions.end_all(request.path_params["id"], self._ending())
        return no_content()

    async def _find(self, query: PageQuery) -> list[Session]:
        """Return one more than the page has, where there are so many."""
        now_s, size = self._clock(), query.limit + 1
        if query.user_id is None:
            return await self._sessions.list_page(now_s=now_s, after=query.after, limit=size)
        found = await self._sessions.list_of_user(query.user_id, now_s)
        ordered = sorted(found, key=lambda session: session.id)
        return [session for session in ordered if session.id > query.after][:size]

    def _ending(self) -> Ending:
        return Ending(reason=EndReason.REVOKED, now_s=self._clock())


def _describe(session: Session) -> dict[str, Any]:
    return {**describe(session), "user_id": session.user_id}
