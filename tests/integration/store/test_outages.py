"""The database goes away, hangs, is full: one error, in time, and recovery without a leak."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import literal, select

from gateway.store import revocations
from gateway.store.engine import Store, StoreLimits
from gateway.store.faults import StoreUnavailableError
from gateway.store.migrate import open_store
from gateway.store.revocations import Revocation, RevocationKind
from tests.kit.frozen import freeze
from tests.kit.postgres import PostgresServer, find_binaries
from tests.kit.stores import NOW_S, ping

pytestmark = pytest.mark.anyio

ROOT: Final = Path(__file__).parents[3]
COUNT_OURS: Final = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gateway'"


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that the test may stop and start."""
    if find_binaries() is None:
        pytest.skip("no PostgreSQL server on this machine: install the package postgresql")
    with PostgresServer() as server:
        yield server


async def _revoke(store: Store, key: str) -> int:
    revoked = Revocation(kind=RevocationKind.TOKEN, key=key, expires_at_s=NOW_S)
    async with store.write() as tx:
        return await revocations.add(tx, [revoked])


async def test_a_restart_of_the_server_is_survived(own_server: PostgresServer) -> None:
    """While it is away: unavailable. Once it is back: as before, with no connection too many."""
    url = own_server.create_database("gateway")
    async with await open_store(url, StoreLimits(connections=3)) as store:
        await asyncio.gather(*(_revoke(store, f"{index}") for index in range(9)))
        own_server.stop()
        outcomes = await asyncio.gather(
            *(_revoke(store, f"{index}") for index in range(9)), return_exceptions=True
        )
        own_server.start()
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailableError] * 9

        await asyncio.gather(*(_revoke(store, f"{index}") for index in range(9)))
        async with store.read() as tx:
            assert await revocations.latest_epoch(tx) == 18
        assert int(own_server.query("gateway", COUNT_OURS)) <= 3


async def test_a_connection_that_is_cut_in_a_transaction_undoes_it(
    own_server: PostgresServer,
) -> None:
    """What was done before the cut is not done; the next transaction finds a new connection."""
    url = own_server.create_database("gateway")
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='gateway'"
    async with await open_store(url) as store:
        with pytest.raises(StoreUnavailableError):
            await _revoke_and_cut(store, own_server, cut)
        assert await _revoke(store, "b") == 1


async def _revoke_and_cut(store: Store, server: PostgresServer, cut: str) -> None:
    async with store.write() as tx:
        await revocations.add(tx, [Revocation(kind=RevocationKind.USER, key="a", expires_at_s=1)])
        server.query("postgres", cut)
        await revocations.add(tx, [Revocation(kind=RevocationKind.USER, key="c", expires_at_s=1)])


async def test_a_server_that_hangs_is_given_up_in_time(own_server: PostgresServer) -> None:
    """CACHE-10: a stopped process behind an open port is unavailable, not a wait without end."""
    url = own_server.create_database("gateway")
    await (await open_store(url)).close()
    async with Store(url, StoreLimits(deadline_s=3.0)) as store:
        await ping(store)
        pids = own_server.query(
            "gateway", "SELECT pid FROM pg_stat_activity WHERE application_name = 'gateway'"
        ).split()
        stopped = [own_server.pid, *map(int, pids)]
        for pid in stopped:
            freeze(pid)
        try:
            async with asyncio.timeout(60):  # a bound for the test, not a promise
                with pytest.raises(StoreUnavailableError):
                    await ping(store)
        finally:
            for pid in stopped:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        await _until_up(store)


async def _until_up(store: Store) -> None:
    async with asyncio.timeout(60):
        while True:
            with suppress(StoreUnavailableError):
                await ping(store)
                return


async def test_a_server_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    """No server at that address: unavailable, with the address and without the password."""
    with pytest.raises(StoreUnavailableError) as caught:
        await open_store(f"postgresql://gateway:hunter2@/x?host={tmp_path}&sslmode=disable")

    assert "hunter2" not in str(caught.value)


async def test_news_are_notified_and_a_lost_connection_is_news(
    own_server: PostgresServer,
) -> None:
    """Another gateway hears of a revocation at once, and looks again after each reconnection."""
    url = own_server.create_database("gateway")
    news: asyncio.Queue[None] = asyncio.Queue()
    async with await open_store(url) as ours, await open_store(url) as theirs:
        task = asyncio.create_task(revocations.listen(ours, lambda: news.put_nowait(None)))
        async with asyncio.timeout(60):
            await news.get()  # connected
            await _revoke(theirs, "a")
            await news.get()
            own_server.stop()
            own_server.start()
            await news.get()  # connected anew
            await _revoke(theirs, "b")
            await news.get()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert "LISTEN" not in own_server.query(
            "gateway", "SELECT query FROM pg_stat_activity WHERE application_name = 'gateway'"
        )


async def test_sqlite_has_nothing_to_listen_to(sqlite_url: str) -> None:
    """There the workers of a host tell each other by other means, and poll."""
    async with await open_store(sqlite_url) as store:
        await revocations.listen(store, lambda: None)


FILL: Final = """
import asyncio, sys
from gateway.store.faults import StoreUnavailableError
from gateway.store.migrate import open_store
from tests.integration.store.test_outages import _revoke

async def main():
    async with await open_store(sys.argv[1]) as store:
        for number in range(100_000):
            try:
                await _revoke(store, "x" * 4000 + str(number))
            except StoreUnavailableError as error:
                print(number, error)
                return

asyncio.run(main())
"""


def _fill(url: str, *, limit_bytes: int) -> str:
    """Revoke until no file can grow beyond *limit_bytes*; return how often it went, and why not."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    command = [sys.executable, "-c", FILL, url]
    finished = subprocess.run(
        command,
        cwd=ROOT,
        preexec_fn=limit,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    return finished.stdout.strip()


async def test_a_full_disk_is_unavailable_and_loses_nothing(sqlite_url: str) -> None:
    """What was answered before the disk was full is there; what was not, is not."""
    answered, _, message = _fill(sqlite_url, limit_bytes=2 * 1024 * 1024).partition(" ")

    assert "disk" in message
    async with await open_store(sqlite_url) as store, store.read() as tx:
        assert await revocations.latest_epoch(tx) == int(answered)


def _ignore_lost_connections(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), ConnectionError):
        loop.default_exception_handler(context)


async def test_no_answer_is_another_questions(store_url: str) -> None:
    """CACHE-09: clients go away in the middle, connections are used again, answers stay right.

    What was cancelled leaves no transaction open either, whose lock would keep out all others until
    the garbage collector comes by.
    """
    # asyncpg leaves a future that nobody waits for where opening a connection was cancelled.
    asyncio.get_running_loop().set_exception_handler(_ignore_lost_connections)
    async with await open_store(store_url, StoreLimits(connections=3)) as store:

        async def ask(number: int) -> int:
            opened = store.write if number % 3 == 0 else store.read
            async with opened() as tx:
                row = await tx.row(select(literal(number)))
                assert row is not None
                return int(row[0])

        async def ask_for(number: int, turns: int) -> int | None:
            task = asyncio.create_task(ask(number))
            for _ in range(turns):
                await asyncio.sleep(0)
            if turns:
                task.cancel()
            with suppress(asyncio.CancelledError):
                return await task
            return None

        for number in range(300):
            several = (ask_for(number * 10 + each, number % 60 * (each % 2)) for each in range(6))
            for each, answer in enumerate(await asyncio.gather(*several)):
                assert answer in (None, number * 10 + each)

        for _ in range(3):
            assert await asyncio.gather(*map(ask, range(9))) == list(range(9))
