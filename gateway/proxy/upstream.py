"""One connection to a service: writes a request, reads its answer, and knows whether it is clean.

It goes back to the pool only when the response is complete, the request was sent to its end, both
sides keep the connection alive and not one byte too many has come. Bytes that nobody asked for
would be the answer to the next client's request (response-queue poisoning, CVE-2026-71324).
"""

import asyncio
import ssl
from typing import Final, Protocol, cast

from gateway.errors import ProtocolError, Reason, UpstreamError
from gateway.http1.chunked import ChunkedDecoder
from gateway.http1.response import ResponseHead
from gateway.policy.model import Limits, Upstream
from gateway.proxy.body import BodyReader, LengthReader, UntilCloseReader
from gateway.proxy.heads import ResponseHeadReader
from gateway.proxy.roles import Relay, TunnelRelay
from gateway.proxy.sweeper import NEVER, Sweeper

MAX_INTERIM_RESPONSES: Final = 16  # 1xx before the final response; hints come in ones and twos
_RELAYED_INTERIM: Final = frozenset((102, 103))  # 100 is ours to send; others have no meaning
_FINAL: Final = 200
_SWITCHING_PROTOCOLS: Final = 101


class Owner(Protocol):
    """Where the connection is at home: the pool."""

    upstream: Upstream
    limits: Limits
    sweeper: Sweeper

    def release(self, connection: "UpstreamConnection") -> None:
        """Take back a connection that is clean."""
        ...

    def on_connection_lost(self, connection: "UpstreamConnection") -> None:
        """Count a connection out."""
        ...

    def on_tls_failure(self, error: ssl.SSLError) -> None:
        """Say in the log why the service ended it."""
        ...


class UpstreamConnection(asyncio.Protocol):
    """A connection to one endpoint, used for one exchange at a time."""

    __slots__ = (
        "_blocked",
        "_body",
        "_head_method",
        "_heads",
        "_interim_count",
        "_pool",
        "_relay",
        "_response",
        "_response_timeout_s",
        "_tunnel",
        "_unanswered",
        "deadline_s",
        "transport",
        "used",
    )

    def __init__(self, pool: Owner) -> None:
        # for the connection's life
        self._pool = pool
        self._response_timeout_s = pool.upstream.response_timeout_s
        self._tunnel: TunnelRelay | None = None  # set: it is no HTTP any more
        self.transport: asyncio.Transport
        self.deadline_s = NEVER
        self.used = False  # for an exchange before: it may have been closed unnoticed
        self._blocked = False  # the service does not take what we write
        # for one exchange
        self._relay: Relay | None = None
        self._head_method = False
        self._unanswered = True
        self._interim_count = 0
        self._heads = ResponseHeadReader(pool.limits)
        self._response: ResponseHead | None = None
        self._body: BodyReader | None = None

    # --- for the exchange and the pool ---

    def begin(
        self,
        relay: Relay,
        head: bytes,
        *,
        head_method: bool,
        response_timeout_s: float | None = None,
    ) -> None:
        """Write a request's head and answer to *relay* from now on.

        Args:
            relay: Who takes the answer.
            head: All of it.
            head_method: Whether it is a HEAD.
            response_timeout_s: How long the answer's head may take; None is as the upstream says.
        """
        self._response_timeout_s = response_timeout_s or self._pool.upstream.response_timeout_s
        self._relay = relay
        self._head_method = head_method
        self._unanswered = True
        self._interim_count = 0
        self.await_answer()
        self.transport.write(head)

    def write(self, data: bytes) -> None:
        """Write more of the request."""
        self.transport.write(data)

    def await_answer(self) -> None:
        """Set the deadline anew: something has happened, and this is owed by the service next."""
        relay = self._relay
        if relay is None or self._tunnel is not None or not self.transport.is_reading():
            timeout_s = NEVER  # it is not the service that keeps us waiting; or it need not answer
        elif self._response is not None:
            timeout_s = self._pool.upstream.idle_timeout_s
        elif relay.request_done or self._blocked:
            timeout_s = self._response_timeout_s
        else:
            timeout_s = NEVER  # the client owes more of the request, and has a deadline of its own
        self.deadline_s = self._pool.sweeper.now_s + timeout_s

    def pause_reading(self) -> None:
        """Read no more of the answer: the client does not keep up."""
        if not self.transport.is_closing():
            self.transport.pause_reading()
            self.await_answer()

    def resume_reading(self) -> None:
        """Read on."""
        if not self.transport.is_closing():
            self.transport.resume_reading()
            self.await_answer()

    def abandon(self) -> None:
        """Give up the exchange from our side; nothing more is told to the relay."""
        self._relay = None
        self.transport.abort()

    def close(self) -> None:
        """Close a connection that nobody uses."""
        self.transport.close()

    def end(self) -> None:
        """Say that nothing more will be sent; the relay goes on hearing."""
        transport = self.transport
        if transport.is_closing():
            return
        if not transport.is_reading():
            transport.resume_reading()
        if transport.can_write_eof():
            transport.write_eof()

    @property
    def sweeper(self) -> Sweeper:
        """Who watches it."""
        return self._pool.sweeper

    @property
    def limits(self) -> Limits:
        """What it may cost."""
        return self._pool.limits

    @property
    def peer_address(self) -> str:
        """The address at which the endpoint answers, without port."""
        return str(self.transport.get_extra_info("peername", ("",))[0])

    def move_to(self, owner: Owner) -> None:
        """Be at home with *owner* from now on."""
        self._pool = owner

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the connection's life."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=self._pool.limits.buffer_bytes)
        self._pool.sweeper.watch(self)

    def data_received(self, data: bytes) -> None:
        """Read the answer; data that answers nothing ends the connection."""
        if self._relay is None:
            self.transport.abort()
            return
        self._unanswered = False
        try:
            if self._body is None:
                self._on_head_bytes(data)
            else:
                self._on_body_bytes(data)
        except UpstreamError as error:
            self._fail(error)
        except ProtocolError:  # of the body's framing
            self._fail(UpstreamError(Reason.UPSTREAM_PROTOCOL))

    def eof_received(self) -> None:
        """Complete a body that ends like this; ``connection_lost`` judges everything else.

        Both sides are closed then, in a tunnel as well: a service that has ended its side of a
        websocket has sent its close frame, and there is nothing left to say to it.

        Over TLS uvloop calls this for the goodbye of TLS alone: a stream that ends without one may
        have been cut by anyone on the way.
        """
        if self._tunnel is not None:
            self._tunnel.on_upstream_eof()
            return
        if isinstance(self._body, UntilCloseReader):
            self._body.done = True
            self._on_body_bytes(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection's life; an exchange that it was in has failed."""
        if isinstance(exc, ssl.SSLError):  # TLS 1.3: refused for want of a certificate, say
            self._pool.on_tls_failure(exc)
        self._pool.sweeper.forget(self)
        self.deadline_s = NEVER
        self._fail(
            UpstreamError(
                Reason.UPSTREAM_UNREACHABLE if self._unanswered else Reason.UPSTREAM_PROTOCOL,
                "The service closed the connection before its answer was complete.",
            )
        )
        self._pool.on_connection_lost(self)

    def pause_writing(self) -> None:
        """Tell the relay that the service does not keep up."""
        self._blocked = True
        self.await_answer()
        if self._relay is not None:
            self._relay.pause_request()

    def resume_writing(self) -> None:
        """Tell the relay that it does again."""
        self._blocked = False
        if self._relay is not None:
            self.await_answer()
            self._relay.resume_request()

    def on_deadline(self) -> None:
        """Give up: close when idle, fail when an answer is due."""
        if self._relay is None:
            self.transport.close()
        else:
            self._fail(UpstreamError(Reason.UPSTREAM_TIMEOUT))

    # --- reading ---

    def _on_head_bytes(self, data: bytes) -> None:
        response, data = self._heads.feed(data)
        while response is not None and response.status < _FINAL:
            self._on_interim(response)
            if self._tunnel is not None:
                self._begin_tunnel(self._tunnel, response, data)
                return
            response, data = self._heads.feed(data)
        if response is None:
            return
        relay = self._relay
        if relay is None:
            return
        body = self._reader_for(response)
        piece = body.feed(data) if data else b""
        done = body.done
        if done:
            self._finish(response, body)
        else:
            self._response, self._body = response, body
            self.await_answer()
        relay.on_response(response, piece, done=done)

    def _on_interim(self, response: ResponseHead) -> None:
        self._interim_count += 1
        if self._interim_count > MAX_INTERIM_RESPONSES:
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL)
        if response.status == _SWITCHING_PROTOCOLS:
            self._switch(response)
        elif response.status in _RELAYED_INTERIM and self._relay is not None:
            self._relay.on_interim(response)

    def _switch(self, response: ResponseHead) -> None:
        tunnel = None if self._relay is None else self._relay.on_switch(response)
        if tunnel is None:
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL)
        self._relay = self._tunnel = tunnel

    def _begin_tunnel(self, tunnel: TunnelRelay, response: ResponseHead, data: bytes) -> None:
        self._body, self._response = UntilCloseReader(), response
        self.await_answer()
        tunnel.start()
        if data:
            self._on_body_bytes(data)

    def _reader_for(self, response: ResponseHead) -> BodyReader:
        # RFC 9112 section 6.3
        if self._head_method or response.bodiless:
            return LengthReader(0)
        if response.content_length is not None:
            return LengthReader(response.content_length)
        return ChunkedDecoder() if response.chunked else UntilCloseReader()

    def _on_body_bytes(self, data: bytes) -> None:
        body, response, relay = self._body, self._response, self._relay
        if body is None or response is None or relay is None:
            return
        piece = body.feed(data)
        done = body.done
        if done:
            self._finish(response, body)
        else:
            self.await_answer()
        relay.on_response_body(piece, done=done)

    def _finish(self, response: ResponseHead, body: BodyReader) -> None:
        """The response is complete: back into the pool, or closed where there is any doubt."""
        relay, self._relay = self._relay, None
        self._body = self._response = None
        self.deadline_s = NEVER
        self.used = True
        if (
            response.keep_alive
            and not body.rest
            and relay is not None
            and relay.request_done
            and not isinstance(body, UntilCloseReader)
            and not (response.bodiless and (response.content_length or response.chunked))
            and not self.transport.get_write_buffer_size()  # it answered before it had read all
            and not self.transport.is_closing()
        ):
            self._pool.release(self)
        else:
            self.transport.abort()

    def _fail(self, error: UpstreamError) -> None:
        relay, self._relay = self._relay, None
        self.transport.abort()
        if relay is not None:
            relay.on_upstream_failed(error, unanswered=self._unanswered)
