"""gateway.proxy.upstream: which side owes what comes next, and so which deadline runs."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.policy.model import Auth
from gateway.proxy.sweeper import NEVER
from gateway.proxy.upstream import UpstreamConnection
from tests.kit.policy import head, route, snapshot
from tests.kit.transport import Client, FakeTransport

OPEN = route("/open", auth=Auth.NONE)
HASTY = route("/hasty", auth=Auth.NONE, response_timeout_s=1.5)
SERVICE = OPEN.upstream
POST = head("/open", b"Content-Length: 4", method="POST")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"

Test = Callable[[Client, UpstreamConnection, FakeTransport], Awaitable[None]]


def run(test: Test) -> None:
    """Run a test inside a loop: a client, and one idle connection to the service."""

    async def main() -> None:
        client = Client(snapshot(OPEN, HASTY))
        await test(client, *client.connect_upstream(SERVICE))

    asyncio.run(main())


def remaining_s(client: Client, connection: UpstreamConnection) -> float:
    """Return how long the service has left."""
    return connection.deadline_s - client.sweeper.now_s


def test_the_answer_is_due_from_the_end_of_the_request_on() -> None:
    """While the client still sends, it is the client that owes, and has ``body_timeout`` to."""

    async def test(client: Client, connection: UpstreamConnection, _: FakeTransport) -> None:
        client.protocol.data_received(POST + b"bo")
        assert connection.deadline_s == NEVER
        client.protocol.data_received(b"dy")
        assert remaining_s(client, connection) == SERVICE.response_timeout_s
        connection.data_received(ANSWER)
        assert remaining_s(client, connection) == SERVICE.idle_timeout_s

    run(test)


def test_an_answer_to_half_a_request_has_the_deadline_of_a_body() -> None:
    """What the client still sends does not turn it back into the wait for a head."""

    async def test(client: Client, connection: UpstreamConnection, _: FakeTransport) -> None:
        client.protocol.data_received(POST + b"bo")
        connection.data_received(ANSWER)
        client.protocol.data_received(b"d")
        assert remaining_s(client, connection) == SERVICE.idle_timeout_s

    run(test)


def test_a_service_that_takes_nothing_owes_that() -> None:
    """A body that is not read is the service's delay, and nobody else's."""

    async def test(client: Client, connection: UpstreamConnection, service: FakeTransport) -> None:
        client.protocol.data_received(POST)
        service.full = True
        client.protocol.data_received(b"bo")
        assert not client.transport.is_reading()
        assert remaining_s(client, connection) == SERVICE.response_timeout_s
        connection.resume_writing()
        assert client.transport.is_reading()
        assert connection.deadline_s == NEVER

    run(test)


def test_a_client_that_reads_nothing_is_not_the_services_delay() -> None:
    """Not even when the client goes on sending."""

    async def test(client: Client, connection: UpstreamConnection, service: FakeTransport) -> None:
        client.protocol.data_received(POST + b"bo")
        client.transport.full = True
        connection.data_received(ANSWER + b"a")
        assert not service.is_reading()
        client.protocol.data_received(b"d")
        assert connection.deadline_s == NEVER
        client.protocol.resume_writing()
        assert remaining_s(client, connection) == SERVICE.idle_timeout_s

    run(test)


def test_a_service_that_is_full_at_once_pauses_the_client() -> None:
    """A request that waited for its connection is read on only where that has room."""

    async def test(client: Client, connection: UpstreamConnection, service: FakeTransport) -> None:
        pool = client.worker.pool_for(SERVICE)
        assert pool is not None
        assert pool.lease(_Holder()) is connection
        pool._open_count = SERVICE.max_connections
        client.protocol.data_received(POST + b"bo")
        assert not client.transport.is_reading()
        service.full = True
        pool.release(connection)
        assert service.written.endswith(b"bo")
        assert not client.transport.is_reading()
        connection.resume_writing()
        assert client.transport.is_reading()

    run(test)


class _Holder:
    """Has the connection, and does nothing with it."""

    def on_lease(self, _: UpstreamConnection) -> None:
        """Not called: there was one at once."""

    def on_lease_failed(self, _: Exception) -> None:
        """Not called either."""


def test_a_route_may_have_less_patience_than_its_upstream() -> None:
    """``timeout`` of a route counts for its requests alone, whoever had the connection before."""

    async def test(client: Client, connection: UpstreamConnection, _: FakeTransport) -> None:
        for target, timeout_s in (("/hasty", 1.5), ("/open", SERVICE.response_timeout_s)):
            client.protocol.data_received(head(target))
            assert remaining_s(client, connection) == timeout_s
            connection.data_received(ANSWER + b"done")

    run(test)
