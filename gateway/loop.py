"""The event loop of a worker: uvloop's, with what uvicorn has no setting for."""

import socket
from typing import Any, Final

import uvloop

HANDSHAKE_S: Final = 10.0  # uvloop: 60; nginx and HAProxy go by their limit of a head, as we do
GOODBYE_S: Final = 5.0  # for a client to answer that we close; uvloop: 30


class Loop(uvloop.Loop):
    """Opens listeners with deadlines for what TLS does before and after a connection's life."""

    async def create_server(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Listen as asyncio's loops do; Unix sockets, on which nobody listens in, without TLS."""
        listener: socket.socket | None = options.get("sock")
        if listener is not None and listener.family == socket.AF_UNIX:
            options |= {"ssl": None, "cleanup_socket": False}  # other workers listen on it too
            return await self.create_unix_server(*args, **options)
        if options.get("ssl") is not None:
            options |= {"ssl_handshake_timeout": HANDSHAKE_S, "ssl_shutdown_timeout": GOODBYE_S}
        return await super().create_server(*args, **options)
