"""gateway.observe.access: one line for each request, however it ends; by the data plane itself."""

import asyncio
import json
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any, Final

import pytest
from starlette.types import Receive, Scope, Send

from gateway.observe.access import Access
from gateway.observe.requests import RequestMetrics
from gateway.observe.series import Board
from gateway.policy.model import Limits
from gateway.policy.peers import TrustedProxies
from tests.kit.policy import SERVICE, bearer, head, route, snapshot
from tests.kit.tokens import NOW_S, mint
from tests.kit.transport import Client, FakeTransport
from tests.unit.observe.test_requests import nowhere

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
LIMITS: Final = Limits(buffer_bytes=1024)
OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


class Kept:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def write(self, line: bytes) -> None:
        """Keep a line."""
        self.lines.append(json.loads(line))


class Setting:
    """A client connection that is told of, and a service behind it."""

    def __init__(self) -> None:
        proxies = TrustedProxies([ip_network("192.0.2.0/24")])
        compiled = snapshot(route("/p/**", name="p"), limits=LIMITS, trusted_proxies=proxies)
        self.client = Client(compiled, clock=lambda: NOW_S, control=self._control)
        self.kept = Kept()
        self.board: Board = nowhere()
        self.metrics = RequestMetrics(self.board)
        self.client.worker.access = Access(
            self.kept, self.metrics, clock=lambda: NOW_S, proxies=lambda: proxies
        )
        self.service: FakeTransport
        self.connection, self.service = self.client.connect_upstream(SERVICE)
        self.state: dict[str, Any] = {}

    def ask(self, target: str = "/p/x", *lines: bytes, method: str = "GET") -> None:
        """Send a request with a good token."""
        sent = head(target, bearer(mint()), *lines, method=method)
        self.client.protocol.data_received(sent)

    def answer(self, data: bytes) -> None:
        """Let the service answer."""
        self.connection.data_received(data)

    async def _control(self, scope: Scope, _receive: Receive, send: Send) -> None:
        scope["state"].update(self.state)
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b"told"})


def line_of(act: Callable[[Setting], Any]) -> dict[str, Any]:
    """Return the one line that is written of a request; each is counted, and none is left open."""

    async def main() -> Setting:
        setting = Setting()
        waited = act(setting)
        if waited is not None:
            await waited
        setting.client.protocol.connection_lost(None)
        return setting

    setting = asyncio.run(main())
    (line,) = setting.kept.lines
    assert setting.metrics.in_flight == 0
    return line


def test_a_forwarded_request_is_told_whole() -> None:
    """What went where, for whom, and how it was answered; the query is not told."""

    def act(setting: Setting) -> None:
        parent = f"traceparent: 00-{TRACE}-b7ad6b7169203331-01".encode()
        setting.ask("/p/x?access_token=SECRET", b"X-Forwarded-For: 203.0.113.9", parent)
        setting.answer(OK + b"abc")
        setting.answer(b"de")

    line = line_of(act)

    assert line.pop("request_id")
    assert 0 <= line.pop("upstream_ms") <= line.pop("duration_ms")
    assert line == {
        "time": "2027-01-15T08:00:00.000Z", "listener": "public", "client": "203.0.113.9",
        "method": "GET", "host": "gw.test", "path": "/p/x", "route": "p", "status": 200,
        "reason": None, "sub": "alice", "upstream": "service", "endpoint": "127.0.0.1:9000",
        "received_bytes": 0, "sent_bytes": 5, "aborted": False, "trace_id": TRACE,
    }  # fmt: skip


def _upload(setting: Setting) -> None:
    setting.ask("/p/x", b"Content-Length: 4", method="POST")
    setting.client.protocol.data_received(b"ab")
    setting.client.protocol.data_received(b"cd")
    setting.answer(OK + b"abcde")


def _refused(setting: Setting) -> None:
    setting.client.protocol.data_received(head("/p/x"))


def _refused_and_closed(setting: Setting) -> None:
    setting.client.protocol.data_received(head("/p/x", b"Content-Length: 4", method="POST"))


def _unreadable(setting: Setting) -> None:
    setting.client.protocol.data_received(b"GE\x00T")


def _head_timed_out(setting: Setting) -> None:
    setting.client.protocol.data_received(b"GET / HT")
    setting.client.pass_time(LIMITS.head_timeout_s + 1)


def _body_timed_out(setting: Setting) -> None:
    setting.ask("/p/x", b"Content-Length: 4", method="POST")
    setting.client.pass_time(LIMITS.body_timeout_s + 1)


def _service_timed_out(setting: Setting) -> None:
    setting.ask()
    setting.connection.on_deadline()


def _service_broke_off(setting: Setting) -> None:
    setting.ask()
    setting.answer(OK + b"abc")
    setting.connection.connection_lost(None)


def _client_gone_early(setting: Setting) -> None:
    setting.ask()


def _client_gone_late(setting: Setting) -> None:
    setting.ask()
    setting.answer(OK + b"abc")


def _client_reads_nothing(setting: Setting) -> None:
    setting.ask()
    setting.answer(OK + b"abc")
    setting.client.protocol.pause_writing()
    setting.client.pass_time(LIMITS.write_timeout_s + 1)


def _broken_body_behind_an_answer(setting: Setting) -> None:
    setting.ask("/p/x", b"Transfer-Encoding: chunked", method="POST")
    setting.answer(OK + b"abc")
    setting.client.protocol.data_received(b"no chunk\r\n")


def _of_the_gateway_itself(setting: Setting) -> None:
    setting.client.protocol.data_received(head("*", method="OPTIONS"))


def _cut_by_a_worker_that_ends(setting: Setting) -> None:
    setting.ask()
    setting.client.worker.connections = setting.client.connections
    setting.client.worker.close()


ENDINGS: Final = [
    pytest.param(_upload, (200, None, False, 4, 5), id="upload"),
    pytest.param(_refused, (401, "credential_missing", False, 0, ...), id="refused"),
    pytest.param(_refused_and_closed, (401, "credential_missing", False, 0, ...), id="and-closed"),
    pytest.param(_unreadable, (400, "bad_request", False, 0, ...), id="unreadable"),
    pytest.param(_head_timed_out, (408, "request_timeout", False, 0, ...), id="head-timeout"),
    pytest.param(_body_timed_out, (408, "request_timeout", False, 0, ...), id="body-timeout"),
    pytest.param(_service_timed_out, (504, "upstream_timeout", False, 0, ...), id="no-answer"),
    pytest.param(_service_broke_off, (200, "upstream_protocol", True, 0, 3), id="broken-answer"),
    pytest.param(_client_gone_early, (None, None, True, 0, 0), id="client-gone-early"),
    pytest.param(_client_gone_late, (200, None, True, 0, 3), id="client-gone-late"),
    pytest.param(_client_reads_nothing, (200, None, True, 0, 3), id="client-reads-nothing"),
    pytest.param(_broken_body_behind_an_answer, (200, "bad_request", True, 0, 3), id="broken-body"),
    pytest.param(_of_the_gateway_itself, (204, None, False, 0, 0), id="options"),
    pytest.param(_cut_by_a_worker_that_ends, (None, None, True, 0, 0), id="worker-ends"),
]


@pytest.mark.parametrize(("act", "told"), ENDINGS)
def test_every_ending_is_told_once(act: Callable[[Setting], None], told: tuple[Any, ...]) -> None:
    """Forwarded, refused, cut, timed out or left: one line, with what there is to say."""
    line = line_of(act)
    names = ("status", "reason", "aborted", "received_bytes", "sent_bytes")
    assert line["request_id"]

    assert all(line[n] == v for n, v in zip(names, told, strict=True) if v is not ...), line


def test_an_answer_of_an_endpoint_is_told_with_its_reason() -> None:
    """The control plane leaves it in the state (``gateway.control``)."""

    async def act(setting: Setting) -> None:
        setting.state = {"reason": "login_failed"}
        setting.client.protocol.data_received(head("/authenticate"))
        while not setting.client.transport.written:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0)

    line = line_of(act)

    assert (line["status"], line["reason"], line["sent_bytes"]) == (401, "login_failed", 4)
    assert (line["route"], line["upstream"], line["sub"]) == ("/authenticate", None, None)


def test_pipelined_requests_have_a_line_each() -> None:
    """In their order."""

    async def main() -> list[Any]:
        setting = Setting()
        setting.client.protocol.data_received(head("/p/1") + head("/none") + head("/p/2"))
        return [(line["path"], line["route"]) for line in setting.kept.lines]

    assert asyncio.run(main()) == [("/p/1", "p"), ("/none", None), ("/p/2", "p")]


def test_a_token_is_new_once() -> None:
    """Requests with a remembered token are counted apart."""

    async def main() -> Board:
        setting = Setting()
        for _ in range(3):
            setting.ask()
            setting.answer(OK + b"abcde")
        return setting.board

    board = asyncio.run(main())

    assert board.numbers("gateway_tokens_total", "miss") == [1.0]
    assert board.numbers("gateway_tokens_total", "hit") == [2.0]


def test_without_numbers_there_is_the_log_alone() -> None:
    """No ``admin:``, nobody asks."""

    async def main() -> list[Any]:
        setting = Setting()
        setting.client.worker.access = Access(
            setting.kept, None, clock=lambda: NOW_S, proxies=TrustedProxies, listener="admin"
        )
        setting.client.protocol.data_received(head("/p/1"))
        return setting.kept.lines

    assert [line["listener"] for line in asyncio.run(main())] == ["admin"]


def test_without_a_log_there_are_the_numbers_alone() -> None:
    """``access_log: off``."""

    async def main() -> Setting:
        setting = Setting()
        setting.client.worker.access = Access(
            None, setting.metrics, clock=lambda: NOW_S, proxies=TrustedProxies
        )
        setting.client.protocol.data_received(head("/p/1"))
        return setting

    setting = asyncio.run(main())

    assert setting.kept.lines == []
    labels = ("p", "4xx", "credential_missing")
    assert setting.board.numbers("gateway_requests_total", *labels) == [1.0]
