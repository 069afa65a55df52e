"""Bodies stream: memory does not grow with their size, and nothing waits for what comes later."""

import threading
from typing import Any

import pytest

from tests.conftest import StartGateway
from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.script import OK, Step, close, echo, flood, respond, send, swallow, wait_for
from tests.kit.upstream import Upstream
from tests.kit.wire import Barrier, Wire

HOST = b"Host: gw.test\r\n"
GET = b"GET /public HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
GIB = 2**30
PIECE = b"a" * 65536
PIECES = GIB // len(PIECE)
CHUNK = b"10000\r\n" + PIECE + b"\r\n"
LAST_CHUNK = b"0\r\n\r\n"
MARGIN_BYTES = 30 * 2**20


class Peak:
    """The most memory that a gateway was seen to have, beyond what it had at first."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway
        self._start_bytes = gateway.memory_bytes()
        self.growth_bytes = 0

    def look(self) -> None:
        """Look once more."""
        grown = self._gateway.memory_bytes() - self._start_bytes
        self.growth_bytes = max(self.growth_bytes, grown)


DOWNLOADS = [
    pytest.param(b"Content-Length: %d\r\n" % GIB, [flood(PIECE, PIECES)], id="length"),
    pytest.param(CHUNKED, [flood(CHUNK, PIECES), send(LAST_CHUNK)], id="chunked"),
    pytest.param(b"", [flood(PIECE, PIECES), close], id="until-close"),
]
UPLOADS = [
    pytest.param(b"Content-Length: %d\r\n" % GIB, PIECE, b"", swallow(GIB), id="length"),
    pytest.param(CHUNKED, CHUNK, LAST_CHUNK, swallow(end=LAST_CHUNK), id="chunked"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("fields", "steps"), DOWNLOADS)
def test_a_download_of_a_gigabyte_takes_no_memory(
    gateway: GatewayProcess, wire: Wire, upstream: Upstream, fields: bytes, steps: list[Step]
) -> None:
    """1 GiB from the service to the client leaves memory within 30 MiB of the start."""
    wire.send(GET)  # what is loaded at the first request is not held against the body
    assert wire.read_response().status == 200
    upstream.play(respond(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n"), *steps)
    peak = Peak(gateway)
    wire.send(b"GET /public HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    received_bytes = 0
    while piece := wire.read_some():
        received_bytes += len(piece)
        peak.look()

    assert received_bytes > GIB
    assert not wire.was_reset
    assert peak.growth_bytes < MARGIN_BYTES


def _taking_large_bodies(upstream: Upstream) -> dict[str, Any]:
    document = configuration(upstream.port)
    for route in document["routes"]:
        route["max_body"] = "2GiB"
    return document


@pytest.mark.slow
@pytest.mark.parametrize(("fields", "piece", "end", "read"), UPLOADS)
def test_an_upload_of_a_gigabyte_takes_no_memory(
    start_gateway: StartGateway,
    own_upstream: Upstream,
    fields: bytes,
    piece: bytes,
    end: bytes,
    read: Step,
) -> None:
    """1 GiB from the client to the service leaves memory within 30 MiB of the start."""
    gateway = start_gateway(_taking_large_bodies(own_upstream))
    gateway.wait_for_first_hash()
    with Wire(gateway.port) as wire:
        wire.send(GET)
        assert wire.read_response().status == 200
        own_upstream.play(read, send(OK))
        peak = Peak(gateway)
        wire.send(b"POST /public HTTP/1.1\r\n" + HOST + fields + b"\r\n")
        for _ in range(PIECES):
            assert wire.send(piece)
            peak.look()
        wire.send(end)

        assert wire.read_response(b"POST").status == 200
    assert peak.growth_bytes < MARGIN_BYTES


def test_a_reader_that_stops_stops_the_service(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Backpressure: what the client does not take is not fetched, and other clients do not wait."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIB
    finished = threading.Event()
    upstream.play(respond(head), flood(PIECE, PIECES), lambda _: finished.set())
    peak = Peak(gateway)
    with Wire(gateway.port, receive_buffer_bytes=4096) as slow, Wire(gateway.port) as other:
        slow.send(GET)
        slow.read_until(b"a" * 1000)
        for _ in range(200):
            other.send(GET)
            assert other.read_response().status == 200
            peak.look()
        assert not finished.is_set()
    assert peak.growth_bytes < MARGIN_BYTES


def test_a_service_that_stops_reading_stops_the_client(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """DOS-17, backpressure: what the service does not take is not read from the client."""
    released = threading.Event()
    gateway = start_gateway(_taking_large_bodies(own_upstream))
    gateway.wait_for_first_hash()
    own_upstream.play(wait_for(released), close)
    peak = Peak(gateway)
    sent_bytes = stalls = 0
    with Wire(gateway.port) as wire, Barrier(gateway.port) as barrier:
        wire.send(b"POST /public HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n")
        wire.sock.setblocking(False)  # noqa: FBT003 (the standard library's signature)
        while stalls < 20 and sent_bytes < GIB:  # the kernel's buffers take some megabytes
            try:
                sent_bytes += wire.sock.send(CHUNK[sent_bytes % len(CHUNK) :])
                stalls = 0
            except BlockingIOError:
                stalls += 1
                barrier.cross()  # the gateway has read all that it is going to
                peak.look()
        released.set()

    assert stalls == 20
    assert peak.growth_bytes < MARGIN_BYTES


@pytest.mark.parametrize(
    "fields", [pytest.param(CHUNKED, id="chunked"), pytest.param(b"", id="until-close")]
)
def test_an_event_does_not_wait_for_the_next(wire: Wire, upstream: Upstream, fields: bytes) -> None:
    """Server-sent events: each reaches the client before the service sends another."""
    released = [threading.Event() for _ in range(3)]
    events = [b"data: %d\n\n" % number for number in range(3)]
    steps: list[Step] = []
    for event, release in zip(events, released, strict=True):
        framed = b"%x\r\n%b\r\n" % (len(event), event) if fields else event
        steps += [send(framed), wait_for(release)]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + fields + b"\r\n"
    upstream.play(respond(head), *steps, send(LAST_CHUNK) if fields else close)
    wire.send(GET)
    for event, release in zip(events, released, strict=True):
        assert wire.read_until(event).endswith(event)
        release.set()

    assert wire.read_until(LAST_CHUNK).endswith(LAST_CHUNK)


def test_a_response_head_does_not_wait_for_its_body(wire: Wire, upstream: Upstream) -> None:
    """The head goes out when it has come, though no byte of the body has."""
    released = threading.Event()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    upstream.play(respond(head), wait_for(released), send(b"ok"))
    wire.send(GET)
    assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    released.set()

    assert wire.read_until(b"ok") == b"ok"


def test_an_upload_does_not_wait_for_its_end(wire: Wire, upstream: Upstream) -> None:
    """A piece of a body reaches the service before the client sends the next."""
    arrived = threading.Event()
    upstream.play(
        swallow(end=b"hello\r\n"), lambda _: arrived.set(), swallow(end=LAST_CHUNK), send(OK)
    )
    wire.send(b"POST /public HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n5\r\nhello\r\n")
    assert arrived.wait(30)
    wire.send(LAST_CHUNK)

    assert wire.read_response(b"POST").body == b"ok"


def test_both_directions_stream_at_once(wire: Wire, upstream: Upstream) -> None:
    """A service may answer while it still reads: the answer arrives, and so does the request."""
    head = b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n"
    upstream.play(
        send(head + b"3\r\none\r\n"), lambda talk: talk.read_body(), send(LAST_CHUNK), echo
    )
    wire.send(b"POST /public HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhe")
    wire.read_until(b"one")
    wire.send(b"llo")

    assert wire.read_until(LAST_CHUNK).endswith(LAST_CHUNK)
    assert upstream.requests[0].body == b"hello"
