"""gateway.observe.spans: what a collector is told of a request, by the data plane itself."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from gateway.observe import spans as module
from gateway.observe.access import Access
from gateway.observe.spans import Spans
from gateway.policy.peers import TrustedProxies
from tests.kit.collector import Collector, SeenSpan
from tests.kit.policy import SERVICE, bearer, head, route, snapshot
from tests.kit.tokens import NOW_S, mint
from tests.kit.transport import Client, FakeTransport
from tests.unit.observe.test_access import OK, Kept

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
PARENT: Final = "b7ad6b7169203331"
CANARY: Final = "canary5e1d"
KIND_SERVER: Final = 2  # of the protocol
STATUS_UNSET: Final = 0
STATUS_ERROR: Final = 2


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine sets for other programs must not change what is tested."""
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that answers at once."""
    with Collector() as running:
        yield running


async def _silent(*_: object) -> None:
    """Be a control plane that never answers."""
    await asyncio.Event().wait()


class Setting:
    """A client connection that is told of, and a service behind it."""

    def __init__(self, spans: Spans) -> None:
        compiled = snapshot(route("/p/**", name="p"))
        self.client = Client(compiled, clock=lambda: NOW_S, control=_silent)
        self.kept = Kept()
        self.client.worker.access = Access(
            self.kept, None, clock=lambda: NOW_S, proxies=TrustedProxies, tracer=spans
        )
        self.service: FakeTransport
        self.connection, self.service = self.client.connect_upstream(SERVICE)

    def send(self, data: bytes) -> None:
        """Let the client send."""
        self.client.protocol.data_received(data)

    def ask(self, target: str = "/p/x", *lines: bytes, method: str = "GET") -> None:
        """Send a request with a good token."""
        self.send(head(target, bearer(mint()), *lines, method=method))

    def answer(self, data: bytes = OK + b"abcde") -> None:
        """Let the service answer."""
        self.connection.data_received(data)

    @property
    def sent(self) -> dict[str, str]:
        """What the service was sent of the trace."""
        lines = [line.partition(": ") for line in self.service.written.decode().split("\r\n")]
        return {name.lower(): value for name, _, value in lines if name.lower()[:5] == "trace"}


def told_by(
    collector: Collector, act: Callable[[Setting], Any], **settings: Any
) -> tuple[list[SeenSpan], Setting]:
    """Return the spans of what *act* does; they are there once the tracer has closed."""
    spans = Spans(collector.url, **settings)

    async def main() -> Setting:
        setting = Setting(spans)
        act(setting)
        setting.client.protocol.connection_lost(None)
        return setting

    setting = asyncio.run(main())
    spans.close()
    return collector.spans, setting


def _traceparent(flags: str = "01") -> bytes:
    return f"traceparent: 00-{TRACE}-{PARENT}-{flags}".encode()


def test_a_request_is_a_span_of_the_clients_trace(collector: Collector) -> None:
    """By the semantic conventions of HTTP; the service's parent is our span, the state is kept."""

    def act(setting: Setting) -> None:
        setting.ask(f"/p/x?access_token={CANARY}", _traceparent(), b"tracestate: vendor=1")
        setting.answer()

    (span,), setting = told_by(collector, act)

    assert (span.name, span.span.kind, span.service) == ("GET /p/**", KIND_SERVER, "auth-gateway")
    assert (span.trace_id, span.parent_id) == (TRACE, PARENT)
    assert span.span.status.code == STATUS_UNSET
    assert span.span.end_time_unix_nano >= span.span.start_time_unix_nano
    assert span.attributes == {
        "http.request.method": "GET", "http.route": "/p/**", "http.response.status_code": 200,
        "url.scheme": "http", "url.path": "/p/x", "server.address": "gw.test",
        "network.protocol.version": "1.1",
    }  # fmt: skip
    assert setting.sent == {
        "traceparent": f"00-{TRACE}-{span.span_id}-01", "tracestate": "vendor=1"
    }  # fmt: skip
    assert [line["trace_id"] for line in setting.kept.lines] == [TRACE]


def test_without_a_trace_one_begins(collector: Collector) -> None:
    """It is the one of the log; a malformed ``Traceparent`` is none."""

    def act(setting: Setting) -> None:
        setting.ask("/p/x", _traceparent()[:-1])
        setting.answer()

    (span,), setting = told_by(collector, act, service_name="edge")

    assert span.parent_id == ""
    assert span.service == "edge"
    assert setting.sent == {"traceparent": f"00-{span.trace_id}-{span.span_id}-03"}
    assert [line["trace_id"] for line in setting.kept.lines] == [span.trace_id]


@pytest.mark.parametrize(
    ("sample", "flags", "is_told"),
    [(None, "00", False), (1.0, "00", False), (0.0, "01", True), (0.0, "ff", True),
     (0.0, None, False), (1.0, None, True)],
)  # fmt: skip
def test_the_parent_says_whether_a_trace_is_sampled(
    *, sample: float | None, flags: str | None, is_told: bool, collector: Collector
) -> None:
    """Only where there is none does ``sample`` count; the service hears what was decided."""

    def act(setting: Setting) -> None:
        setting.ask("/p/x", *([_traceparent(flags)] if flags is not None else []))
        setting.answer()

    told, setting = told_by(collector, act, sample=sample)

    assert len(told) == is_told
    version, trace_id, span_id, sent_flags = setting.sent["traceparent"].split("-")
    assert int(sent_flags, 16) & 1 == is_told
    assert version == "00"
    assert span_id != PARENT
    assert (trace_id == TRACE) == (flags is not None)


def _refused(setting: Setting) -> None:
    setting.send(head("/p/x"))


def _not_found(setting: Setting) -> None:
    setting.send(head("/none", method="PURGE"))


def _own(setting: Setting) -> None:
    setting.send(head("/whoami", bearer(mint())))


def _unreadable(setting: Setting) -> None:
    setting.send(b"GE\x00T")


def _unreachable(setting: Setting) -> None:
    setting.ask("/p/x", b"Content-Length: 1", method="POST")
    setting.connection.connection_lost(None)


def _failed_itself(setting: Setting) -> None:
    setting.ask()
    setting.answer(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")


def _cut(setting: Setting) -> None:
    setting.ask()
    setting.answer(OK + b"a")
    setting.connection.connection_lost(None)


def _left(setting: Setting) -> None:
    setting.ask()


@pytest.mark.parametrize(
    ("act", "name", "status", "error", "code"),
    [
        (_refused, "GET /p/**", 401, "credential_missing", STATUS_UNSET),
        (_not_found, "HTTP", 404, "route_not_found", STATUS_UNSET),
        (_own, "GET /whoami", None, None, STATUS_UNSET),
        (_unreadable, "HTTP", 400, "bad_request", STATUS_UNSET),
        (_unreachable, "POST /p/**", 502, "upstream_unreachable", STATUS_ERROR),
        (_failed_itself, "GET /p/**", 500, "500", STATUS_ERROR),
        (_cut, "GET /p/**", 200, "upstream_protocol", STATUS_ERROR),
        (_left, "GET /p/**", None, None, STATUS_UNSET),
    ],
)
def test_every_request_has_one_span_however_it_ends(
    *,
    act: Callable[[Setting], None],
    name: str,
    status: int | None,
    error: str | None,
    code: int,
    collector: Collector,
) -> None:
    """``error.type`` is the reason; a refusal of the client is no fault of ours."""
    (span,), _ = told_by(collector, act)

    assert span.name == name
    assert span.attributes.get("http.response.status_code") == status
    assert span.attributes.get("error.type") == error
    assert span.span.status.code == code


def test_nothing_secret_is_told(collector: Collector) -> None:
    """No query, no field's value, no claim, no method of the client's making."""
    token = mint({"email": CANARY})

    def act(setting: Setting) -> None:
        setting.send(head(f"/p/x?q={CANARY}", bearer(token), f"X-A: {CANARY}".encode()))
        setting.answer()
        setting.send(head("/p/x", b"X-Request-Id: " + CANARY.encode(), method="REPORT"))

    told, _ = told_by(collector, act)

    assert len(told) == 2
    said = b"".join(collector.bodies)
    secrets = (CANARY.encode(), token, b"alice", b"REPORT")
    assert [secret for secret in secrets if secret in said] == []


def test_what_a_client_sends_is_cut(collector: Collector) -> None:
    """A span has a bounded size, whatever the target's is."""
    told, _ = told_by(collector, lambda setting: setting.send(head("/" + "x" * 4000)))

    assert len(told[0].attributes["url.path"]) == 1024


def test_the_environment_names_the_service(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``OTEL_SERVICE_NAME`` counts where the file says nothing."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from-outside")

    (span,), _ = told_by(collector, _own)

    assert span.service == "from-outside"


def test_where_the_environment_disables_the_sdk_the_context_passes_as_it_came(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``OTEL_SDK_DISABLED``: no span is named that nobody will ever see."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

    def act(setting: Setting) -> None:
        setting.ask("/p/x", _traceparent())
        setting.answer()
        setting.ask("/p/x")
        setting.answer()

    told, setting = told_by(collector, act)

    assert told == []
    assert setting.service.written.lower().count(b"traceparent") == 1
    assert setting.sent == {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    assert [line["trace_id"] for line in setting.kept.lines] == [TRACE, None]


def test_a_collector_that_is_down_is_told_of_and_holds_nothing_up(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The spans are lost; a line says so, once in a while."""
    monkeypatch.setattr(module, "CLOSE_S", 0.05)
    with Collector() as collector:
        pass  # its port is free again

    with caplog.at_level(logging.WARNING):
        told_by(collector, _own)
        deadline_s = time.monotonic() + 60
        while not _lines(caplog):
            assert time.monotonic() < deadline_s
            time.sleep(0.01)

    assert _lines(caplog) == [f"gateway: spans were lost, batches: 1; {collector.url}/v1/traces"]


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if not each.name.startswith("asyncio")]


def test_a_collector_that_does_not_answer_does_not_hold_the_end_up(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends within its drain, with or without its last spans."""
    monkeypatch.setattr(module, "CLOSE_S", 0.05)
    collector.released.clear()
    begun_s = time.monotonic()

    told_by(collector, _own)

    assert time.monotonic() - begun_s < 5  # the exporter's own patience is 10
    assert collector.bodies == []
