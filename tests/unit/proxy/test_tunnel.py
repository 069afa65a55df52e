"""gateway.proxy.tunnel: what cannot be made to happen reliably with real sockets."""

import asyncio
from collections.abc import Callable

from gateway.errors import Reason
from gateway.http1.handshake import accept_of
from gateway.policy.model import Auth, Limits
from gateway.proxy.tunnel import END_S, HALF_CLOSED_S, Tunnel
from gateway.proxy.upstream import UpstreamConnection
from tests.kit.policy import head, route, snapshot
from tests.kit.transport import Client, FakeTransport
from tests.kit.websocket import KEY, MASK, close_code, frame

LIMITS = Limits(buffer_bytes=1024)
WS = route("/ws", auth=Auth.NONE, websocket=True)
HANDSHAKE = head(
    "/ws",
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: " + KEY,
)
SWITCHED = (
    b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + accept_of(KEY) + b"\r\n\r\n"
)


class Setting:
    """A client, a service, and the tunnel between them."""

    def __init__(self, early: bytes = b"", *, switch: bool = True) -> None:
        self.client = Client(snapshot(WS, limits=LIMITS))
        self.connection: UpstreamConnection
        self.service: FakeTransport
        self.connection, self.service = self.client.connect_upstream(WS.upstream)
        self.client.protocol.data_received(HANDSHAKE + early)
        self.sent_head = self.service.written
        if switch:
            self.connection.data_received(SWITCHED)
            (self.tunnel,) = (t for t in self.client.worker.tunnels if isinstance(t, Tunnel))
            self.client.transport.written = self.service.written = b""

    def pass_time(self, seconds: float) -> None:
        """Move the clock; let the tunnel's deadline fire."""
        self.client.sweeper.now_s += seconds
        if self.tunnel.deadline_s <= self.client.sweeper.now_s:
            self.tunnel.on_deadline()


def run(test: Callable[[], None]) -> None:
    """Run a test inside a loop."""

    async def main() -> None:
        test()

    asyncio.run(main())


def test_early_bytes_are_bounded() -> None:
    """THREATS.md WS-07: what is held is at most a buffer and one read, and is not sent on."""

    def test() -> None:
        setting = Setting(b"x" * 1024, switch=False)
        assert not setting.client.transport.is_reading()
        assert setting.service.written.endswith(b"\r\n\r\n")
        setting.connection.data_received(SWITCHED)

        assert setting.service.written == setting.sent_head + b"x" * 1024
        assert setting.client.transport.is_reading()

    run(test)


def test_a_client_that_does_not_read_pauses_the_service() -> None:
    """THREATS.md WS-15, and the other way round."""

    def test() -> None:
        setting = Setting()
        setting.client.protocol.pause_writing()
        assert not setting.service.is_reading()
        setting.client.protocol.resume_writing()
        assert setting.service.is_reading()
        setting.connection.pause_writing()
        assert not setting.client.transport.is_reading()
        setting.connection.resume_writing()
        assert setting.client.transport.is_reading()

    run(test)


def test_silence_ends_it_and_bytes_of_either_side_put_that_off() -> None:
    """``tunnel_idle_timeout``, THREATS.md WS-16."""

    def test() -> None:
        setting = Setting()
        for say in (setting.client.protocol.data_received, setting.connection.data_received):
            setting.pass_time(LIMITS.tunnel_idle_timeout_s - 1)
            say(frame(b"x", mask=MASK))
        setting.pass_time(LIMITS.tunnel_idle_timeout_s - 1)
        assert not setting.tunnel.is_over
        setting.client.transport.written = setting.service.written = b""
        setting.pass_time(1)

        assert close_code(setting.client.transport.written) == 1001
        assert close_code(setting.service.written) == 1001

    run(test)


def test_nothing_is_said_behind_a_close_frame() -> None:
    """RFC 6455 section 5.5.1: the end comes without a second one."""

    def test() -> None:
        setting = Setting()
        close = frame(b"\x03\xe8", opcode=8)
        setting.connection.data_received(close)
        setting.tunnel.on_end(Reason.TOKEN_EXPIRED)

        assert setting.client.transport.written == close
        assert close_code(setting.service.written) == 1008
        assert setting.client.transport.is_over()

    run(test)


def test_nothing_passes_once_it_is_to_end() -> None:
    """Neither way, though both sides go on sending."""

    def test() -> None:
        setting = Setting()
        setting.tunnel.on_end(Reason.TOKEN_REVOKED)
        setting.client.protocol.data_received(frame(b"late", mask=MASK))
        setting.connection.data_received(frame(b"late"))

        assert close_code(setting.client.transport.written) == 1008
        assert close_code(setting.service.written) == 1008
        assert setting.service.is_over()
        setting.pass_time(END_S)
        assert setting.service.aborted

    run(test)


def test_frames_that_do_not_end_are_cut() -> None:
    """Both sides are half-way: nobody can be told, and nobody waits for long."""

    def test() -> None:
        setting = Setting()
        setting.client.protocol.data_received(frame(b"half", mask=MASK)[:-1])
        setting.connection.data_received(frame(b"half")[:-1])
        setting.tunnel.on_end(Reason.TOKEN_REVOKED)
        setting.pass_time(END_S)

        assert setting.client.transport.aborted
        assert setting.service.is_over()
        setting.pass_time(END_S)
        assert setting.service.aborted

    run(test)


def test_an_unknown_end_may_be_tried_again() -> None:
    """1013 where the gateway itself does not know; the token may be good."""

    def test() -> None:
        setting = Setting()
        setting.tunnel.on_end(Reason.STORE_UNAVAILABLE)

        assert close_code(setting.client.transport.written) == 1013

    run(test)


def test_a_drain_meets_a_handshake_that_is_on_its_way() -> None:
    """What has begun is answered, and sent away at once."""

    def test() -> None:
        setting = Setting(switch=False)
        setting.client.protocol.shutdown()
        setting.connection.data_received(SWITCHED)

        assert close_code(setting.client.transport.written[-4:]) == 1001
        assert setting.client.transport.is_over()

    run(test)


def test_a_client_that_has_closed_its_side_is_not_waited_for_long() -> None:
    """A service that ignores it would keep both connections."""

    def test() -> None:
        setting = Setting()
        assert setting.client.protocol.eof_received()
        assert setting.service.ended
        setting.connection.data_received(frame(b"last"))
        setting.pass_time(HALF_CLOSED_S)

        assert setting.tunnel.is_over

    run(test)


def test_a_client_that_is_lost_takes_its_last_bytes_to_the_service() -> None:
    """The service is sent what was said, and then the end; it has a while to take it."""

    def test() -> None:
        setting = Setting()
        setting.client.protocol.data_received(frame(b"last", mask=MASK))
        setting.client.protocol.connection_lost(None)
        setting.connection.data_received(frame(b"unheard"))

        assert setting.service.written == frame(b"last", mask=MASK)
        assert setting.service.ended
        assert not setting.service.aborted
        setting.connection.connection_lost(None)
        assert setting.tunnel.is_over

    run(test)


def test_the_end_of_the_service_is_the_clients() -> None:
    """Behind what it has sent."""

    def test() -> None:
        setting = Setting()
        setting.connection.data_received(frame(b"last"))
        setting.connection.eof_received()
        setting.connection.connection_lost(None)

        assert setting.client.transport.written == frame(b"last")
        assert setting.client.transport.is_over()

    run(test)
