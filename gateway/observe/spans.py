"""Spans of OpenTelemetry: one for each request of the public listener.

Loaded only where the configuration has ``tracing:``; the packages are an extra. Spans are sent by a
thread of their own, in batches; where nobody takes them they are lost, and no request waits. The
rule to keep in mind is the one of the access log: no query, no field's value, nothing of a token.
"""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from gateway.http1.trace_context import TraceParent
from gateway.observe.access import Record
from gateway.observe.lines import MAX_PATH_BYTES, MAX_TEXT_CHARS
from gateway.observe.seldom import Seldom
from gateway.policy.model import Decision, Request, Serve

DEFAULT_NAME: Final = "auth-gateway"
CLOSE_S: Final = 2.0  # for the last spans; with what is in flight it stays below systemd's 90 s
_TRACES_PATH: Final = "/v1/traces"  # as OTEL_EXPORTER_OTLP_ENDPOINT has it added
_UNKNOWN_NAME: Final = "unknown_service"  # how the SDK begins its own
# Others are clients' texts: "_OTHER", and "HTTP" in the span's name.
_METHODS: Final = frozenset(
    b"CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE".split(b" ")
)
_SERVER_ERROR: Final = 500
_KNOWN_FLAGS: Final = TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID

log: Final = logging.getLogger(__name__)


class _Exporter(OTLPSpanExporter):
    """Sends spans, and tells seldom where that fails; the package tells each time, and more."""

    def __init__(self, url: str) -> None:
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
        super().__init__(endpoint=url)
        self._url = url
        self._seldom = Seldom()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        if result is not SpanExportResult.SUCCESS:
            count = self._seldom.due(time.monotonic())
            if count:
                log.warning("gateway: spans were lost, batches: %d; %s", count, self._url)
        return result


class OpenSpan:
    """The span of a request that has not ended."""

    __slots__ = ("_span", "trace_id")

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.trace_id: bytes | None = b"%032x" % context.trace_id if context.is_valid else None

    def end(self, record: Record) -> None:
        """Say what became of the request."""
        span = self._span
        if not span.is_recording():
            return
        request, reason = record.request, record.reason
        method = request.head.method if request is not None else b""
        known = method.decode("ascii") if method in _METHODS else ""
        attributes: dict[str, AttributeValue] = {"http.request.method": known or "_OTHER"}
        if request is not None:
            attributes |= _attributes_of(request)
        route = _route_of(record.decision)
        if route:
            attributes["http.route"] = route
        if record.status:
            attributes["http.response.status_code"] = record.status
        failed = record.status >= _SERVER_ERROR
        if reason is not None:
            attributes["error.type"] = reason.value
        elif failed:
            attributes["error.type"] = str(record.status)
        span.update_name(f"{known or 'HTTP'} {route}".rstrip())
        span.set_attributes(attributes)
        if failed or (record.aborted and reason is not None):
            span.set_status(StatusCode.ERROR)
        span.end()


class Spans:
    """Begins the spans of one process.

    Args:
        otlp: The collector's URL, without the path of traces.
        sample: The share of traces begun here that are kept; None: as the environment says.
        service_name: None: as the environment says.
    """

    def __init__(
        self, otlp: str, *, sample: float | None = None, service_name: str | None = None
    ) -> None:
        self._exporter = _Exporter(otlp.rstrip("/") + _TRACES_PATH)
        self._provider = TracerProvider(
            sampler=None if sample is None else ParentBasedTraceIdRatio(sample),
            resource=_resource(service_name),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("gateway")

    def begin(self, request: Request | None) -> OpenSpan:
        """Begin the span of a request, and let the service hear of it.

        Args:
            request: What was asked; None where its head could not be read.
        """
        parent = None if request is None else request.head.fields.trace_parent
        context = None
        if parent is not None:
            context = set_span_in_context(NonRecordingSpan(_context_of(parent)))
        span = self._tracer.start_span("HTTP", context, SpanKind.SERVER)
        ours = span.get_span_context()
        if request is not None and ours.is_valid:
            request.traceparent = b"00-%032x-%016x-%02x" % (
                ours.trace_id,
                ours.span_id,
                ours.trace_flags,
            )
        return OpenSpan(span)

    def close(self) -> None:
        """Send what is left, as far as it is taken soon."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        if closing.is_alive():
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # gives up what it tries again


def _context_of(parent: TraceParent) -> SpanContext:
    return SpanContext(
        int(parent.trace_id, 16),
        int(parent.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(parent.flags, 16) & _KNOWN_FLAGS),
    )


def _resource(service_name: str | None) -> Resource:
    resource = Resource.create({SERVICE_NAME: service_name} if service_name else None)
    if str(resource.attributes[SERVICE_NAME]).startswith(_UNKNOWN_NAME):
        return resource.merge(Resource({SERVICE_NAME: DEFAULT_NAME}))
    return resource


def _attributes_of(request: Request) -> dict[str, AttributeValue]:
    head = request.head
    return {
        "url.scheme": "https" if request.secure else "http",
        "url.path": head.target.path[:MAX_PATH_BYTES].decode("latin-1"),
        "server.address": head.fields.host[:MAX_TEXT_CHARS].decode("latin-1"),
        "network.protocol.version": f"1.{head.minor}",
    }


def _route_of(decision: Decision | None) -> str:
    """Return the path of what took the request, as configured; empty where nothing did."""
    if isinstance(decision, Serve):
        return decision.endpoint.path
    return "" if decision is None or decision.route is None else decision.route.path
