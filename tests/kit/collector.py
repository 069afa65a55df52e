"""A collector of OpenTelemetry on loopback: takes spans over HTTP, as OTLP has it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PATH: Final = "/v1/traces"


class SeenSpan:
    """One span as it came.

    Attributes:
        span: The message.
        attributes: Its attributes, by name.
        service: ``service.name`` of who sent it.
    """

    def __init__(self, span: Any, service: str) -> None:
        self.span = span
        self.service = service
        self.name: str = span.name
        self.attributes = _plain(span.attributes)
        self.trace_id: str = span.trace_id.hex()
        self.span_id: str = span.span_id.hex()
        self.parent_id: str = span.parent_span_id.hex()


def _plain(attributes: Any) -> dict[str, Any]:
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value") or "") for each in attributes
    }


class Collector:
    """Takes what is sent to it; a context."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.released = threading.Event()  # until then, with *holds*, nothing is answered
        self.released.set()
        self.asked = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.asked.set()
                collector.released.wait(60)
                if self.path == PATH:
                    collector.bodies.append(body)
                self.send_response(200 if self.path == PATH else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:  # not on stderr
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def spans(self) -> list[SeenSpan]:
        """All that came, in the order in which it ended."""
        seen = []
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = _plain(resource.resource.attributes)["service.name"]
                for scope in resource.scope_spans:
                    seen += [SeenSpan(span, service) for span in scope.spans]
        return seen

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
