"""What ends with its token, its time or the gateway: THREATS.md WS-10, WS-11, WS-16, DOS-13."""

import json
import logging
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.endpoints import ask, log_in
from tests.kit.gateway import GatewayProcess, bearer, configuration, mint
from tests.kit.script import Conversation, await_end, send
from tests.kit.tunnels import LEEWAY_S, MOST, read_to_end, running, service, upstream, wire
from tests.kit.upstream import Upstream
from tests.kit.websocket import MASK, close_code, frame, handshake, note, open_tunnel, switch
from tests.kit.wire import Wire

__all__ = ["running", "service", "upstream", "wire"]

log = logging.getLogger(__name__)

SOON_S: Final = 30.0


def opened(wire: Wire, upstream: Upstream, request: bytes, heard: list[bytes]) -> threading.Event:
    """Open a tunnel whose service notes what it hears; return what is set at its end."""
    ended = threading.Event()
    upstream.play(switch(), note(heard, ended.set))
    open_tunnel(wire, request)
    return ended


def test_a_tunnel_ends_when_its_token_expires(wire: Wire, upstream: Upstream) -> None:
    """WS-10: 1008 to both, within a second of the last moment at which a request would pass."""
    now_s = time.time()
    heard: list[bytes] = []
    expires_at_s = int(now_s) + 1
    token = mint(exp=expires_at_s).encode()
    ended = opened(
        wire, upstream, handshake(b"/ws", b"Authorization: Bearer %b\r\n" % token), heard
    )
    data = read_to_end(wire)
    late_s = time.time() - expires_at_s - LEEWAY_S

    assert close_code(data) == 1008
    assert ended.wait(SOON_S)
    assert close_code(b"".join(heard)) == 1008
    assert late_s > 0
    log.info("1008 came %.2f s after the expiry", late_s)


def test_a_tunnel_ends_when_its_session_does(
    wire: Wire, upstream: Upstream, running: GatewayProcess
) -> None:
    """WS-11: a logout ends what the session has opened."""
    token = log_in(running)["token"]
    heard: list[bytes] = []
    request = handshake(b"/ws", b"Authorization: Bearer %b\r\n" % token.encode())
    ended = opened(wire, upstream, request, heard)
    began_s = time.monotonic()
    assert ask(running, b"POST", b"/logout", token=token).status == 204
    data = read_to_end(wire)
    took_s = time.monotonic() - began_s

    assert close_code(data) == 1008
    assert ended.wait(SOON_S)
    assert close_code(b"".join(heard)) == 1008
    log.info("1008 came %.2f s after the logout was sent", took_s)


def test_one_user_has_not_all_websockets(upstream: Upstream, running: GatewayProcess) -> None:
    """WS-16: 429 for one too many, whoever was only asked for counted; one that ends makes room."""
    mine = handshake(b"/ws", bearer(sub="many"))
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(running.port)) for _ in range(MOST)]
        for wire in wires[1:]:
            upstream.play(switch(), await_end)
            open_tunnel(wire, mine)
        upstream.play(await_end)
        wires[0].send(mine)  # the service does not answer
        upstream.wait_for_requests(MOST)
        with Wire(running.port) as late:
            late.send(mine)
            refused = late.read_response()
            assert late.is_ended()
        with Wire(running.port) as other:
            upstream.play(switch(), await_end)
            open_tunnel(other, handshake(b"/ws", bearer(sub="another")))
        assert (refused.status, refused.reason) == (429, "too_many_websockets")
        assert len(upstream.requests) == MOST + 1

        wires[1].close()
        deadline_s = time.monotonic() + SOON_S
        answer = b""
        while not answer.startswith(b"HTTP/1.1 101") and time.monotonic() < deadline_s:
            upstream.play(switch(), await_end)
            with Wire(running.port) as again:
                again.send(mine)
                answer = again.read_until(b"\r\n")
        assert answer.startswith(b"HTTP/1.1 101")


def test_a_frame_at_hand_is_not_cut_into(
    wire: Wire, upstream: Upstream, running: GatewayProcess
) -> None:
    """RFC 6455 section 5.4: the close frame stands behind it, and nothing else does."""
    token = log_in(running)["token"]
    go_on = threading.Event()
    message = frame(b"m" * 300)

    def talk_in_halves(talk: Conversation) -> None:
        talk.send(message[:100])
        assert go_on.wait(SOON_S)
        talk.send(message[100:] + frame(b"never"))

    heard: list[bytes] = []
    request = handshake(b"/ws", b"Authorization: Bearer %b\r\n" % token.encode())
    upstream.play(switch(), talk_in_halves, note(heard))
    open_tunnel(wire, request)
    sent = frame(b"c" * 300, mask=MASK)
    wire.send(sent[:50])
    assert wire.read_until(message[:100])
    with Wire(running.port) as other:  # ends in the same look as the one that is half-way
        upstream.play(switch(), await_end)
        open_tunnel(other, request)
        assert ask(running, b"POST", b"/logout", token=token).status == 204
        read_to_end(other)
    go_on.set()
    wire.send(sent[50:] + frame(b"never", mask=MASK))
    data = read_to_end(wire)
    upstream.wait_for_end(upstream.requests[0].connection)

    assert b"never" not in data
    assert data[:-4].endswith(message[100:])
    assert close_code(data[-4:]) == 1008


def test_a_frame_that_does_not_end_is_cut(
    wire: Wire, upstream: Upstream, running: GatewayProcess
) -> None:
    """What can carry no close frame is cut off within a second all the same."""
    token = log_in(running)["token"]
    upstream.play(switch(then=b"\x82\x7f" + b"\x00" * 7), await_end)
    open_tunnel(wire, handshake(b"/ws", b"Authorization: Bearer %b\r\n" % token.encode()))
    assert ask(running, b"POST", b"/logout", token=token).status == 204
    data = read_to_end(wire)

    assert close_code(data[-4:]) is None
    assert upstream.wait_for_end(upstream.requests[0].connection)


@pytest.mark.parametrize("framing", [b"Transfer-Encoding: chunked\r\n", b"Content-Length: 99\r\n"])
def test_an_endless_answer_ends_with_its_token(
    wire: Wire, upstream: Upstream, running: GatewayProcess, framing: bytes
) -> None:
    """``end_with_token``: cut, so that nobody takes it for complete (guarantee 7)."""
    token = log_in(running)["token"]
    upstream.play(
        send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n5\r\nevent\r\n"),
        await_end,
    )
    wire.send(
        b"GET /events HTTP/1.1\r\nHost: gw.test\r\nAuthorization: Bearer %b\r\n\r\n"
        % token.encode()
    )
    assert b"event" in wire.read_until(b"event")
    assert ask(running, b"POST", b"/logout", token=token).status == 204
    rest = read_to_end(wire)

    assert b"0\r\n\r\n" not in rest
    assert upstream.wait_for_end(upstream.requests[0].connection)


def test_what_is_not_answered_yet_is_refused_when_the_token_ends(
    wire: Wire, upstream: Upstream, running: GatewayProcess
) -> None:
    """``end_with_token``: as it would be if it were asked now."""
    token = log_in(running)["token"]
    upstream.play(await_end)
    wire.send(
        b"GET /events HTTP/1.1\r\nHost: gw.test\r\nAuthorization: Bearer %b\r\n\r\n"
        % token.encode()
    )
    upstream.wait_for_requests(1)
    assert ask(running, b"POST", b"/logout", token=token).status == 204

    assert wire.read_response().reason == "token_revoked"


def trickle(talk: Conversation) -> None:
    """Answer with a byte now and then, for ever."""
    talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
    while True:
        talk.send(b".")
        time.sleep(0.1)


def test_an_answer_does_not_take_for_ever(wire: Wire, upstream: Upstream) -> None:
    """DOS-13: ``max_duration``, however busy the service seems; the answer is visibly cut."""
    upstream.play(trickle)
    begun_s = time.monotonic()
    wire.send(b"GET /brief HTTP/1.1\r\nHost: gw.test\r\n%b\r\n" % bearer())
    data = read_to_end(wire)

    assert data.startswith(b"HTTP/1.1 200")
    assert b"...." in data
    assert 1 <= time.monotonic() - begun_s < SOON_S
    assert upstream.wait_for_end(upstream.requests[0].connection)


def test_an_answer_that_has_not_begun_in_time_is_refused(wire: Wire, upstream: Upstream) -> None:
    """``max_duration`` ends it before the upstream's ``response_timeout`` would."""
    upstream.play(await_end)
    wire.send(b"GET /brief HTTP/1.1\r\nHost: gw.test\r\n%b\r\n" % bearer())
    response = wire.read_response()

    assert (response.status, response.reason) == (504, "upstream_timeout")
    assert upstream.wait_for_end(upstream.requests[0].connection)


def test_a_tunnel_does_not_take_for_ever(wire: Wire, upstream: Upstream) -> None:
    """``max_duration`` counts from the switch on; both are told to go."""
    heard: list[bytes] = []
    ended = opened(wire, upstream, handshake(b"/brief", bearer()), heard)

    assert close_code(read_to_end(wire)) == 1001
    assert ended.wait(SOON_S)
    assert close_code(b"".join(heard)) == 1001


def test_a_tunnel_is_told_of_once_at_its_end(
    wire: Wire, upstream: Upstream, running: GatewayProcess
) -> None:
    """One line, with the bytes of both directions."""
    upstream.play(switch(then=b"12345"), await_end)
    open_tunnel(wire, handshake(b"/open/told") + b"abc")
    wire.read_until(b"12345")
    wire.half_close()
    read_to_end(wire)
    deadline_s = time.monotonic() + SOON_S
    lines: list[dict[str, Any]] = []
    while not lines and time.monotonic() < deadline_s:
        text = (running.folder / "access.log").read_text("utf-8")
        told = [json.loads(line) for line in text.splitlines()]
        lines = [t for t in told if t["status"] == 101 and t["path"] == "/open/told"]
        with Wire(running.port) as other:  # and with it the line before is written
            other.send(b"GET /none HTTP/1.1\r\nHost: gw.test\r\n\r\n")
            other.read_response()

    assert [(t["received_bytes"], t["sent_bytes"]) for t in lines] == [(3, 5)]


def test_a_drain_sends_both_away(upstream: Upstream, tmp_path: Path) -> None:
    """SIGTERM: 1001 to both, long before the grace is over."""
    document = configuration(upstream.port)
    document["routes"].append({"path": "/ws/**", "upstream": "raw", "websocket": True})
    document["limits"] |= {"tunnel_idle_timeout": "1s"}
    heard: list[bytes] = []
    with GatewayProcess(document, tmp_path) as gateway:
        with Wire(gateway.port) as idle:
            ended = opened(idle, upstream, handshake(b"/ws", bearer()), heard)
            assert close_code(read_to_end(idle)) == 1001  # WS-16: nothing has passed
            assert ended.wait(SOON_S)
        with Wire(gateway.port) as wire:
            heard = []
            ended = opened(wire, upstream, handshake(b"/ws", bearer()), heard)
            gateway.terminate()
            data = read_to_end(wire)
            assert ended.wait(SOON_S)

    assert close_code(data) == 1001
    assert close_code(b"".join(heard)) == 1001
