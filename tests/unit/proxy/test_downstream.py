"""gateway.proxy.downstream: what cannot be made to happen reliably with real sockets."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.policy.model import Auth, Limits
from tests.kit.policy import SERVICE, head, route, snapshot
from tests.kit.transport import Client

LIMITS = Limits(buffer_bytes=1024)


def run(test: Callable[[Client], Awaitable[None]]) -> None:
    """Run a test inside a loop, with a connection to a gateway that has one protected route."""

    async def main() -> None:
        await test(Client(snapshot(route("/p"), limits=LIMITS)))

    asyncio.run(main())


def numbered(*numbers: int) -> bytes:
    """Requests that are refused, each told by its path."""
    return b"".join(head(f"/none-{number}") for number in numbers)


def test_requests_wait_their_turn_while_the_client_does_not_read() -> None:
    """RFC 9112 section 9.3.2: answers come in the order of the requests, paused or not."""

    async def test(client: Client) -> None:
        client.protocol.pause_writing()
        client.protocol.data_received(head("/p"))
        client.protocol.data_received(head("/none"))
        assert client.transport.written == b""
        client.protocol.resume_writing()
        first, second = client.transport.written.split(b"HTTP/1.1 ")[1:]

        assert first.startswith(b"401 ")
        assert second.startswith(b"404 ")

    run(test)


def test_pipelined_requests_are_bounded() -> None:
    """What waits is at most a buffer and one read; then the client is not read from."""

    async def test(client: Client) -> None:
        client.protocol.pause_writing()
        while client.transport.is_reading():
            client.protocol.data_received(numbered(*range(10)))
        client.protocol.resume_writing()

        assert client.transport.is_reading()
        assert client.transport.written.count(b"HTTP/1.1 404") >= 10

    run(test)


def test_a_client_that_reads_nothing_is_given_up() -> None:
    """The write deadline holds although reading was paused after it was set."""

    async def test(client: Client) -> None:
        client.protocol.pause_writing()
        while client.transport.is_reading():
            client.protocol.data_received(numbered(*range(10)))
        client.pass_time(LIMITS.write_timeout_s + 1)

        assert client.transport.aborted

    run(test)


def test_an_idle_connection_is_closed_by_a_drain() -> None:
    """Nothing is begun on it."""

    async def test(client: Client) -> None:
        client.protocol.shutdown()

        assert client.transport.is_closing()
        assert not client.transport.aborted

    run(test)


def test_a_drain_answers_what_has_begun_and_closes() -> None:
    """The last answer says so."""

    async def test(client: Client) -> None:
        request = head("/p")
        client.protocol.data_received(request[:10])
        client.protocol.shutdown()
        assert not client.transport.is_closing()
        client.protocol.data_received(request[10:])

        assert b"401 Unauthorized" in client.transport.written
        assert b"Connection: close" in client.transport.written
        assert client.transport.ended

    run(test)


@pytest.mark.parametrize(
    ("sent", "timeout_s", "said"),
    [
        pytest.param(b"", LIMITS.head_timeout_s, b"", id="nothing"),
        pytest.param(b"GET / HT", LIMITS.head_timeout_s, b"408 Request Timeout", id="half-a-head"),
        pytest.param(b"\r\n", LIMITS.head_timeout_s, b"408 Request Timeout", id="blank-line"),
        pytest.param(head("/p"), LIMITS.idle_timeout_s, b"401 Unauthorized", id="keep-alive"),
    ],
)
def test_every_state_has_its_deadline(sent: bytes, timeout_s: float, said: bytes) -> None:
    """A client that goes on saying nothing is closed, after a 408 where a head had begun."""

    async def test(client: Client) -> None:
        if sent:
            client.protocol.data_received(sent)
        client.pass_time(timeout_s - 1)
        assert not client.transport.is_over()
        client.pass_time(2)

        assert client.transport.is_over()
        assert said in client.transport.written

    run(test)


def test_the_head_deadline_counts_from_the_first_byte() -> None:
    """A byte now and then does not move it (slowloris)."""

    async def test(client: Client) -> None:
        for byte in b"GET /p HTTP":
            client.protocol.data_received(bytes([byte]))
            client.pass_time(LIMITS.head_timeout_s / 10)

        assert b"408 Request Timeout" in client.transport.written

    run(test)


def test_lingering_waits_for_an_answer_that_is_not_sent_yet() -> None:
    """A slow reader of the last answer is not cut off after the two seconds for unread bytes."""

    async def test(client: Client) -> None:
        client.transport.unsent_bytes = 1
        client.protocol.data_received(b"\x00")
        client.pass_time(10)
        assert not client.transport.is_closing()
        client.pass_time(LIMITS.write_timeout_s)

        assert client.transport.aborted

    run(test)


def test_a_body_in_drops_is_given_up() -> None:
    """DOS-02: a byte a second moves the pause's deadline, but not that of the pace."""

    async def test(client: Client) -> None:
        client.connect_upstream(SERVICE)
        client.protocol.data_received(head("/open", b"Content-Length: 1000", method="POST"))
        seconds = 0
        while not client.transport.is_over() and seconds < 60:
            client.pass_time(1)
            seconds += 1
            if not client.transport.is_over():
                client.protocol.data_received(b"a")

        assert 10 <= seconds < 15
        assert b"408 Request Timeout" in client.transport.written

    async def main() -> None:
        await test(Client(snapshot(route("/open", auth=Auth.NONE), limits=LIMITS)))

    asyncio.run(main())
