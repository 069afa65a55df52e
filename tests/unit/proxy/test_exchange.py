"""gateway.proxy.exchange and upstream: what cannot be made to happen reliably with real sockets."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.policy.model import Auth
from gateway.proxy.upstream import UpstreamConnection
from tests.kit.policy import head, route, snapshot
from tests.kit.transport import Client, FakeTransport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
OPEN = route("/open", auth=Auth.NONE)

Test = Callable[[Client, UpstreamConnection, FakeTransport], Awaitable[None]]


def run(test: Test) -> None:
    """Run a test inside a loop: a client, and one idle connection to the service."""

    async def main() -> None:
        client = Client(snapshot(OPEN))
        await test(client, *client.connect_upstream(OPEN.upstream))

    asyncio.run(main())


def test_a_slow_client_does_not_pause_a_connection_that_it_has_given_back() -> None:
    """The last bytes of an answer may fill the client's buffer; the next exchange must not hang."""

    async def test(client: Client, connection: UpstreamConnection, service: FakeTransport) -> None:
        client.protocol.data_received(head("/open"))
        client.transport.full = True
        connection.data_received(OK)

        assert client.transport.written.endswith(b"hi")
        assert service.is_reading()

    run(test)


def test_the_next_request_waits_until_the_client_reads() -> None:
    """A pipelined request is not begun while the answer before it cannot be written."""

    async def test(client: Client, connection: UpstreamConnection, service: FakeTransport) -> None:
        client.protocol.data_received(head("/open") + head("/open"))
        client.transport.full = True
        connection.data_received(OK)
        assert service.written.count(b"GET ") == 1
        client.protocol.resume_writing()

        assert service.written.count(b"GET ") == 2

    run(test)


def test_a_connection_with_unsent_bytes_is_not_used_again() -> None:
    """A service that answers before it has read everything may take the rest for a request."""

    async def test(client: Client, connection: UpstreamConnection, service: FakeTransport) -> None:
        client.protocol.data_received(head("/open", b"Content-Length: 4", method="POST") + b"body")
        service.unsent_bytes = 4
        connection.data_received(OK)

        assert client.transport.written.endswith(b"hi")
        assert service.aborted

    run(test)


def test_bytes_that_answer_nothing_end_the_connection() -> None:
    """They would be the answer to the next client's request (CVE-2026-71324)."""

    async def test(client: Client, connection: UpstreamConnection, service: FakeTransport) -> None:
        connection.data_received(OK)

        assert service.aborted
        assert client.transport.written == b""

    run(test)
