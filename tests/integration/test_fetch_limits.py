"""What one client connection may cost: every size and every deadline of DESIGN.md section 6."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.script import flood, respond
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire, read_verdict

HOST = b"Host: gw.test\r\n"
LINE = b"GET /public HTTP/1.1\r\n"
GET = LINE + HOST + b"\r\n"


def padded(size_bytes: int) -> bytes:
    """Return a request whose head has exactly that many bytes."""
    short = LINE + HOST + b"X-Pad: \r\n\r\n"
    return short.replace(b"X-Pad: ", b"X-Pad: " + b"a" * (size_bytes - len(short)))


def with_fields(count: int) -> bytes:
    """Return a request with that many fields, Host included."""
    return LINE + HOST + b"X-A: a\r\n" * (count - 1) + b"\r\n"


def with_target(size_bytes: int) -> bytes:
    """Return a request whose target has that many bytes."""
    return b"GET " + b"/public/".ljust(size_bytes, b"a") + b" HTTP/1.1\r\n" + HOST + b"\r\n"


FITS = [
    pytest.param(padded(32 * 1024), id="head-of-32-kib"),
    pytest.param(with_fields(100), id="100-fields"),
    pytest.param(with_target(8 * 1024), id="target-of-8-kib"),
]
TOO_MUCH = [
    pytest.param(padded(32 * 1024 + 1), (431, "headers_too_large", True), id="head"),
    pytest.param(LINE + b"X-A: " + b"a" * 4_000_000, (431, "headers_too_large", True), id="4-mb"),
    pytest.param(LINE + b"a" * 1_000_000, (431, "headers_too_large", True), id="name-of-1-mb"),
    pytest.param(LINE + b"X-A: a\r\n" * 20_000, (431, "headers_too_large", True), id="20000"),
    pytest.param(with_fields(101), (431, "headers_too_large", True), id="101-fields"),
    pytest.param(with_target(8 * 1024 + 1), (414, "uri_too_long", True), id="target"),
    pytest.param(b"GET /" + b"a" * 1_000_000, (414, "uri_too_long", True), id="target-of-1-mb"),
]


@pytest.mark.parametrize("request_bytes", FITS)
def test_what_fits_passes(wire: Wire, upstream: Upstream, request_bytes: bytes) -> None:
    """The limits are the largest values that are taken."""
    wire.send(request_bytes)

    assert wire.read_response().status == 200
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("request_bytes", FITS)
def test_a_limit_is_about_one_request(wire: Wire, request_bytes: bytes) -> None:
    """Three heads in one segment are not one head of three times the size."""
    wire.send(request_bytes * 3)

    assert [wire.read_response().status for _ in range(3)] == [200] * 3


@pytest.mark.parametrize(("request_bytes", "verdict"), TOO_MUCH)
def test_what_is_too_large_is_refused_and_not_read(
    wire: Wire, upstream: Upstream, request_bytes: bytes, verdict: tuple[int, str, bool]
) -> None:
    """M10, DOS-05 to DOS-07: bytes are counted as they come, not when a field is complete."""
    wire.send(request_bytes)

    assert read_verdict(wire) == verdict
    assert upstream.byte_count == 0


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        pytest.param(b"Content-Length: 1025\r\n", b"a" * 1025, id="length"),
        pytest.param(b"Content-Length: 10000000000\r\n", b"", id="SMG-06-10-gb"),
        pytest.param(b"Transfer-Encoding: chunked\r\n", b"401\r\n" + b"a" * 1025, id="one-chunk"),
        pytest.param(b"Transfer-Encoding: chunked\r\n", b"1\r\na\r\n" * 1025, id="many-chunks"),
    ],
)
def test_a_body_beyond_the_routes_limit_is_413(
    wire: Wire, upstream: Upstream, framing: bytes, body: bytes
) -> None:
    """``max_body``: told by its length it is refused on the head, else when it grows too long."""
    wire.send(b"POST /small HTTP/1.1\r\n" + HOST + framing + b"\r\n" + body)

    assert read_verdict(wire, method=b"POST") == (413, "body_too_large", True)
    assert not any(request.complete for request in upstream.requests)
    if framing.startswith(b"Content"):
        assert upstream.byte_count == 0


def test_a_body_of_the_routes_limit_passes(wire: Wire, upstream: Upstream) -> None:
    """1 KiB where the route takes 1 KiB."""
    head = b"POST /small HTTP/1.1\r\n" + HOST + b"Content-Length: 1024\r\n\r\n"
    wire.send(head + b"a" * 1024)

    assert wire.read_response(b"POST").status == 200
    assert len(upstream.requests[0].body) == 1024


# -- deadlines, with short values of their own


@pytest.fixture(scope="module")
def hasty_upstream() -> Iterator[Upstream]:
    """The service behind the hasty gateway."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def hasty(hasty_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a gateway that waits for nobody."""
    limits = {
        "head_timeout": "500ms",
        "idle_timeout": "500ms",
        "body_timeout": "500ms",
        "write_timeout": "500ms",
    }
    document = configuration(hasty_upstream.port, limits=limits)
    with GatewayProcess(document, Path(tmp_path_factory.mktemp("hasty"))) as process:
        yield process.port
        process.check_quiet()


@pytest.mark.parametrize(
    "begun",
    [b"\r\n", b"G", LINE, LINE + HOST, GET + GET[:-2]],
    ids=lambda value: f"{len(value)}-bytes",
)
def test_a_head_that_does_not_come_is_408(hasty: int, begun: bytes) -> None:
    """``head_timeout``: from the first byte on, empty lines included."""
    with Wire(hasty) as wire:
        wire.send(begun)
        if begun.startswith(GET):
            assert wire.read_response().status == 200

        assert read_verdict(wire) == (408, "request_timeout", True)


def test_a_head_that_comes_in_drops_has_no_more_time(hasty: int) -> None:
    """DOS-01: the deadline is not moved by each byte that comes."""
    with Wire(hasty, deadline_s=0.05) as wire:
        wire.send(LINE + HOST + b"X-Slow: ")
        answer = b""
        for _ in range(200):  # 10 s of drops, if nobody ends it
            wire.send(b"a")
            try:
                answer = wire.read_some()
            except TimeoutError:
                continue
            break

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_connection_without_a_request_ends(hasty: int) -> None:
    """DOS-04: nobody keeps a connection by saying nothing, before a request or after one."""
    with Wire(hasty) as silent, Wire(hasty) as served:
        served.send(GET)
        assert served.read_response().status == 200

        assert silent.is_ended()
        assert served.is_ended()


def test_a_body_that_does_not_come_is_408(hasty: int, hasty_upstream: Upstream) -> None:
    """DOS-02, ``body_timeout``: between two reads; the service sees no end of it."""
    hasty_upstream.clear()
    with Wire(hasty) as wire:
        wire.send(b"POST /public HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhel")

        assert read_verdict(wire, method=b"POST") == (408, "request_timeout", True)
    (request,) = hasty_upstream.requests
    assert hasty_upstream.wait_for_end(request.connection)
    assert not request.complete


def test_a_client_that_does_not_read_is_cut_off(hasty: int, hasty_upstream: Upstream) -> None:
    """DOS-03, ``write_timeout``: an endless answer waits no longer for an unwilling reader."""
    hasty_upstream.clear()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"
    hasty_upstream.play(respond(head), flood(b"a" * 65536, 15000))
    with Wire(hasty, receive_buffer_bytes=4096) as wire:
        wire.send(GET)
        number = hasty_upstream.wait_for_requests(1)[0].connection

        assert hasty_upstream.wait_for_end(number)
