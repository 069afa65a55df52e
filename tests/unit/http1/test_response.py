"""One response head: what is relayed, and what a service may not say."""

import pytest

from gateway.errors import Reason, UpstreamError
from gateway.http1.response import ResponseHead, parse_response_head, status_line


def _parse(*lines: bytes, max_fields: int = 100) -> ResponseHead:
    return parse_response_head(b"\r\n".join([*lines, b"", b""]), max_fields=max_fields)


def test_fields_are_relayed_as_they_came_without_framing_and_hop_by_hop() -> None:
    """RFC 9110 section 7.6.1; what Connection names besides these stays (names.py says why)."""
    response = _parse(
        b"HTTP/1.1 200 OK",
        b"Content-Length: 3",
        b"Connection: Set-Cookie, close",
        b"SERVER:x",
        b"Server: y",
        b"Set-Cookie: a=b",
        b"Keep-Alive: 1",
        b"Upgrade: h2c",
        b"Trailer: X",
        b"X-Odd_Name: 1",
    )

    assert response.head == (
        b"HTTP/1.1 200 OK\r\nSERVER:x\r\nServer: y\r\nSet-Cookie: a=b\r\nX-Odd_Name: 1\r\n"
    )
    assert response.length_line == b"Content-Length: 3\r\n"
    assert (response.status, response.content_length, response.chunked) == (200, 3, False)


@pytest.mark.parametrize(
    ("lines", "keep_alive"),
    [
        pytest.param([b"HTTP/1.1 200 OK"], True, id="1.1"),
        pytest.param([b"HTTP/1.0 200 OK"], False, id="1.0"),
        pytest.param([b"HTTP/1.1 200 OK", b"Connection: Close"], False, id="1.1-close"),
        pytest.param([b"HTTP/1.0 200 OK", b"Connection: Keep-Alive"], True, id="1.0-keep-alive"),
        pytest.param([b"HTTP/1.1 200 OK", b"Connection: x"], True, id="1.1-other"),
        pytest.param(
            [b"HTTP/1.1 200 OK", b"Connection: close", b"Connection: keep-alive"],
            False,
            id="close-wins",
        ),
        pytest.param(
            [b"HTTP/1.0 200 OK", b"Connection: keep-alive", b"Connection: close"],
            False,
            id="close-wins-wherever-it-stands",
        ),
    ],
)
def test_whether_the_connection_can_be_used_again(*, lines: list[bytes], keep_alive: bool) -> None:
    """RFC 9112 section 9.3."""
    assert keep_alive is _parse(*lines).keep_alive


@pytest.mark.parametrize(
    ("status", "bodiless"),
    [(100, True), (101, True), (103, True), (200, False), (204, True), (304, True), (404, False)],
)
def test_some_statuses_have_no_body(*, status: int, bodiless: bool) -> None:
    """RFC 9112 section 6.3, whatever the fields say."""
    response = _parse(b"HTTP/1.1 %d x" % status, b"Content-Length: 5")

    assert bodiless is response.bodiless


def test_the_chunked_coding_is_understood() -> None:
    """RFC 9112 section 6.1: in any case of letters."""
    assert _parse(b"HTTP/1.1 200", b"Transfer-Encoding: Chunked").chunked


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([b"HTTP/1.1 000 x"], id="status-000"),
        pytest.param([b"HTTP/1.1 999 x"], id="status-999"),
        pytest.param([b"HTTP/2.0 200 x"], id="version"),
        pytest.param([b"ICY 200 x"], id="protocol"),
        pytest.param([b"HTTP/1.1 200 OK", b"Content-Length: 1", b"Content-Length: 1"], id="two-cl"),
        pytest.param([b"HTTP/1.1 200 OK", b"Content-Length: -1"], id="negative"),
        pytest.param([b"HTTP/1.1 200 OK", b"Content-Length: " + b"1" * 19], id="huge"),
        pytest.param([b"HTTP/1.1 200 OK", b"Transfer-Encoding: gzip"], id="gzip"),
        pytest.param([b"HTTP/1.1 200 OK", b"Transfer-Encoding: gzip, chunked"], id="list"),
        pytest.param([b"HTTP/1.1 200 OK"] + [b"Transfer-Encoding: chunked"] * 2, id="two-te"),
        pytest.param([b"HTTP/1.0 200 OK", b"Transfer-Encoding: chunked"], id="1.0-chunked"),
        pytest.param(
            [b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"Content-Length: 1"], id="both"
        ),
        pytest.param([b"HTTP/1.1 200 OK", b"A:", b"B:", b"C:"], id="too-many-fields"),
    ],
)
def test_a_response_that_cannot_be_cut_in_one_way_is_not_relayed(lines: list[bytes]) -> None:
    """DESIGN.md section 10: the service broke the protocol, the client is told 502."""
    with pytest.raises(UpstreamError) as caught:
        _parse(*lines, max_fields=2)

    assert caught.value.reason is Reason.UPSTREAM_PROTOCOL


def test_the_phrase_is_the_gateways_own() -> None:
    """THREATS.md M13: services have put control bytes into theirs; unknown statuses get none."""
    assert status_line(404) == b"HTTP/1.1 404 Not Found\r\n"
    assert status_line(299) == b"HTTP/1.1 299 \r\n"
    assert _parse(b"HTTP/1.0 200 \x00evil").head == b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("lines", "upgrade"),
    [
        ([b"Upgrade: WebSocket", b"Connection: upgrade"], [b"websocket"]),
        ([b"Upgrade: a", b"Upgrade: b", b"Connection: x, Upgrade"], [b"a", b"b"]),
        ([b"Upgrade: websocket"], []),
        ([b"Keep-Alive: 5", b"Connection: upgrade"], []),
    ],
)
def test_what_a_service_switches_to_is_known(lines: list[bytes], upgrade: list[bytes]) -> None:
    """RFC 9110 section 7.8: both fields say it; neither is relayed."""
    response = _parse(b"HTTP/1.1 101 Switching Protocols", *lines)

    assert response.upgrade == upgrade
    assert response.head == b"HTTP/1.1 101 Switching Protocols\r\n"
