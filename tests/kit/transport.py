"""A transport without a socket, and the worker around it: the data plane one event at a time."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp

from gateway.policy.model import Snapshot, Upstream
from gateway.policy.revoked import NoRevocations, Revocations
from gateway.proxy.downstream import Downstream
from gateway.proxy.sweeper import Sweeper
from gateway.proxy.upstream import UpstreamConnection
from gateway.proxy.worker import Worker


class FakeTransport(asyncio.Transport):
    """Records what is written and asked of it; nothing is sent anywhere."""

    def __init__(self, peer: object = ("192.0.2.1", 4711)) -> None:
        super().__init__({"peername": peer})
        self.written = b""
        self.full = False  # the next write fills the buffer, and the protocol is told
        self.protocol: asyncio.Protocol | None = None  # who is told
        self.unsent_bytes = 0  # what ``get_write_buffer_size`` says
        self.reading = True
        self.ended = False  # our side was closed, theirs not
        self.closed = False
        self.aborted = False

    def write(self, data: Any) -> None:
        """Record it."""
        assert not self.closed, "written after the close"
        self.written += data
        if self.full and self.protocol is not None:
            self.full = False
            self.protocol.pause_writing()

    def write_eof(self) -> None:
        """Record it."""
        self.ended = True

    def can_write_eof(self) -> bool:
        """As TCP can."""
        return True

    def close(self) -> None:
        """Record it."""
        self.closed = True

    def abort(self) -> None:
        """Record it."""
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed

    def is_reading(self) -> bool:
        """Whether bytes would be delivered."""
        return self.reading

    def is_over(self) -> bool:
        """Whether our side is closed."""
        return self.closed or self.ended

    def pause_reading(self) -> None:
        """Record it; twice in a row is our bug."""
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        """Record it; twice in a row is our bug."""
        assert not self.reading
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Take any."""

    def get_write_buffer_size(self) -> int:
        """What the test says."""
        return self.unsent_bytes


class Client:
    """A client connection of the gateway on a fake transport, with a clock that the test moves."""

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        control: ASGIApp | None = None,
        clock: Callable[[], float] = time.time,
        revocations: Revocations | None = None,
    ) -> None:
        self.sweeper = Sweeper()
        self.connections: set[Any] = set()
        self.worker = Worker(
            snapshot,
            control or _no_control,
            clock=clock,
            date=list,
            sweeper=self.sweeper,
            revocations=revocations or NoRevocations(),
        )
        self.transport = FakeTransport()
        self.protocol = Downstream(self.worker, self.connections)
        self.transport.protocol = self.protocol
        self.protocol.connection_made(self.transport)

    def connect_upstream(self, upstream: Upstream) -> tuple[UpstreamConnection, FakeTransport]:
        """Put an idle connection to a service into its pool."""
        pool = self.worker.pool_for(upstream)
        assert pool is not None
        connection = UpstreamConnection(pool)
        transport = FakeTransport()
        transport.protocol = connection
        connection.connection_made(transport)
        pool.release(connection)
        return connection, transport

    def pass_time(self, seconds: float) -> None:
        """Move the clock; let a deadline that has passed fire."""
        self.sweeper.now_s += seconds
        if self.protocol.deadline_s <= self.sweeper.now_s:
            self.protocol.on_deadline()


async def _no_control(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError("no test here asks the control plane")
