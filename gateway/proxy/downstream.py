"""One client connection: from bytes to decision, one request at a time, answers in order.

The bytes behind a request wait until its answer is complete; reading pauses when they become many.
Nothing is awaited between the last byte of a head and the decision, and nothing that comes later (a
body, a pipelined request) can change it.

``uvicorn`` makes one of these per accepted connection and calls ``shutdown`` when it drains.
"""

import asyncio
from collections.abc import Iterable, MutableSet
from typing import Any, Final, cast

from gateway.errors import ProtocolError, Reason
from gateway.http1.request import RequestHead
from gateway.observe.access import Record
from gateway.policy.forwarding import make_request
from gateway.policy.model import Request, Respond, Snapshot
from gateway.proxy.answers import Refusal, goes_on
from gateway.proxy.body import BodyReader
from gateway.proxy.closing import reset_on_close
from gateway.proxy.dispatch import body_reader, dispatch
from gateway.proxy.heads import HeadReader
from gateway.proxy.intake import TURN_BYTES, Intake
from gateway.proxy.pace import Pace
from gateway.proxy.roles import Call, Duplex
from gateway.proxy.states import CLOSED, EXCHANGE, HEAD, IDLE, LINGER, TUNNEL
from gateway.proxy.sweeper import NEVER
from gateway.proxy.worker import Worker

LINGER_S: Final = 2.0  # how long unread bytes are thrown away so that the client sees the answer
HALF_CLOSED_S: Final = 1.0  # for the answer, once the client has closed its side
TURN_REQUESTS: Final = 32  # refused in a row, before others have their turn: 2 ms


class Downstream(asyncio.Protocol):
    """A client connection.

    Args:
        worker: What all connections share.
        connections: The open connections of this process; it adds and removes itself.
    """

    __slots__ = (
        "_body", "_call", "_connections", "_ending", "_half_closed", "_heads", "_intake", "_pace",
        "_peer", "_record", "_request", "_secure", "_state", "_transport", "_tunnel", "_worker",
        "_writable", "deadline_s", "draining",
    )  # fmt: skip

    def __init__(self, worker: Worker, connections: MutableSet[Any]) -> None:
        # for the process's life
        self._worker = worker
        self._connections = connections
        # for the connection's life
        self._transport: asyncio.Transport
        self._peer = ""
        self._secure = False
        self._state = IDLE
        self._heads = HeadReader()
        self._intake: Intake
        self._writable = True
        self.draining = worker.draining  # the next answer says that the connection ends
        self._ending = False  # and so does this one, though it may not say so
        self._half_closed = False
        self.deadline_s = NEVER
        # for one request
        self._request: Request | None = None
        self._record: Record | None = None  # where requests are told of
        self._body: BodyReader | None = None  # while more of the body has to come
        self._call: Call | None = None
        self._tunnel: Duplex | None = None  # what the call has become

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the connection's life; the first head is due at once."""
        self._transport = cast("asyncio.Transport", transport)
        peer = self._worker.admission.admit(self._transport, len(self._connections), self._worker)
        if peer is None:
            self._state = CLOSED
            return
        self._peer = peer
        self._connections.add(self)
        self._intake = Intake(self._transport, self._worker.snapshot.limits.buffer_bytes)
        self._secure = transport.get_extra_info("sslcontext") is not None
        self._worker.sweeper.watch(self)
        self.deadline_s = self._worker.sweeper.now_s + self._worker.snapshot.limits.head_timeout_s

    def data_received(self, data: bytes) -> None:
        """Take in bytes: of a body, of the next head, or to be held until it is their turn."""
        if self._state is EXCHANGE:
            if self._body is not None:
                self._on_body_bytes(data)
            else:
                self._hold(data)
        elif self._state is IDLE or self._state is HEAD:
            if self._intake.held or not self._writable:
                self._hold(data)
            else:
                self._on_head_bytes(data)
        elif self._tunnel is not None:
            self._tunnel.on_body(data)
        if len(data) >= TURN_BYTES:
            self._intake.give_way()

    def eof_received(self) -> bool:
        """Let what was asked before be answered shortly after the client has closed its side."""
        if self._tunnel is not None:
            return self._tunnel.on_client_eof() and not self._secure
        awaited = self._state is EXCHANGE or self._intake.held
        if self._secure or self._body is not None or not awaited:
            return False  # asyncio's transports for TLS close both sides with one
        self._half_closed = True
        self._arm()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        """End the connection's life and what it was waiting for."""
        self._state = CLOSED
        self.deadline_s = NEVER
        self._worker.sweeper.forget(self)
        self._worker.admission.leave(self._peer)
        self._connections.discard(self)
        self._end_record(aborted=True)
        call, self._call, self._body = self._call, None, None
        if call is not None:
            call.on_client_lost()

    def pause_writing(self) -> None:
        """The client does not keep up: take no more of the answer."""
        self._writable = False
        self._arm()
        if self._call is not None:
            self._call.pause_answer()

    def resume_writing(self) -> None:
        """It does again."""
        self._writable = True
        self._arm()
        if self._call is not None:
            self._call.resume_answer()
        else:
            self._go_on()

    # --- uvicorn and the sweeper ---

    def shutdown(self) -> None:
        """Drain: answer what is begun, take nothing new."""
        self.draining = self._ending = True
        if self._state is IDLE:
            self._close()
        elif self._tunnel is not None:
            self._tunnel.on_drain()

    def on_deadline(self) -> None:
        """Give up what was awaited: a head, a body, a reader, or the end of lingering."""
        if not self._writable:
            self.abort()
        elif self._state is EXCHANGE and self._body is not None:
            self._fail_request(ProtocolError(Reason.REQUEST_TIMEOUT))
        elif self._state is HEAD:
            self._refuse_head(ProtocolError(Reason.REQUEST_TIMEOUT))
        elif self._state is IDLE or (self._state is LINGER and self._secure):
            self._close()
        else:
            self.abort()

    # --- for the call ---

    def write(self, data: bytes) -> None:
        """Send bytes of the answer."""
        if self._half_closed:
            self._arm()
        if self._state is not CLOSED:
            self._transport.write(data)

    def refuse(
        self, reason: Reason, detail: str = "", fields: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        """Answer with a refusal; only while nothing of an answer was sent."""
        call, self._call = self._call, None
        route = call.route if call is not None else None
        respond = Respond(reason, detail, route=route, fields=fields)
        self._answer_refusal(respond, unread=self._body is not None)

    def hand_over(self, call: Call) -> None:
        """Let *call* answer from now on, in place of the one that was not decided yet."""
        self._call = call

    def finish(self, *, keep_alive: bool) -> None:
        """The answer is complete: on to the next request, or close."""
        self._call = None
        if self._record is not None:
            self._end_record()
        if self._state is CLOSED:
            return
        if self._body is not None or not keep_alive or self._ending:
            self._close()
            return
        was_waiting = self._state is EXCHANGE
        self._state = IDLE
        self._request = None
        self._arm()
        if not self._intake.reading:
            self.resume_reading()
        if was_waiting and self._writable and (self._intake.held or self._half_closed):
            self._take_held()

    def is_served_by(self, call: Call) -> bool:
        """Whether *call* still answers."""
        return self._call is call

    def switch(self, tunnel: Duplex, head: bytes) -> bytes:
        """Answer with *head*, give *tunnel* all bytes from now on, and return those held."""
        self._state = TUNNEL
        self._call = self._tunnel = tunnel
        self._worker.tunnels.add(tunnel)
        self._worker.end_watch.watch(tunnel)
        self._arm()
        self.write(head)
        self.resume_reading()
        return self._intake.take()

    def end(self) -> None:
        """The tunnel is over: what is written still goes out, what comes is thrown away."""
        self._call = self._tunnel = None
        if self._state is not TUNNEL:
            return
        self._end_record()
        if self._secure:  # TLS has an end of its own, and the client waits for ours
            self._close()
        else:
            self._linger()

    def abort(self, *, reset: bool = False) -> None:
        """Cut the connection."""
        self._end_record(aborted=True)
        if reset:
            reset_on_close(self._transport)
        self._transport.abort()

    def date_line(self) -> bytes:
        """Return the line of ``Date`` for an answer that came without (RFC 9110 6.6.1)."""
        return b"".join(b"%b: %b\r\n" % field for field in self._worker.date())

    def pause_reading(self) -> None:
        """Take no more of the body for now; the client is not to blame for the delay."""
        if self._intake.pause():
            self._arm()

    def resume_reading(self) -> None:
        """Take on."""
        if self._intake.resume():
            self._arm()

    # --- heads ---

    def _on_head_bytes(self, data: bytes) -> None:
        """Begin one request after the other, until one has to be waited for."""
        snapshot = self._worker.snapshot
        for _ in range(TURN_REQUESTS):
            if not data:
                return
            try:
                head, data = self._heads.feed(data, snapshot)
            except ProtocolError as error:
                self._refuse_head(error, data)
                return
            if head is None:
                if self._state is IDLE:
                    self._state = HEAD
                    self._arm()
                return
            self._state = IDLE
            data = self._begin(head, data, snapshot)
            if self._state is not IDLE or not self._writable:
                if data and self._state is not LINGER:
                    self._hold(data)
                return
        self._go_on_later(data)

    def _go_on_later(self, data: bytes) -> None:
        """Let other connections have their turn before the next request of this one."""
        if data:
            self._hold(data)
            self.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """Take what is held; no more comes meanwhile, so that what is held stays bounded."""
        if self._state is IDLE and self._writable:
            self.resume_reading()
            self._take_held()

    def _begin(self, head: RequestHead, data: bytes, snapshot: Snapshot) -> bytes:
        """Decide on one request and begin to answer it; return the bytes that were not its own."""
        worker = self._worker
        self._request = request = make_request(
            snapshot, head, peer=self._peer, secure=self._secure, new_id=worker.new_request_id()
        )
        if worker.access is not None:
            self._record = worker.access.begun(request, self._peer)
        call = dispatch(self, worker, snapshot, request, self._record)
        if isinstance(call, Respond):
            self._answer_refusal(call, unread=head.fields.has_body)
            return data
        self._body = body_reader(head, call)
        if self._body is not None:
            self._pace = Pace()  # there is one while there is a body
        self._state = EXCHANGE
        self._call = call
        self._arm()
        call.start()
        if self._body is None or not data:
            return data
        self._on_body_bytes(data)
        return b""

    def _hold(self, data: bytes) -> None:
        if self._intake.hold(data):
            self.pause_reading()

    def _take_held(self) -> None:
        data = self._intake.take()
        if data:
            self._on_head_bytes(data)
        waits = self._state is IDLE or self._state is HEAD
        if self._half_closed and waits and not self._intake.held:
            self._close()  # the rest of a head can no longer come

    # --- bodies ---

    def _on_body_bytes(self, data: bytes) -> None:
        body, call = self._body, self._call
        if body is None or call is None:
            return
        self._pace.add(len(data), self._worker.sweeper.now_s)
        try:
            piece = body.feed(data)
        except ProtocolError as error:
            self._fail_request(error)
            return
        if self._record is not None:
            self._record.received_bytes += len(piece)
        if piece:
            call.on_body(piece)
        if body.done:
            self._body = None
            if body.rest:
                self._hold(body.rest)
            call.on_body_end()
        self._arm()

    def _fail_request(self, error: ProtocolError) -> None:
        """The body broke off or broke the rules: the service must not take it for complete."""
        call, self._call = self._call, None
        if call is not None:
            call.on_client_lost()
        if call is not None and call.answered:
            if self._record is not None:
                self._record.reason = error.reason
            self.abort()
        else:
            route = call.route if call is not None else None
            self._answer_refusal(Respond(error.reason, error.detail, route=route), unread=True)

    # --- answers of our own ---

    def _refuse_head(self, error: ProtocolError, data: bytes = b"") -> None:
        heads, self._heads = self._heads, HeadReader()
        self._request = None
        if self._worker.access is not None:
            self._record = self._worker.access.begun(None, self._peer)
        respond = Respond(error.reason, error.detail)
        self._answer_refusal(respond, unread=True, head_method=heads.asks_for_head(data))

    def _answer_refusal(self, respond: Respond, *, unread: bool, head_method: bool = False) -> None:
        """Write a whole answer and end the request; *unread*: more of it may still come."""
        request = self._request
        head = request.head if request is not None else None
        keep_alive = not unread and not self.draining and goes_on(head, respond)
        request_id = request.request_id if request else self._worker.new_request_id()
        answer = Refusal(respond, request_id, head, head_method=head_method)
        if self._record is not None:
            self._record.on_refusal(respond, request_id, answer.sent_bytes)
        self.write(answer.encode(self._worker.date(), keep_alive=keep_alive))
        if keep_alive:
            self.finish(keep_alive=True)
        elif self._secure and not unread:
            self._close()
        else:
            self._linger()

    def _end_record(self, *, aborted: bool = False) -> None:
        """Tell of the request that has ended, once and here only (HOUSE.md R14)."""
        record, self._record = self._record, None
        if record is not None and self._worker.access is not None:
            record.aborted = aborted
            self._worker.access.finished(record)

    # --- closing and deadlines ---

    def _close(self) -> None:
        """Close once everything is written."""
        if self._body is not None or self._intake.held:
            self._linger()
        else:
            self._state = CLOSED
            self._arm()
            self._transport.close()

    def _linger(self) -> None:
        """Close our side and throw away what still comes.

        Closing at once would make the kernel answer those bytes with a reset, which can destroy the
        answer before the client has read it (RFC 9112 section 9.6).
        """
        self._end_record()
        if self._half_closed or self._transport.is_closing():
            self._state = CLOSED
            self._transport.close()
            return
        self._state = LINGER
        self._body = None
        self._intake.take()
        self.resume_reading()
        self._arm()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _arm(self) -> None:
        """Set the one deadline anew: something has happened, and this is awaited next."""
        state, limits = self._state, self._worker.snapshot.limits
        if not self._writable or state is CLOSED:
            timeout_s = limits.write_timeout_s  # for the client to take what is written
        elif state is IDLE:
            timeout_s = limits.idle_timeout_s
        elif state is HEAD:
            timeout_s = limits.head_timeout_s
        elif state is LINGER:
            unsent = self._transport.get_write_buffer_size()
            timeout_s = limits.write_timeout_s if unsent else LINGER_S
        elif self._half_closed:
            timeout_s = HALF_CLOSED_S
        elif self._body is not None and self._intake.reading:
            timeout_s = self._pace.patience_s(self._worker.sweeper.now_s, limits)
        else:
            timeout_s = NEVER  # services and tunnels have deadlines of their own
        self.deadline_s = self._worker.sweeper.now_s + timeout_s
