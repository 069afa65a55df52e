"""Spans of a running gateway, at a collector over real HTTP."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_admin import PUBLIC_HOST, ask
from tests.kit.collector import Collector
from tests.kit.gateway import GatewayProcess, bearer, configuration
from tests.kit.script import respond
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = b"traceparent: 00-%b-b7ad6b7169203331-01\r\ntracestate: vendor=1\r\n" % TRACE.encode()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ADMIN = {"listen": "127.0.0.1:0"}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector, and none of the machine's own settings for one."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    with Collector() as running:
        yield running


def test_each_public_request_is_one_span_and_the_last_come_before_the_end(
    own_upstream: Upstream, collector: Collector, tmp_path: Path
) -> None:
    """The service is told of ours; what is not sent yet is sent in the drain."""
    tracing = {"otlp": collector.url, "service_name": "edge"}
    document = configuration(own_upstream.port, admin=ADMIN, tracing=tracing)
    own_upstream.play(respond(OK))
    with GatewayProcess(document, tmp_path) as gateway:
        fields = PUBLIC_HOST + PARENT
        assert ask(gateway.port, "GET", "/p/x?q=1", fields=fields + bearer()).status == 200
        assert ask(gateway.port, "GET", "/p/x", fields=fields).status == 401
        assert ask(gateway.admin_port, "GET", "/livez").status == 200

    forwarded, refused = collector.spans
    (received,) = own_upstream.requests
    assert received.header(b"traceparent") == [f"00-{TRACE}-{forwarded.span_id}-01".encode()]
    assert received.header(b"tracestate") == [b"vendor=1"]
    assert (forwarded.name, forwarded.service) == ("GET /p/**", "edge")
    assert forwarded.attributes["url.path"] == "/p/x"
    assert (refused.trace_id, refused.attributes["error.type"]) == (TRACE, "credential_missing")


def test_without_its_collector_a_gateway_serves_and_ends_as_ever(
    own_upstream: Upstream, collector: Collector, tmp_path: Path
) -> None:
    """One that never answers: spans are lost, requests and the end are not held up."""
    collector.released.clear()
    document = configuration(own_upstream.port, tracing={"otlp": collector.url, "sample": 1})
    own_upstream.play(respond(OK))
    with GatewayProcess(document, tmp_path) as gateway:
        with Wire(gateway.port) as wire:
            for _ in range(600):  # a batch is 512: the collector is asked at once
                wire.send(b"GET /none HTTP/1.1\r\n%b\r\n" % PUBLIC_HOST)
                assert wire.read_response().status == 404
        assert collector.asked.wait(60)
        fields = PUBLIC_HOST + bearer()
        assert ask(gateway.port, "GET", "/p/x", fields=fields).status == 200
        begun_s = time.monotonic()

    assert time.monotonic() - begun_s < 10
    assert collector.spans == []
