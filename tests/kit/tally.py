"""A service that answers at once and keeps what it was asked for: many requests, little said.

One thread serves all its connections; requests have no body. It answers with the request's id, as
the gateway's own refusals do, so that each answer tells which worker it came through.
"""

import asyncio
import re
import threading
from typing import Final, Self

_REQUEST: Final = re.compile(rb"GET (\S+) HTTP/1\.1\r\n")
_REQUEST_ID: Final = re.compile(rb"\r\nx-request-id: *(\S+)\r\n", re.IGNORECASE)
_END: Final = b"\r\n\r\n"
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Tally:
    """The listener and its list of targets, in the order in which they came."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._is_listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._is_listening.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        open_transports: set[asyncio.BaseTransport] = set()
        listening = self._loop.create_server(
            lambda: _Connection(self.targets, open_transports), "127.0.0.1", 0
        )
        server = self._loop.run_until_complete(listening)
        self.port = server.sockets[0].getsockname()[1]
        self._is_listening.set()
        self._loop.run_forever()
        server.close()
        for transport in open_transports:
            transport.close()
        self._loop.run_until_complete(asyncio.sleep(0))  # what is closed is closed a turn later
        self._loop.close()


class _Connection(asyncio.Protocol):
    def __init__(self, targets: list[str], open_transports: set[asyncio.BaseTransport]) -> None:
        self._targets = targets
        self._open = open_transports
        self._received = b""
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._open.add(transport)

    def connection_lost(self, _: Exception | None) -> None:
        self._open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        *heads, self._received = (self._received + data).split(_END)
        for head in heads:
            request, request_id = _REQUEST.match(head), _REQUEST_ID.search(head + _END)
            assert request is not None
            assert request_id is not None
            self._targets.append(request[1].decode("ascii"))
            body = b'{"request_id":"%b"}' % request_id[1]
            self._transport.write(_ANSWER % len(body) + body)
