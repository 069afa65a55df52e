"""One request on its way to the service, and the answer on its way back.

It leases a connection, writes the head that the decision made, and relays both bodies as they come,
each at the pace of the slower side. Once the answer's head has gone out an error can only abort the
client's connection, so that a cut body is visibly cut.
"""

from gateway.errors import Reason, UpstreamError
from gateway.http1.chunked import LAST_CHUNK, encode_chunk
from gateway.http1.handshake import UPGRADE_LINES, has_switched
from gateway.http1.request import RequestHead
from gateway.http1.response import ResponseHead
from gateway.observe.access import Record
from gateway.policy.answer_edits import edit_answer
from gateway.policy.model import Forward, Route
from gateway.policy.tokens import VerifiedToken
from gateway.proxy.answers import CONTINUE
from gateway.proxy.pool import Group, Pool
from gateway.proxy.roles import Client
from gateway.proxy.tunnel import Tunnel
from gateway.proxy.upstream import UpstreamConnection

# > a proxy MUST NOT automatically retry non-idempotent requests   -- RFC 9110 section 9.2.2; PUT
# > and DELETE are left out as well, since services get those wrong.
_REPEATABLE = frozenset((b"GET", b"HEAD", b"OPTIONS"))


class _Trials:
    """What has been tried in vain; most requests need none."""

    __slots__ = ("met_stale", "pools")

    def __init__(self) -> None:
        self.met_stale = False  # on the endpoint that it is at
        self.pools: list[Pool] = []  # of the endpoints before that one


class Exchange:
    """A forwarded request; lives until its answer is complete or it has failed."""

    __slots__ = (
        "_chunked_answer",
        "_client",
        "_connection",
        "_ends_by_close",
        "_forward",
        "_head",
        "_keep_alive",
        "_pending",
        "_pool",
        "_record",
        "_trials",
        "answered",
        "request_done",
    )

    def __init__(
        self,
        client: Client,
        head: RequestHead,
        forward: Forward,
        pool: Pool,
        record: Record | None = None,
    ) -> None:
        self._client = client
        self._head = head
        self._forward = forward
        self._pool = pool
        self._record = record
        self._connection: UpstreamConnection | None = None
        self._pending: list[bytes] = []  # of the request's body, while there is no connection
        self._trials: _Trials | None = None
        self.answered = False  # the answer's head has gone out
        self._chunked_answer = False
        self._ends_by_close = False  # the answer's body does
        self._keep_alive = False
        self.request_done = not head.fields.has_body

    @property
    def route(self) -> Route:
        """Whose request it is."""
        return self._forward.route

    @property
    def max_body_bytes(self) -> int:
        """How long the request's body may be."""
        return self._forward.route.max_body_bytes

    def start(self, *, fresh: bool = False) -> None:
        """Ask for a connection and send the request as soon as there is one."""
        try:
            connection = self._pool.lease(self, fresh=fresh)
        except UpstreamError as error:
            self._client.refuse(error.reason, error.detail)
            return
        if connection is not None:
            self.on_lease(connection)
        elif not self.request_done:
            self._client.pause_reading()

    # --- from the pool ---

    def on_lease(self, connection: UpstreamConnection) -> None:
        """Send the request on *connection*."""
        self._connection = connection
        head = self._head
        if self._record is not None:
            self._record.endpoint = self._pool.endpoint
        if not self.request_done:  # first, since a service that does not keep up pauses it again
            self._client.resume_reading()
        connection.begin(
            self,
            self._head_bytes(),
            head_method=head.method == b"HEAD",
            response_timeout_s=self._forward.route.response_timeout_s,
        )
        if self._pending:
            connection.write(b"".join(self._pending))
            self._pending.clear()
        if head.expects_continue and not self.request_done:
            self._client.write(CONTINUE)

    def on_lease_failed(self, error: UpstreamError) -> None:
        """Go to another endpoint, since nothing was sent, or tell the client."""
        group = self._pool.group
        if group is not None:
            group.on_failure(self._pool, error)
            if error.reason is not Reason.UPSTREAM_OVERLOADED and self._go_elsewhere(group):
                return
        self._client.refuse(error.reason, error.detail)

    # --- from the client ---

    def on_body(self, data: bytes) -> None:
        """Send more of the request's body."""
        self._send(encode_chunk(data) if self._head.fields.chunked else data)

    def on_body_end(self) -> None:
        """The request's body is complete; trailers were dropped, framing is our own."""
        self.request_done = True
        if self._head.fields.chunked:
            self._send(LAST_CHUNK)
        if self._connection is not None:
            self._connection.await_answer()

    def on_client_lost(self) -> None:
        """Give up: nobody waits for the answer any more."""
        if self._connection is not None:
            self._connection.abandon()
        else:
            self._pool.cancel(self)

    def pause_answer(self) -> None:
        """Read no more of the answer: the client does not keep up."""
        if self._connection is not None:
            self._connection.pause_reading()

    def resume_answer(self) -> None:
        """Read on."""
        if self._connection is not None:
            self._connection.resume_reading()

    # --- from the service ---

    def on_interim(self, response: ResponseHead) -> None:
        """Pass 102 and 103 on; HTTP/1.0 knows none (RFC 9110 section 15.2)."""
        if self._head.minor == 1:
            self._client.write(self._passed_head(response) + b"\r\n")

    def on_switch(self, response: ResponseHead) -> Tunnel | None:
        """Hand over to a tunnel, where the service has proven that it opens one."""
        accept, connection = self._forward.accept, self._connection
        if accept is None or connection is None or not has_switched(response, accept):
            return None
        if self._pool.group is not None:
            self._pool.group.on_answer(self._pool, response.status)
        self._connection = None
        self.answered = True
        head = self._passed_head(response) + UPGRADE_LINES + b"\r\n"
        return Tunnel(self._client, connection, self._forward, head, self._record)

    def on_response(self, response: ResponseHead, piece: bytes, *, done: bool) -> None:
        """Send the answer's head, and what came of its body with it, in one write."""
        self.answered = True
        if self._pool.group is not None:
            self._pool.group.on_answer(self._pool, response.status)
        if self._record is not None:
            self._record.on_head(response.status, len(piece))
        framing = self._answer_framing(response)
        if self._chunked_answer:
            piece = self._framed(piece, done=done)
        if done:  # before the write: what it may pause is another exchange's connection by now
            self._connection = None
        client = self._client
        head = self._passed_head(response) if self._forward.route.edits_answers else response.head
        client.write(b"".join((head, framing, b"\r\n", piece)))
        if done:
            client.finish(keep_alive=self._keep_alive)

    def on_response_body(self, piece: bytes, *, done: bool) -> None:
        """Send more of the answer."""
        if self._record is not None:
            self._record.sent_bytes += len(piece)
        data = self._framed(piece, done=done)
        if done:
            self._connection = None
        if data:
            self._client.write(data)
        if done:
            self._client.finish(keep_alive=self._keep_alive)

    def on_upstream_failed(self, error: UpstreamError, *, unanswered: bool) -> None:
        """Try once more where that is safe, else refuse, else cut the answer visibly."""
        connection, self._connection = self._connection, None
        was_lost = unanswered and error.reason is Reason.UPSTREAM_UNREACHABLE
        was_stale = was_lost and connection is not None and connection.used
        group = self._pool.group
        if group is not None and not was_stale:
            group.on_failure(self._pool, error)
        if self.answered:
            if self._record is not None:
                self._record.reason = error.reason
            self._client.abort(reset=self._ends_by_close)
        elif was_stale and self._is_repeatable and not self._trials_so_far.met_stale:
            self._trials_so_far.met_stale = True
            self.start(fresh=True)
        elif not (was_lost and self._is_repeatable and group and self._go_elsewhere(group)):
            self._client.refuse(error.reason, error.detail)

    def pause_request(self) -> None:
        """Take no more of the request's body: the service does not keep up."""
        self._client.pause_reading()

    def resume_request(self) -> None:
        """Take on."""
        self._client.resume_reading()

    # --- from the watch over ends ---

    @property
    def is_over(self) -> bool:
        """Whether it answers no more."""
        return not self._client.is_served_by(self)

    @property
    def is_websocket(self) -> bool:
        """Whether it is the handshake of one."""
        return self._forward.accept is not None

    @property
    def token(self) -> VerifiedToken | None:
        """What it ends with: a handshake always does, an answer where the route says so."""
        forward = self._forward
        return forward.token if forward.route.ends_with_token or self.is_websocket else None

    def on_end(self, reason: Reason) -> None:
        """Cut the answer visibly, or refuse where nothing of it has gone out yet."""
        self.on_client_lost()
        self._connection = None
        if self.answered:
            if self._record is not None:
                self._record.reason = reason
            self._client.abort(reset=self._ends_by_close)
        else:
            self._client.refuse(reason)

    # --- how ---

    def _passed_head(self, response: ResponseHead) -> bytes:
        route = self._forward.route
        if not route.edits_answers:
            return response.head
        return edit_answer(route, self._head.fields, response.head)

    @property
    def _is_repeatable(self) -> bool:
        return self._head.method in _REPEATABLE and not self._head.fields.has_body

    @property
    def _trials_so_far(self) -> _Trials:
        if self._trials is None:
            self._trials = _Trials()
        return self._trials

    def _go_elsewhere(self, group: Group) -> bool:
        """Begin anew at another endpoint; False where there is none, or no more may be tried."""
        trials = self._trials_so_far
        trials.pools.append(self._pool)
        pool = group.choose_other(trials.pools)
        if pool is None:
            return False
        trials.met_stale = False
        self._pool = pool
        self.start()
        return True

    def _send(self, data: bytes) -> None:
        if self._connection is not None:
            self._connection.write(data)
        elif not self.answered:
            self._pending.append(data)

    def _head_bytes(self) -> bytes:
        forward, head = self._forward, self._head
        framing = b"\r\n"
        if head.fields.chunked:
            framing = b"Transfer-Encoding: chunked\r\n\r\n"
        elif head.fields.content_length is not None:
            framing = b"Content-Length: %d\r\n\r\n" % head.fields.content_length
        host = b""
        if not forward.names_host:
            host = b"Host: %b\r\n" % self._pool.endpoint.authority
        return b"".join((forward.request_line, host, forward.fields, framing))

    def _answer_framing(self, response: ResponseHead) -> bytes:
        """Choose how the answer's end is told to the client; return the last lines of its head."""
        head = self._head
        self._keep_alive = head.keep_alive and self.request_done and not self._client.draining
        framing = b""
        if response.bodiless:
            pass
        elif response.length_line:
            framing = response.length_line
        elif head.method != b"HEAD":
            if head.minor == 1:
                self._chunked_answer = True
                framing = b"Transfer-Encoding: chunked\r\n"
            else:
                self._ends_by_close = True
                self._keep_alive = False
        if not response.dated:
            framing += self._client.date_line()
        if not self._keep_alive:
            framing += b"Connection: close\r\n"
        elif head.minor == 0:
            framing += b"Connection: keep-alive\r\n"
        return framing

    def _framed(self, piece: bytes, *, done: bool) -> bytes:
        if not self._chunked_answer:
            return piece
        return encode_chunk(piece) + (LAST_CHUNK if done else b"")
