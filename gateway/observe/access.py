"""One request from its head to its end, and the one place that hears of the end.

The data plane makes a ``Record`` when a head is complete and fills in what happens; ``finished`` is
called exactly once for each, whatever ended it. Where neither log nor metrics are wanted there is
no ``Access``, and so no record.
"""

import time
from collections.abc import Callable
from typing import Final, Protocol

from gateway.errors import Reason
from gateway.observe.lines import LogLine
from gateway.observe.requests import RequestMetrics
from gateway.policy.forwarding import forwarded_for
from gateway.policy.model import Decision, Endpoint, Forward, Request, Respond, Serve
from gateway.policy.peers import TrustedProxies, find_client
from gateway.policy.tokens import VerifiedToken

_now_s: Final = time.perf_counter  # for how long something took; nothing is decided by it


class Record:
    """What is known of one request."""

    __slots__ = (
        "aborted",
        "decision",
        "endpoint",
        "head_s",
        "peer",
        "reason",
        "received_bytes",
        "request",
        "request_id",
        "sent_bytes",
        "span",
        "started_s",
        "status",
    )

    def __init__(self, request: Request | None, peer: str) -> None:
        self.request = request  # None: its head could not be read
        self.request_id = None if request is None else request.request_id
        self.peer = peer
        self.decision: Decision | None = None
        self.endpoint: Endpoint | None = None  # that the request was sent to
        self.status = 0  # of the answer's head; none has gone out yet
        self.reason: Reason | None = None
        self.received_bytes = 0  # of the request's body
        self.sent_bytes = 0  # of the answer's
        self.aborted = False
        self.head_s = 0.0  # when the service's head was here
        self.span: OpenSpan | None = None
        self.started_s = _now_s()

    def on_head(self, status: int, body_bytes: int) -> None:
        """Note the service's head, and what came of its body with it."""
        self.status = status
        self.sent_bytes += body_bytes
        self.head_s = _now_s()

    def on_refusal(self, respond: Respond, request_id: bytes, body_bytes: int) -> None:
        """Note an answer of the data plane's own, and the id that it gives."""
        self.request_id = request_id
        if self.decision is None:
            self.decision = respond
        self.status = respond.status
        self.reason = respond.reason
        self.sent_bytes = body_bytes

    def on_served(self, status: int, reason: Reason | None, body_bytes: int) -> None:
        """Note the answer of one of the gateway's own endpoints."""
        self.status = status
        self.reason = reason
        self.sent_bytes = body_bytes


class Lines(Protocol):
    """Where the lines of the log go (``writer.LineWriter``)."""

    def write(self, line: bytes) -> None:
        """Write a line, without waiting."""
        ...


class OpenSpan(Protocol):
    """The span of a request that has not ended (``spans.OpenSpan``)."""

    trace_id: bytes | None

    def end(self, record: Record) -> None:
        """Say what became of the request."""
        ...


class Tracer(Protocol):
    """Makes the spans (``spans.Spans``); their packages are an extra."""

    def begin(self, request: Request | None) -> OpenSpan:
        """Begin the span of a request, and let the service hear of it."""
        ...


class Access:
    """Hears of the requests of one listener in one process.

    Args:
        writer: Takes the lines of the access log; None: there is none.
        metrics: Counts requests; None: nobody asks for numbers.
        clock: Seconds since the epoch.
        proxies: Gives those whose forwarding fields are believed now.
        listener: What the lines call the listener.
        tracer: Makes spans; None: there are none.
    """

    __slots__ = ("_clock", "_listener", "_metrics", "_proxies", "_tracer", "_writer")

    def __init__(
        self,
        writer: Lines | None,
        metrics: RequestMetrics | None,
        *,
        clock: Callable[[], float],
        proxies: Callable[[], TrustedProxies],
        listener: str = "public",
        tracer: Tracer | None = None,
    ) -> None:
        self._writer = writer
        self._metrics = metrics
        self._clock = clock
        self._proxies = proxies
        self._listener = listener
        self._tracer = tracer

    def begun(self, request: Request | None, peer: str) -> Record:
        """Return the record of a request whose head is complete, or could not be read."""
        if self._metrics is not None:
            self._metrics.in_flight += 1
        record = Record(request, peer)
        if self._tracer is not None:
            record.span = self._tracer.begin(request)
        return record

    def finished(self, record: Record) -> None:
        """Take in that a request has ended; once for each that has begun."""
        duration_s = _now_s() - record.started_s
        head_s = record.head_s - record.started_s if record.head_s else None
        metrics = self._metrics
        if metrics is not None:
            metrics.in_flight -= 1
            counts = metrics.counts_of(record.decision)
            counts.add(record.status, record.reason, duration_s)
            counts.received[0] += record.received_bytes
            counts.sent[0] += record.sent_bytes
            if head_s is not None and counts.head is not None:
                counts.head.add(head_s)
            token = token_of(record.decision)
            if token is not None:
                metrics.count_token(token)
        if record.span is not None:
            record.span.end(record)
        if self._writer is not None:
            self._writer.write(self._line_of(record, duration_s, head_s))

    def _line_of(self, record: Record, duration_s: float, head_s: float | None) -> bytes:
        request, decision = record.request, record.decision
        line = LogLine(self._clock(), record.peer, listener=self._listener)
        line.request_id = record.request_id
        if request is not None:
            head = request.head
            chain = forwarded_for(head.fields)
            if chain:
                line.client = find_client(record.peer, chain, self._proxies())
            line.method, line.host, line.path = head.method, head.fields.host, head.target.path
        line.trace_id = _trace_id_of(record)
        if isinstance(decision, Forward):
            line.route, line.upstream = decision.route.name, decision.route.upstream.name
        elif isinstance(decision, Serve):
            line.route = decision.endpoint.path
        elif decision is not None and decision.route is not None:
            line.route = decision.route.name
        token = token_of(decision)
        if token is not None:
            line.sub = token.claims["sub"]
        if record.endpoint is not None:
            line.endpoint = str(record.endpoint)
        line.status = record.status or None
        line.reason = record.reason
        line.received_bytes, line.sent_bytes = record.received_bytes, record.sent_bytes
        line.duration_s, line.head_s, line.aborted = duration_s, head_s, record.aborted
        return line.encode()


def _trace_id_of(record: Record) -> bytes | None:
    """Return the trace of our own span; where there is none, the client's."""
    if record.span is not None:
        return record.span.trace_id
    parent = None if record.request is None else record.request.head.fields.trace_parent
    return None if parent is None else parent.trace_id


def token_of(decision: Decision | None) -> VerifiedToken | None:
    """Return the verified token of a request; None where it had none."""
    return None if decision is None else decision.token
