"""A websocket between a client and a service: bytes both ways, each at the pace of its reader.

It takes the place of the ``Exchange`` whose handshake has succeeded. The gateway says nothing of
its own within it but one thing: why it ends. A close frame can stand only between two frames, so
each direction passes through a ``FrameCutter``.

The rule to keep in mind: once it is to end, nothing passes but the rest of the frame at hand, and
that not for long.
"""

import secrets
from typing import Final

from gateway.errors import Reason, UpstreamError
from gateway.http1.frames import CloseCode, FrameCutter, close_frame
from gateway.http1.response import ResponseHead
from gateway.observe.access import Record
from gateway.policy.model import Forward, Route
from gateway.policy.tokens import VerifiedToken
from gateway.proxy.roles import Client
from gateway.proxy.sweeper import NEVER
from gateway.proxy.upstream import UpstreamConnection

# For a frame at hand to end, and for the service to close its side. The sweeper may take as long
# again: together that is within a second.
END_S: Final = 0.4
HALF_CLOSED_S: Final = 10.0  # without a byte from the service, once the client has closed its side
_SWITCHING_PROTOCOLS: Final = 101
_MASK_BYTES: Final = 4
_CODES: Final = {
    Reason.UPSTREAM_TIMEOUT: CloseCode.GOING_AWAY,
    Reason.STORE_UNAVAILABLE: CloseCode.TRY_AGAIN_LATER,
    Reason.INTERNAL_ERROR: CloseCode.TRY_AGAIN_LATER,
}


class Tunnel:
    """What an exchange has become: a ``Duplex`` for the client, a ``TunnelRelay`` for the service.

    Args:
        client: The connection that the handshake came on.
        connection: To the service; used for nothing else any more.
        forward: What was decided.
        head: The answer to the handshake.
        record: Where it is told of.
    """

    __slots__ = (
        "__weakref__",
        "_client",
        "_code",
        "_connection",
        "_forward",
        "_head",
        "_idle_s",
        "_record",
        "_sweeper",
        "_to_client",
        "_to_service",
        "_told_client",
        "_told_service",
        "answered",
        "deadline_s",
        "is_over",
        "request_done",
    )

    def __init__(
        self,
        client: Client,
        connection: UpstreamConnection,
        forward: Forward,
        head: bytes,
        record: Record | None,
    ) -> None:
        self._client = client
        self._connection = connection
        self._forward = forward
        self._head = head
        self._record = record
        self._sweeper = connection.sweeper
        self._idle_s = connection.limits.tunnel_idle_timeout_s
        self._to_client = FrameCutter()
        self._to_service = FrameCutter()
        self._code: CloseCode | None = None  # why the gateway ends it; None: it does not
        self._told_client = False
        self._told_service = False
        self.is_over = False
        self.answered = True
        self.request_done = True
        self.deadline_s = NEVER

    @property
    def route(self) -> Route:
        """Whose tunnel it is."""
        return self._forward.route

    @property
    def max_body_bytes(self) -> int:
        """How long the handshake's body may be; it has none."""
        return 0

    @property
    def is_websocket(self) -> bool:
        """It is one."""
        return True

    @property
    def token(self) -> VerifiedToken | None:
        """What it ends with."""
        return self._forward.token

    def start(self) -> None:
        """Answer the handshake; what the client has sent too early goes to the service now."""
        if self._record is not None:
            self._record.on_head(_SWITCHING_PROTOCOLS, 0)
        self._sweeper.watch(self)
        self._arm()
        self.on_body(self._client.switch(self, self._head))
        if self._client.draining:
            self.on_drain()

    # --- from the client ---

    def on_body(self, data: bytes) -> None:
        """Pass bytes on to the service."""
        if self._record is not None:
            self._record.received_bytes += len(data)
        data = self._to_service.feed(data)
        if data:
            self._connection.write(data)
        self._go_on()

    def on_body_end(self) -> None:
        """Nothing: a tunnel has no body."""

    def on_client_eof(self) -> bool:
        """Pass the end on; the service may still have something to say, if it does so soon."""
        if self.is_over or self._code is not None:
            return False
        self._idle_s = min(self._idle_s, HALF_CLOSED_S)
        self._arm()
        self._connection.end()
        return True

    def on_client_lost(self) -> None:
        """End the service's side too, behind what the client has sent."""
        self._finish()

    def on_drain(self) -> None:
        """Send both away: this process is about to end."""
        self._end(CloseCode.GOING_AWAY, Reason.DRAINING)

    def pause_answer(self) -> None:
        """Read no more from the service: the client does not keep up."""
        self._connection.pause_reading()

    def resume_answer(self) -> None:
        """Read on."""
        self._connection.resume_reading()

    # --- from the service ---

    def on_interim(self, response: ResponseHead) -> None:
        """Nothing: it is no HTTP any more."""

    def on_switch(self, response: ResponseHead) -> None:  # noqa: ARG002 (the protocol's)
        """Nothing: it has switched."""
        return

    def on_response(self, response: ResponseHead, piece: bytes, *, done: bool) -> None:
        """Nothing: it is no HTTP any more."""

    def on_response_body(self, piece: bytes, *, done: bool) -> None:  # noqa: ARG002
        """Pass bytes on to the client."""
        if self.is_over:
            return
        data = self._to_client.feed(piece)
        if data:
            if self._record is not None:
                self._record.sent_bytes += len(data)
            self._client.write(data)
        self._go_on()

    def on_upstream_eof(self) -> None:
        """End: a service closes its side when all is said."""
        self._finish()

    def on_upstream_failed(self, error: UpstreamError, *, unanswered: bool) -> None:  # noqa: ARG002
        """End the client's side too, behind what the service has sent."""
        if self.is_over:
            self._sweeper.forget(self)
            return
        if self._record is not None and self._code is None:
            self._record.reason = error.reason
        self._finish()

    def pause_request(self) -> None:
        """Take no more from the client: the service does not keep up."""
        self._client.pause_reading()

    def resume_request(self) -> None:
        """Take on."""
        self._client.resume_reading()

    # --- from the watch over ends, and the sweeper ---

    def on_end(self, reason: Reason) -> None:
        """End both sides, and tell them why."""
        self._end(_CODES.get(reason, CloseCode.POLICY_VIOLATION), reason)

    def on_deadline(self) -> None:
        """Nothing has passed for long, or what should have ended has not."""
        if self.is_over:
            self._sweeper.forget(self)
            self._connection.abandon()
        elif self._code is None:
            self._end(CloseCode.GOING_AWAY, Reason.REQUEST_TIMEOUT)
        else:
            if not self._told_client:  # a close frame within another would be taken for its bytes
                self._client.abort()
            self._finish()

    # --- how ---

    def _end(self, code: CloseCode, reason: Reason) -> None:
        if self.is_over or self._code is not None:
            return
        self._code = code
        if self._record is not None:
            self._record.reason = reason
        self._to_client.end()
        self._to_service.end()
        self.deadline_s = self._sweeper.now_s + END_S
        self._go_on()

    def _go_on(self) -> None:
        """Wait anew for the next bytes; or send the close frames that can be sent now."""
        code = self._code
        if code is None:
            self._arm()
            return
        if self._to_client.is_cut and not self._told_client:
            self._told_client = True
            if not self._to_client.has_closed:
                self._client.write(close_frame(code))
        if self._to_service.is_cut and not self._told_service:
            self._told_service = True
            if not self._to_service.has_closed:
                self._connection.write(close_frame(code, secrets.token_bytes(_MASK_BYTES)))
        if self._told_client and self._told_service:
            self._finish()

    def _finish(self) -> None:
        """Close both sides behind what is written; the service has a moment to close its own."""
        if self.is_over:
            return
        self.is_over = True
        patience_s = HALF_CLOSED_S if self._code is None else END_S
        self.deadline_s = self._sweeper.now_s + patience_s
        self._client.end()
        self._connection.end()

    def _arm(self) -> None:
        self.deadline_s = self._sweeper.now_s + self._idle_s
