"""A service inside the test's own loop, and pools to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.policy.model import Endpoint, Limits, Upstream
from gateway.proxy.pool import Pool
from gateway.proxy.sweeper import Sweeper

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Service:
    """Answers every head with ``answer``; with nothing where that is empty."""

    def __init__(self) -> None:
        self.answer = OK
        self.heads: list[bytes] = []
        self.port = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task: asyncio.Task[None] | None = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(self.answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(host: str = "127.0.0.1") -> AsyncIterator[Service]:
    """Run a service."""
    service = Service()
    server = await asyncio.start_server(service.serve, host, 0)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        server.close()
        for task in service.tasks:
            task.cancel()
        await asyncio.gather(*service.tasks)


def pool_to(port: int, *, address: str = "127.0.0.1", **settings: Any) -> Pool:
    """Return the connections to one endpoint of an upstream with these settings."""
    endpoint = Endpoint(address, port)
    upstream = Upstream(name="service", endpoints=(endpoint,), **settings)
    return Pool(upstream, endpoint, Limits(), Sweeper())
