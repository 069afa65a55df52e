"""A request whose answer somebody else is still asked about: another process, or a database.

It holds the client's body back while it waits, and then goes on as the call that comes of it. Only
requests of routes that need it take this way.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from gateway.errors import Reason
from gateway.http1.request import RequestHead
from gateway.policy.model import Respond, Route
from gateway.proxy.roles import Call, Client

log = logging.getLogger(__name__)


class Deferred:
    """A call that is not decided yet.

    Args:
        client: Who asks.
        head: The head of the request.
        route: The route that took it; its limit of a body counts from the start.
        finding: Finds the call, not yet started, or the refusal; it has a deadline of its own, and
            where it raises, the request is refused.
    """

    __slots__ = (
        "_call",
        "_client",
        "_ended",
        "_finding",
        "_gone",
        "_head",
        "_pending",
        "_route",
        "_task",
    )

    def __init__(
        self,
        client: Client,
        head: RequestHead,
        route: Route,
        finding: Coroutine[Any, Any, Call | Respond],
    ) -> None:
        self._client = client
        self._head = head
        self._finding = finding
        self._route = route
        self._call: Call | None = None  # once it is known
        self._pending: list[bytes] = []  # of the body, until then
        self._ended = False  # the body has come to its end
        self._gone = False
        self._task: asyncio.Task[Call | Respond] | None = None

    @property
    def route(self) -> Route:
        """Whose request it is."""
        return self._route

    @property
    def max_body_bytes(self) -> int:
        """How long the request's body may be."""
        return self._route.max_body_bytes

    @property
    def answered(self) -> bool:
        """Whether bytes of the answer have gone out."""
        return self._call is not None and self._call.answered

    def start(self) -> None:
        """Begin to find out; what has come of the body is held, and no more is read."""
        if self._head.fields.has_body:
            self._client.pause_reading()
        self._task = asyncio.get_running_loop().create_task(self._finding)
        self._task.add_done_callback(self._on_found)

    def on_body(self, data: bytes) -> None:
        """Pass more of the body on, or hold it."""
        if self._call is not None:
            self._call.on_body(data)
        else:
            self._pending.append(data)

    def on_body_end(self) -> None:
        """The body is complete."""
        self._ended = True
        if self._call is not None:
            self._call.on_body_end()

    def on_client_lost(self) -> None:
        """Give up; what was asked has a deadline, and to break it off would cost a connection."""
        self._gone = True
        if self._call is not None:
            self._call.on_client_lost()

    def pause_answer(self) -> None:
        """Write no more for now."""
        if self._call is not None:
            self._call.pause_answer()

    def resume_answer(self) -> None:
        """Write on."""
        if self._call is not None:
            self._call.resume_answer()

    def _on_found(self, task: asyncio.Task[Call | Respond]) -> None:
        if task.cancelled():  # the loop ends
            return
        failure = task.exception()
        if failure is not None:
            log.error("a request could not be decided; refusing it", exc_info=failure)
        if self._gone:
            return
        found = Respond(Reason.INTERNAL_ERROR) if failure is not None else task.result()
        if isinstance(found, Respond):
            reason = found.reason or Reason.INTERNAL_ERROR
            self._client.refuse(reason, found.detail, fields=found.fields)
            return
        self._call = found
        if self._head.fields.has_body:
            self._client.resume_reading()
        found.start()
        pending, self._pending = self._pending, []
        for data in pending:
            found.on_body(data)
        if self._ended:
            found.on_body_end()
