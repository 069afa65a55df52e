"""gateway.proxy.downstream: no client keeps the loop to itself."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.policy.model import Auth
from gateway.proxy.downstream import TURN_REQUESTS
from gateway.proxy.intake import TURN_BYTES
from tests.kit.policy import head, route, snapshot
from tests.kit.transport import Client

OPEN = route("/open", auth=Auth.NONE)
CLOSED = route("/p")
READ_BYTES = 64 * 1024


def run(test: Callable[[Client], Awaitable[None]]) -> None:
    """Run a test inside a loop, with a connection to a gateway with two routes."""

    async def main() -> None:
        await test(Client(snapshot(OPEN, CLOSED)))

    asyncio.run(main())


def test_requests_that_are_refused_are_refused_in_turns() -> None:
    """The rest waits, nothing more is read meanwhile, and all are answered in the end."""

    async def test(client: Client) -> None:
        client.protocol.data_received(head("/p") * (2 * TURN_REQUESTS + 1))
        for turn in (1, 2):
            assert client.transport.written.count(b"401 Unauthorized") == turn * TURN_REQUESTS
            assert not client.transport.is_reading()
            await asyncio.sleep(0)

        assert client.transport.written.count(b"401 Unauthorized") == 2 * TURN_REQUESTS + 1
        assert client.transport.is_reading()

    run(test)


def test_a_large_read_is_the_last_of_a_turn() -> None:
    """The event loop would read on at once, up to 8 MiB."""

    async def test(client: Client) -> None:
        client.connect_upstream(OPEN.upstream)
        client.protocol.data_received(head("/open", b"Content-Length: 1000000", method="POST"))
        client.protocol.data_received(b"a" * TURN_BYTES)
        assert not client.transport.is_reading()
        await asyncio.sleep(0)

        assert client.transport.is_reading()

    run(test)


def test_a_turn_does_not_read_on_for_a_service_that_is_full() -> None:
    """Backpressure that began in the same turn holds."""

    async def test(client: Client) -> None:
        connection, service = client.connect_upstream(OPEN.upstream)
        client.protocol.data_received(head("/open", b"Content-Length: 1000000", method="POST"))
        service.full = True
        client.protocol.data_received(b"a" * TURN_BYTES)
        await asyncio.sleep(0)
        assert not client.transport.is_reading()
        connection.resume_writing()

        assert client.transport.is_reading()

    run(test)


def test_chunks_of_a_byte_go_on_as_one() -> None:
    """DOS-08: 100,000 of them; each read is one chunk to the service, so the cost is by bytes."""

    async def test(client: Client) -> None:
        _, service = client.connect_upstream(OPEN.upstream)
        client.protocol.data_received(head("/open", b"Transfer-Encoding: chunked", method="POST"))
        before = len(service.written)
        chunks = b"1\r\nx\r\n" * 100_000
        reads = range(0, len(chunks), READ_BYTES)
        for begin in reads:
            client.protocol.data_received(chunks[begin : begin + READ_BYTES])
            await asyncio.sleep(0)
        client.protocol.data_received(b"0\r\n\r\n")

        sent = service.written[before:]
        assert sent.count(b"x") == 100_000
        assert sent.count(b"\r\n") == 2 * len(reads) + 2  # of a chunk, and of the last one
        assert sent.endswith(b"x\r\n0\r\n\r\n")

    run(test)


def test_half_a_client_is_answered_in_turns_too() -> None:
    """What it asked before it closed its half is answered, then the connection ends."""

    async def test(client: Client) -> None:
        client.protocol.data_received(head("/p") * (TURN_REQUESTS + 1) + b"GET /p HT")
        assert client.protocol.eof_received()
        await asyncio.sleep(0)

        assert client.transport.written.count(b"401 Unauthorized") == TURN_REQUESTS + 1
        assert client.transport.closed

    run(test)
