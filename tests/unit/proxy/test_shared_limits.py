"""gateway.proxy.shared_limits: whose answer counts, and how long anybody waits for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.policy.rate_limits import RateLimit
from gateway.proxy import shared_limits
from gateway.proxy.shared_limits import PREFIX, SharedLimiter, bucket_name

LIMIT = RateLimit(3, 60.0, "sub")


class FakeRedis:
    """Answers each script with what the test says; each question is kept with its connection."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[tuple[int, bytes]] = []  # number of the connection, and the question
        self.answer: Callable[[bytes], bytes | None] = granted
        self._count = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        number, self._count = self._count, self._count + 1
        self._writers.append(writer)
        task: asyncio.Task[None] | None = asyncio.current_task()
        assert task is not None
        self._tasks.append(task)
        try:
            while True:
                parts = await self._read(reader)
                if parts[0] not in (b"EVALSHA", b"EVAL"):
                    writer.write(b"+OK\r\n")
                    continue
                self.asked.append((number, parts[-1]))
                said = self.answer(parts[-1])
                if said is not None:
                    writer.write(said)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> list[bytes]:
        count = int((await reader.readuntil(b"\r\n"))[1:])
        parts = []
        for _ in range(count):
            size = int((await reader.readuntil(b"\r\n"))[1:])
            parts.append((await reader.readexactly(size + 2))[:-2])
        return parts

    async def end(self) -> None:
        """End every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def send(self, number: int, data: bytes) -> None:
        """Send something on a connection that is late."""
        self._writers[number].write(data)


def granted(question: bytes) -> bytes:
    """Answer that there was a token."""
    return b"*2\r\n$%d\r\n%b\r\n$1\r\n0\r\n" % (len(question), question)


def silent(_: bytes) -> None:
    """Answer nothing."""


@asynccontextmanager
async def asking() -> AsyncIterator[tuple[FakeRedis, SharedLimiter]]:
    """Run a Redis and what asks it."""
    fake = FakeRedis()
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    limiter = SharedLimiter(f"redis://:secret@127.0.0.1:{fake.port}/0")
    try:
        yield fake, limiter
    finally:
        await limiter.close()
        server.close()
        await fake.end()


def run(test: Callable[[FakeRedis, SharedLimiter], Awaitable[None]]) -> None:
    """Run *test* beside a Redis."""

    async def main() -> None:
        async with asking() as (fake, limiter):
            await test(fake, limiter)

    asyncio.run(main())


def test_a_connection_is_used_again() -> None:
    """One question after the other, each under a name of its own."""

    async def test(fake: FakeRedis, limiter: SharedLimiter) -> None:
        assert [await limiter.take("r", LIMIT, b"k") for _ in range(3)] == [0.0] * 3
        assert {number for number, _ in fake.asked} == {0}
        assert len({question for _, question in fake.asked}) == 3

    run(test)


def test_a_late_answer_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    """THREATS.md CACHE-09: its connection is closed, whoever asks next uses another one."""
    monkeypatch.setattr(shared_limits, "PAUSE_S", 0.0)

    async def test(fake: FakeRedis, limiter: SharedLimiter) -> None:
        fake.answer = silent
        assert await limiter.take("r", LIMIT, b"k") is None
        fake.send(0, granted(fake.asked[0][1]))
        fake.answer = granted
        assert await limiter.take("r", LIMIT, b"k") == 0.0
        assert [number for number, _ in fake.asked] == [0, 1]

    run(test)


def test_a_cancelled_question_costs_its_connection() -> None:
    """As a late one does."""

    async def test(fake: FakeRedis, limiter: SharedLimiter) -> None:
        fake.answer = silent
        task = asyncio.get_running_loop().create_task(limiter.take("r", LIMIT, b"k"))
        while not fake.asked:  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        fake.answer = granted
        assert limiter.is_up
        assert await limiter.take("r", LIMIT, b"k") == 0.0
        assert [number for number, _ in fake.asked] == [0, 1]

    run(test)


ANSWERS = [
    pytest.param(granted(b"another"), id="another-question"),
    pytest.param(b"*0\r\n", id="empty"),
    pytest.param(b":1\r\n", id="number"),
    pytest.param(b"-READONLY You can't write against a read only replica.\r\n", id="readonly"),
    pytest.param(b"-LOADING Redis is loading the dataset in memory\r\n", id="loading"),
    pytest.param(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", id="oom"),
    pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="not-redis"),
]


@pytest.mark.parametrize("said", ANSWERS)
def test_what_is_no_answer_to_the_question_is_none(
    said: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failure, told once with neither the answer nor the password; then it may come back."""
    monkeypatch.setattr(shared_limits, "PAUSE_S", 0.0)

    async def test(fake: FakeRedis, limiter: SharedLimiter) -> None:
        fake.answer = lambda _: said
        assert [await limiter.take("r", LIMIT, b"k") for _ in range(2)] == [None, None]
        assert (limiter.is_up, limiter.unanswered) == (False, 2)
        fake.answer = granted
        assert await limiter.take("r", LIMIT, b"k") == 0.0
        assert limiter.is_up

    run(test)
    assert len(caplog.messages) == 2
    assert "Redis cannot be asked" in caplog.messages[0]
    assert "secret" not in caplog.text


def test_after_a_failure_one_tries_for_all() -> None:
    """Nobody waits during the pause; then one request does, and no other beside it."""

    async def test(fake: FakeRedis, limiter: SharedLimiter) -> None:
        fake.answer = silent
        assert await limiter.take("r", LIMIT, b"k") is None
        asked = len(fake.asked)
        assert [await limiter.take("r", LIMIT, b"k") for _ in range(9)] == [None] * 9
        assert len(fake.asked) == asked
        limiter._until_s = 0.0
        both = await asyncio.gather(*(limiter.take("r", LIMIT, b"k") for _ in range(9)))
        assert both == [None] * 9
        assert len(fake.asked) == asked + 1

    run(test)


def test_a_script_that_redis_does_not_know_is_sent() -> None:
    """After a restart, for one."""

    async def test(fake: FakeRedis, limiter: SharedLimiter) -> None:
        answers = [b"-NOSCRIPT No matching script. Please use EVAL.\r\n", b""]
        fake.answer = lambda question: answers.pop(0) or granted(question)
        assert await limiter.take("r", LIMIT, b"k") == 0.0
        assert len(fake.asked) == 2

    run(test)


def test_the_name_of_a_bucket_is_a_hash_of_all_that_makes_it() -> None:
    """Another route, limit or client is another bucket; no part can pass for a neighbour's."""
    names = {
        bucket_name("r", LIMIT, b"k"),
        bucket_name("s", LIMIT, b"k"),
        bucket_name("r", LIMIT, b"l"),
        bucket_name("r", RateLimit(4, 60.0, "sub"), b"k"),
        bucket_name("r", RateLimit(3, 61.0, "sub"), b"k"),
        bucket_name("r", RateLimit(3, 60.0, "address"), b"k"),
    }

    assert len(names) == 6
    assert {len(name) for name in names} == {len(PREFIX) + 64}
