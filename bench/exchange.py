"""One whole exchange without sockets: what the data plane costs beside the system calls.

Both connections are real; their transports swallow what is written. The event loop is only asked
for the one connection to the service that all exchanges share.
"""

import asyncio
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from gateway.policy.model import Snapshot
from gateway.policy.revoked import NoRevocations
from gateway.proxy.downstream import Downstream
from gateway.proxy.sweeper import Sweeper
from gateway.proxy.worker import Worker


class Swallow(asyncio.Transport):
    """A transport that counts writes and sends nothing."""

    def __init__(self, protocol: asyncio.Protocol | None = None) -> None:
        super().__init__({"peername": ("127.0.0.1", 50_000)})
        self.protocol = protocol
        self.writes_count = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:  # noqa: ARG002 (swallowed)
        """Count a write."""
        self.writes_count += 1

    def is_closing(self) -> bool:
        """Never."""
        return False

    def is_reading(self) -> bool:
        """Always."""
        return True

    def get_write_buffer_size(self) -> int:
        """Nothing is buffered."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is buffered."""


class _Loop(asyncio.SelectorEventLoop):
    """Connects to nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.connected: list[asyncio.Protocol] = []

    # The pool calls it with a factory, a host and a port, and nothing else.
    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        host: str,  # noqa: ARG002
        port: int,  # noqa: ARG002
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Return a connection whose writes are swallowed."""
        protocol = protocol_factory()
        transport = Swallow(protocol)
        protocol.connection_made(transport)
        self.connected.append(protocol)
        return transport, protocol


async def _no_control(scope: Scope, receive: Receive, send: Send) -> None:
    raise NotImplementedError


def make_exchange(
    snapshot: Snapshot, request: bytes, response: bytes, now_s: float
) -> Callable[[], None]:
    """Return a call that takes one request from its first byte to the last of its answer.

    Raises:
        RuntimeError: The request does not get the answer, so that nothing would be measured.
    """
    loop = _Loop()
    client = Swallow()

    async def connect() -> Downstream:
        worker = Worker(
            snapshot,
            _no_control,
            clock=lambda: now_s,
            date=list,
            sweeper=Sweeper(),
            revocations=NoRevocations(),
        )
        downstream = Downstream(worker, set())
        downstream.connection_made(client)
        downstream.data_received(request)
        await asyncio.sleep(0.01)  # the connection to the service is made
        loop.connected[0].data_received(response)
        return downstream

    downstream = loop.run_until_complete(connect())
    service = loop.connected[0]
    loop.close()

    def exchange() -> None:
        downstream.data_received(request)
        service.data_received(response)

    exchange()
    if client.writes_count != 2 or len(loop.connected) != 1:
        raise RuntimeError("the measured request gets no answer")
    return exchange
