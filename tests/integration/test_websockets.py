"""Websockets through the gateway: THREATS.md A5, WS-01 to WS-09, WS-12 to WS-15.

The peers are raw sockets, so that every byte is the test's own.
"""

import contextlib
import socket
import threading
from typing import Any, Final

import pytest

from tests.kit.gateway import GatewayProcess, bearer, mint
from tests.kit.script import OK, Conversation, PeerGoneError, await_end, send
from tests.kit.tunnels import read_to_end, running, service, upstream, wire
from tests.kit.upstream import Upstream
from tests.kit.websocket import (
    ACCEPT,
    KEY,
    MASK,
    UPGRADE,
    frame,
    handshake,
    mirror,
    open_tunnel,
    switch,
)
from tests.kit.wire import Wire, read_verdict

__all__ = ["running", "service", "upstream", "wire"]

SOON_S: Final = 30.0
SMUGGLED: Final = b"GET /admin HTTP/1.1\r\nHost: gw.test\r\n\r\n"
EVIL: Final = b"Origin: https://evil.test\r\n"


REFUSED: Final = [
    pytest.param(handshake(b"/ws"), (401, "credential_missing"), id="WS-01"),
    pytest.param(handshake(b"/p", bearer()), (400, "websocket_refused"), id="WS-02"),
    pytest.param(
        handshake(b"/ws", b"Cookie: session=%b\r\n" % mint().encode(), EVIL),
        (403, "origin_denied"), id="WS-03",
    ),
    pytest.param(
        handshake(b"/ws", b"Cookie: session=%b\r\n" % mint().encode(), b"Origin: null\r\n"),
        (403, "origin_denied"), id="WS-03-null",
    ),
    pytest.param(
        handshake(b"/ws", bearer(), upgrade=UPGRADE.replace(b"socket", b"socket, h2c")),
        (400, "websocket_refused"), id="WS-05",
    ),
    pytest.param(handshake(b"/ws", bearer(), key=b""), (400, "websocket_refused"), id="WS-06-none"),
    pytest.param(
        handshake(b"/ws", bearer(), key=b"Sec-WebSocket-Key: c2hvcnQ=\r\n"),
        (400, "websocket_refused"), id="WS-06-short",
    ),
    pytest.param(
        handshake(b"/ws", bearer(), b"Sec-WebSocket-Key: %b\r\n" % KEY),
        (400, "websocket_refused"), id="WS-06-twice",
    ),
    pytest.param(
        handshake(b"/ws", bearer(), line=b"POST %b HTTP/1.1\r\n"),
        (400, "websocket_refused"), id="WS-06-post",
    ),
    pytest.param(
        handshake(b"/ws", bearer(), line=b"GET %b HTTP/1.0\r\n"),
        (400, "websocket_refused"), id="WS-06-http10",
    ),
    pytest.param(
        handshake(b"/ws", bearer(), version=b"Sec-WebSocket-Version: 12\r\n"),
        (426, "websocket_version"), id="WS-06-version",
    ),
    pytest.param(
        handshake(b"/ws", b"Sec-WebSocket-Protocol: bearer, %b\r\n" % mint().encode()),
        (401, "credential_missing"), id="WS-12",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("request_bytes", "verdict"), REFUSED)
def test_a_handshake_is_refused_before_the_service_hears_of_it(
    wire: Wire, upstream: Upstream, request_bytes: bytes, verdict: tuple[int, str]
) -> None:
    """WS-01, 02, 03, 05, 06, 12: and what was meant for a tunnel is no request."""
    wire.send(request_bytes + SMUGGLED)

    assert read_verdict(wire) == (*verdict, True)
    assert upstream.byte_count == 0


def test_the_version_that_is_spoken_is_told(wire: Wire) -> None:
    """RFC 6455 section 4.2.2: so that a client of another version may try again."""
    wire.send(handshake(b"/ws", bearer(), version=b"Sec-WebSocket-Version: 8\r\n"))

    assert wire.read_response().header(b"sec-websocket-version") == [b"13"]


@pytest.mark.parametrize(
    "upgrade", [b"Connection: notupgrade\r\nUpgrade: websocket\r\n", b"Upgrade: websocket\r\n"]
)
def test_without_the_option_it_is_an_ordinary_request(
    wire: Wire, upstream: Upstream, upgrade: bytes
) -> None:
    """WS-04: neither field reaches the service, and no answer of it opens a tunnel."""
    wire.send(handshake(b"/ws", bearer(), upgrade=upgrade))

    assert wire.read_response().status == 200
    assert {b"upgrade", b"connection"}.isdisjoint(upstream.requests[0].names)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([bearer(), EVIL], id="a-header-that-no-page-can-send"),
        pytest.param(
            [b"Cookie: session=%b\r\n" % mint().encode(), b"Origin: http://gw.test\r\n"], id="own"
        ),
        pytest.param(
            [b"Cookie: session=%b\r\n" % mint().encode(), b"Origin: https://app.test\r\n"],
            id="known",
        ),
    ],
)
def test_a_tunnel_passes_every_byte(wire: Wire, upstream: Upstream, fields: list[bytes]) -> None:
    """WS-03, 05, 14: the service's handshake is the gateway's own, with the identity in it."""
    upstream.play(switch(then=b"first"), mirror)
    twice = b"Connection: keep-alive\r\nconnection: UPGRADE\r\nUpgrade: WebSocket\r\n"
    head = open_tunnel(
        wire, handshake(b"/ws", *fields, b"X-User: admin\r\nX_User: admin\r\n", upgrade=twice)
    )
    wire.send(frame(b"hello", mask=MASK))

    assert wire.read_until(MASK + b"\x69\x67\x6f\x68\x6e").startswith(b"first")
    assert b"\r\nSec-WebSocket-Accept: %b\r\n" % ACCEPT in head
    assert head.lower().count(b"\r\nupgrade: websocket\r\n") == 1
    assert head.lower().count(b"\r\nconnection: ") == 1
    (request,) = upstream.requests
    assert request.header(b"x-user") == [b"alice"]
    assert request.header(b"upgrade") == [b"websocket"]
    assert request.header(b"connection") == [b"Upgrade"]
    assert request.header(b"sec-websocket-key") == [KEY]
    assert b"authorization" not in request.names


def test_a_token_in_the_query_is_taken_off(wire: Wire, upstream: Upstream) -> None:
    """WS-13: where the configuration names that place at all."""
    upstream.play(switch(), mirror)
    open_tunnel(wire, handshake(b"/ws?a=1&access_token=%b" % mint().encode()))

    assert upstream.requests[0].target == b"/ws?a=1"


@pytest.mark.parametrize("status", [b"200 OK", b"401 Unauthorized", b"426 Upgrade Required"])
def test_a_service_that_declines_answers_a_request(
    wire: Wire, upstream: Upstream, status: bytes
) -> None:
    """WS-07, 09, CVE-2025-64763: no early byte was sent to it, none is a request afterwards."""
    upstream.play(send(b"HTTP/1.1 %b\r\nContent-Length: 2\r\n\r\nno" % status), await_end)
    request = handshake(b"/ws", bearer())
    wire.send(request + SMUGGLED)

    response = wire.read_response()
    assert (b"%d" % response.status, response.body, response.closes) == (status[:3], b"no", True)
    assert wire.is_ended()
    (received,) = upstream.requests
    assert upstream.byte_count == len(received.head)


def test_early_bytes_wait_for_the_switch(wire: Wire, upstream: Upstream) -> None:
    """WS-07: they are held, and come first once the tunnel is open."""
    may_switch, heard = threading.Event(), []

    def hold(talk: Conversation) -> None:
        assert may_switch.wait(SOON_S)
        with contextlib.suppress(BlockingIOError):
            heard.append(talk.sock.recv(1, socket.MSG_DONTWAIT))

    upstream.play(hold, switch(), mirror)
    wire.send(handshake(b"/ws", bearer()) + b"early")
    upstream.wait_for_requests(1)
    may_switch.set()

    assert wire.read_until(b"early").startswith(b"HTTP/1.1 101 ")
    assert heard == []


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(switch(accept=b"Sec-WebSocket-Accept: AAAA\r\n"), id="accept"),
        pytest.param(switch(accept=b"X-Nothing: 1\r\n"), id="no-accept"),
        pytest.param(switch(upgrade=b"Connection: Upgrade\r\n"), id="no-upgrade"),
        pytest.param(switch(upgrade=b"Upgrade: websocket\r\n"), id="no-connection"),
        pytest.param(switch(upgrade=UPGRADE.replace(b"websocket", b"h2c")), id="h2c"),
    ],
)
def test_a_service_that_does_not_prove_itself_is_refused(
    wire: Wire, upstream: Upstream, step: Any
) -> None:
    """WS-08: 502, and its connection is not used again."""
    upstream.play(step, await_end)
    wire.send(handshake(b"/ws", bearer()) + SMUGGLED)

    assert read_verdict(wire) == (502, "upstream_protocol", True)
    assert upstream.wait_for_end(upstream.requests[0].connection)


def test_nobody_switches_unasked(wire: Wire, upstream: Upstream) -> None:
    """WS-08: a 101 to an ordinary request is no answer."""
    upstream.play(send(b"HTTP/1.1 101 X\r\n" + UPGRADE + b"\r\n" + OK), await_end)
    wire.send(b"GET /ws HTTP/1.1\r\nHost: gw.test\r\n" + bearer() + b"\r\n")

    assert wire.read_response().status == 502


def test_a_tunnel_without_a_token_has_no_end(wire: Wire, upstream: Upstream) -> None:
    """``auth: none``: there is nothing to end with; a client that leaves ends it."""
    upstream.play(switch(), mirror)
    open_tunnel(wire, handshake(b"/open"))
    wire.close()

    assert upstream.wait_for_end(upstream.requests[0].connection)


def test_a_service_that_is_lost_ends_the_clients_side(wire: Wire, upstream: Upstream) -> None:
    """Half a tunnel is none."""
    upstream.play(switch(then=frame(b"last")), lambda talk: talk.sock.close())
    open_tunnel(wire, handshake(b"/open"))

    assert read_to_end(wire).endswith(b"last")


def test_a_client_that_has_said_all_still_hears(wire: Wire, upstream: Upstream) -> None:
    """Half-closed: the service learns of the end, and its last words arrive."""
    heard: list[bytes] = []

    def listen_and_answer(talk: Conversation) -> None:
        while piece := talk.sock.recv(1024):
            heard.append(piece)
        talk.send(b"last words")

    upstream.play(switch(), listen_and_answer)
    open_tunnel(wire, handshake(b"/open"))
    wire.send(b"mine")
    wire.half_close()

    assert read_to_end(wire) == b"last words"
    assert b"".join(heard) == b"mine"


def test_a_slow_reader_slows_the_service(running: GatewayProcess, upstream: Upstream) -> None:
    """WS-15: the service is paused, and what the gateway holds stays small."""
    piece = frame(b"x" * 65_000)
    sent_count, is_paused = 0, threading.Event()

    def push(talk: Conversation) -> None:
        nonlocal sent_count
        talk.sock.settimeout(1.0)
        try:
            while sent_count < 50 * 2**20:
                sent_count += talk.sock.send(piece)
        except TimeoutError:
            is_paused.set()
        raise PeerGoneError

    upstream.play(switch(), push)
    with Wire(running.port, receive_buffer_bytes=4096) as slow:
        before = running.memory_bytes()
        open_tunnel(slow, handshake(b"/open"))
        assert is_paused.wait(SOON_S)
        grown = running.memory_bytes() - before
        received_count = len(read_to_end(slow))

    assert sent_count < 20 * 2**20
    assert grown < 4 * 2**20
    assert received_count == sent_count
