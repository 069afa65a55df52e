"""A request whose answer somebody else is still asked about: another process, or a database.

It holds the client's body back while it waits, and then hands the client over to the call that
comes of it. Only requests that need it take this way.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from gateway.errors import Reason
from gateway.http1.request import RequestHead
from gateway.policy.model import Respond, Route
from gateway.proxy.bridge import MAX_BODY_BYTES
from gateway.proxy.roles import Call, Client

log = logging.getLogger(__name__)


class Deferred:
    """A call that is not decided yet.

    Args:
        client: Who asks.
        head: The head of the request.
        route: The route that took it, whose limit of a body counts from the start; None where an
            own endpoint did.
        finding: Finds the call, not yet started, or the refusal; it has a deadline of its own, and
            where it raises, the request is refused.
    """

    __slots__ = (
        "_client",
        "_ended",
        "_finding",
        "_gone",
        "_head",
        "_pending",
        "_task",
        "max_body_bytes",
        "route",
    )

    def __init__(
        self,
        client: Client,
        head: RequestHead,
        route: Route | None,
        finding: Coroutine[Any, Any, Call | Respond],
    ) -> None:
        self._client = client
        self._head = head
        self._finding = finding
        self.route = route
        self.max_body_bytes = MAX_BODY_BYTES if route is None else route.max_body_bytes
        self._pending: list[bytes] = []  # of the body, until then
        self._ended = False  # the body has come to its end
        self._gone = False
        self._task: asyncio.Task[None] | None = None

    @property
    def answered(self) -> bool:
        """Nothing has: there is no answer yet."""
        return False

    def start(self) -> None:
        """Begin to find out; what has come of the body is held, and no more is read."""
        if self._head.fields.has_body:
            self._client.pause_reading()
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(_tell_of_failure)

    def on_body(self, data: bytes) -> None:
        """Hold more of the body."""
        self._pending.append(data)

    def on_body_end(self) -> None:
        """The body is complete."""
        self._ended = True

    def on_client_lost(self) -> None:
        """Give up; what was asked has a deadline, and to break it off would cost a connection."""
        self._gone = True

    def pause_answer(self) -> None:
        """Nothing to do: there is no answer yet."""

    def resume_answer(self) -> None:
        """Nothing to do."""

    async def _run(self) -> None:
        found: Call | Respond = Respond(Reason.INTERNAL_ERROR)
        try:
            found = await self._finding
        except asyncio.CancelledError:  # the loop ends
            self._gone = True
            raise
        finally:  # whatever it raises, the client is answered; and at once, since what was found
            if not self._gone:  # counts as over while the client is not handed to it
                self._go_on(found)

    def _go_on(self, found: Call | Respond) -> None:
        if isinstance(found, Respond):
            reason = found.reason or Reason.INTERNAL_ERROR
            self._client.refuse(reason, found.detail, fields=found.fields)
            return
        self._client.hand_over(found)
        if self._head.fields.has_body:
            self._client.resume_reading()
        found.start()
        pending, self._pending = self._pending, []
        for data in pending:
            found.on_body(data)
        if self._ended:
            found.on_body_end()


def _tell_of_failure(task: asyncio.Task[None]) -> None:
    failure = None if task.cancelled() else task.exception()
    if failure is not None:
        log.error("a request could not be decided; refusing it", exc_info=failure)
