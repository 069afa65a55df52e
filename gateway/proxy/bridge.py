"""From a client's connection to the gateway's own endpoints: one ASGI call per request.

The endpoints take small bodies and give small answers, so both are whole in memory; that is what
lets the connection go on being used for forwarded and own requests alike.
"""

import asyncio
import logging
from typing import Any, Final
from urllib.parse import unquote

from starlette.types import Message

from gateway.errors import Reason
from gateway.observe.access import Record
from gateway.policy.forwarding import client_of
from gateway.policy.model import Request, Serve
from gateway.proxy.answers import CONTINUE, build_answer, connection_fields
from gateway.proxy.roles import Client
from gateway.proxy.worker import Worker

log = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 64 * 1024  # DESIGN.md section 3


class ControlCall:
    """A request that one of the gateway's own endpoints answers."""

    __slots__ = (
        "_answer",
        "_body",
        "_client",
        "_fields",
        "_record",
        "_request",
        "_state",
        "_task",
        "_worker",
    )

    def __init__(
        self,
        client: Client,
        request: Request,
        serve: Serve,
        worker: Worker,
        record: Record | None = None,
    ) -> None:
        self._client = client
        self._request = request
        self._worker = worker
        self._record = record
        self._state: dict[str, Any] = {
            "token": serve.token,
            "refused": serve.refused,
            "request_id": request.request_id.decode("ascii"),
        }
        self._body: list[bytes] = []
        self._fields: Message = {}
        self._answer: list[bytes] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def route(self) -> None:
        """None: it is the gateway's own."""
        return None

    @property
    def max_body_bytes(self) -> int:
        """How long the request's body may be."""
        return MAX_BODY_BYTES

    @property
    def answered(self) -> bool:
        """The answer is one write, with which the call ends."""
        return False

    def start(self) -> None:
        """Answer at once, or as soon as the body is here."""
        head = self._request.head
        if not head.fields.has_body:
            self.on_body_end()
        elif head.expects_continue:
            self._client.write(CONTINUE)

    # --- from the client ---

    def on_body(self, data: bytes) -> None:
        """Keep more of the body; the connection has capped it."""
        self._body.append(data)

    def on_body_end(self) -> None:
        """Let the endpoint answer."""
        call = self._worker.control(self._scope(), self._receive, self._send)
        self._task = asyncio.get_running_loop().create_task(_run(call))
        self._task.add_done_callback(self._on_done)

    def on_client_lost(self) -> None:
        """Give no answer. What a verified token has asked for is done all the same.

        A page that sends its logout and is left, an app that is ended: they mean it. Everything
        else stops, since anybody can ask for it and go away.
        """
        task = self._task
        if task is None:
            return
        task.remove_done_callback(self._on_done)
        if self._state["token"] is None:
            task.cancel()
        else:
            self._worker.unattended.add(task)
            task.add_done_callback(self._worker.unattended.discard)

    def pause_answer(self) -> None:
        """Nothing to do: the answer is one small write."""

    def resume_answer(self) -> None:
        """Nothing to do."""

    # --- the ASGI call ---

    def _scope(self) -> dict[str, Any]:
        head = self._request.head
        client = client_of(self._worker.snapshot, self._request)
        fields = [
            *head.fields.lines,
            *head.fields.cookies,
            *(line for _, _, line in head.fields.credentials),
        ]
        headers = [(name.lower(), value.strip(b" \t")) for name, _, value in map(_split, fields)]
        if head.fields.authority is not None:
            headers.append((b"host", head.fields.authority))
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": f"1.{head.minor}",
            "method": head.method.decode("ascii"),
            "scheme": "https" if self._request.secure else "http",
            "path": unquote(head.target.path.decode("ascii")),
            "raw_path": head.target.path,
            "query_string": head.target.query[1:],
            "root_path": "",
            "headers": headers,
            "client": (client, 0),  # its port is not known behind a proxy, and nobody asks
            "server": None,
            "state": self._state,
        }

    async def _receive(self) -> Message:
        body, self._body = self._body, []
        return {"type": "http.request", "body": b"".join(body), "more_body": False}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._fields = message
        else:
            self._answer.append(message.get("body", b""))

    def _on_done(self, task: asyncio.Task[None]) -> None:
        """Write the answer; an endpoint that raised or gave none has failed."""
        failure = None if task.cancelled() else task.exception()
        if failure is not None or not self._fields:
            log.error("the control plane failed to answer", exc_info=failure)
            self._client.refuse(Reason.INTERNAL_ERROR)
            return
        head = self._request.head
        keep_alive = head.keep_alive and not self._client.draining
        fields = self._worker.date().copy()
        fields += [f for f in self._fields["headers"] if f[0].lower() != b"content-length"]
        fields += connection_fields(head, keep_alive=keep_alive)
        body = b"".join(self._answer)
        head_method = head.method == b"HEAD"
        status = self._fields["status"]
        if self._record is not None:
            reason = self._state.get("reason")  # as ``control`` leaves it with a refusal
            self._record.on_served(status, reason, 0 if head_method else len(body))
        self._client.write(build_answer(status, fields, body, head_method=head_method))
        self._client.finish(keep_alive=keep_alive)


async def _run(call: Any) -> None:  # noqa: ANN401 (an ASGI application's awaitable)
    await call


def _split(line: bytes) -> tuple[bytes, bytes, bytes]:
    return line.partition(b":")
