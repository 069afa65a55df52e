"""gateway.proxy.pool: addresses of a name, and connections that should come to an end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.errors import Reason, UpstreamError
from gateway.proxy.pool import Pool
from gateway.proxy.upstream import UpstreamConnection
from tests.kit.transport import FakeTransport
from tests.unit.proxy.services import pool_to, serving

Test = Callable[[Pool], Awaitable[None]]


class Holder:
    """Waits for a connection."""

    def __init__(self) -> None:
        self.given: asyncio.Future[UpstreamConnection] = asyncio.get_running_loop().create_future()

    def on_lease(self, connection: UpstreamConnection) -> None:
        """Take it."""
        self.given.set_result(connection)

    def on_lease_failed(self, error: UpstreamError) -> None:
        """Fail."""
        self.given.set_exception(error)


async def lease(pool: Pool, *, fresh: bool = False) -> UpstreamConnection:
    """Return a connection, one that is idle or a new one."""
    holder = Holder()
    return pool.lease(holder, fresh=fresh) or await holder.given


async def end(connection: UpstreamConnection, pool: Pool) -> None:
    """Wait until a connection has been counted out."""
    while connection in pool._connections:  # noqa: ASYNC110
        await asyncio.sleep(0)


def run(test: Test, **settings: Any) -> None:
    """Run *test* with a pool to a service on every address of the loopback network."""

    async def main() -> None:
        async with serving("0.0.0.0") as service:  # noqa: S104
            pool = pool_to(service.port, address="api.test", **settings)
            await test(pool)
            pool.close()

    asyncio.run(main())


def test_the_addresses_of_a_name_take_turns() -> None:
    """Each new connection goes to the next of them."""

    async def test(pool: Pool) -> None:
        pool.use_addresses(("127.0.0.1", "127.0.0.2"))
        made = [await lease(pool, fresh=True) for _ in range(4)]

        assert sorted(each.peer_address for each in made[:2]) == ["127.0.0.1", "127.0.0.2"]
        assert [each.peer_address for each in made[:2]] == [each.peer_address for each in made[2:]]

    run(test)


def test_an_address_that_refuses_is_passed_over() -> None:
    """Before its name is: the next address is asked at once."""

    async def test(pool: Pool) -> None:
        pool.use_addresses(("::1", "127.0.0.1"))
        made = [await lease(pool, fresh=True) for _ in range(3)]

        assert {each.peer_address for each in made} == {"127.0.0.1"}

    run(test)


def test_connections_to_an_address_that_is_gone_are_drained() -> None:
    """Idle ones at once, one in use when it comes back; those to other addresses stay."""

    async def test(pool: Pool) -> None:
        pool.use_addresses(("127.0.0.1", "127.0.0.2", "127.0.0.3"))
        idle, used, kept = sorted(
            [await lease(pool, fresh=True) for _ in range(3)], key=lambda each: each.peer_address
        )
        pool.release(idle)
        pool.release(kept)
        pool.use_addresses(("127.0.0.3",))
        await end(idle, pool)
        assert pool.busy_count == 1
        assert not used.transport.is_closing()
        used._pool.release(used)
        await end(used, pool)

        assert pool.busy_count == 0
        assert await lease(pool) is kept

    run(test)


def test_a_pool_that_retires_closes_what_comes_back() -> None:
    """A reload cuts nothing: what is idle goes, what is leased goes when it comes back."""

    async def test(pool: Pool) -> None:
        pool.use_addresses(("127.0.0.1",))
        idle, used = await lease(pool, fresh=True), await lease(pool, fresh=True)
        pool.release(idle)
        pool.retire()
        await end(idle, pool)
        pool.release(used)
        await end(used, pool)

        assert pool not in pool.sweeper._watched
        assert pool.busy_count == 0

    run(test)


def test_a_pool_that_retires_serves_its_queue() -> None:
    """A request that waits for a connection gets it, or is told in time that it does not."""

    async def test(pool: Pool) -> None:
        pool.use_addresses(("127.0.0.1",))
        used, holder = await lease(pool), Holder()
        assert pool.lease(holder) is None
        assert pool.busy_count == 2
        pool.retire()
        assert pool in pool.sweeper._watched
        pool.release(used)

        assert await holder.given is used

    run(test, max_connections=1)


class Hasty(asyncio.SelectorEventLoop):
    """Connects to a service that ends each connection at once, before the pool comes to know."""

    async def create_connection(  # type: ignore[override]
        self, factory: Callable[[], UpstreamConnection], _host: str, _port: int
    ) -> tuple[FakeTransport, UpstreamConnection]:
        """Return a connection that is lost already."""
        connection, transport = factory(), FakeTransport()
        connection.connection_made(transport)
        transport.close()
        connection.connection_lost(None)
        return transport, connection


def test_a_connection_that_is_lost_at_once_is_none() -> None:
    """It would swallow a request: nobody is told a second time that it is lost."""

    async def main() -> None:
        pool = pool_to(1)
        with pytest.raises(UpstreamError) as caught:
            await lease(pool)

        assert caught.value.reason is Reason.UPSTREAM_UNREACHABLE
        assert (pool.busy_count, pool._open_count, pool._attempts_count) == (0, 0, 0)
        assert pool._connections == set()

    with asyncio.Runner(loop_factory=Hasty) as runner:
        runner.run(main())
