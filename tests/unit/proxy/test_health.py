"""gateway.proxy.health: what is asked, what counts as well, and what is told of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.policy.model import HealthCheck
from gateway.proxy.health import check_endpoints, find_fault, make_client
from tests.unit.proxy.services import Service, pool_to, serving

CHECK = HealthCheck(
    path="/up?full=1", interval_s=0.01, timeout_s=5.0, unhealthy_after=2, healthy_after=2
)


def answer(status: int) -> bytes:
    """Return an answer with this status and without a body."""
    return b"HTTP/1.1 %d X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n" % status


async def fault_of(service: Service, check: HealthCheck = CHECK, **settings: Any) -> str:
    """Ask once."""
    async with make_client() as client:
        return await find_fault(client, pool_to(service.port, **settings), check)


def run(test: Callable[[Service], Awaitable[None]]) -> None:
    """Run *test* beside a service."""

    async def main() -> None:
        async with serving() as service:
            await test(service)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "fault"),
    [(200, ""), (204, ""), (302, ""), (400, "it answers 400"), (503, "it answers 503")],
)
def test_200_to_399_is_healthy(status: int, fault: str) -> None:
    """A redirect is an answer, and is not followed."""

    async def test(service: Service) -> None:
        service.answer = answer(status)
        assert await fault_of(service) == fault
        assert len(service.heads) == 1

    run(test)


def test_the_path_is_asked_for_on_a_connection_of_its_own() -> None:
    """As the host that the upstream is sent, where that is a literal."""

    async def test(service: Service) -> None:
        await fault_of(service)
        await fault_of(service, host=b"api.internal")
        first, second = (head.lower() for head in service.heads)

        assert first.startswith(b"get /up?full=1 http/1.1\r\n")
        assert b"\r\nhost: 127.0.0.1:%d\r\n" % service.port in first
        assert b"\r\nhost: api.internal\r\n" in second
        assert b"\r\nconnection: close\r\n" in first

    run(test)


def test_silence_is_a_fault_in_time() -> None:
    """A frozen service takes the connection and says nothing."""

    async def test(service: Service) -> None:
        service.answer = b""
        check = HealthCheck(path="/", timeout_s=0.05)
        assert await fault_of(service, check) == "no answer in time"

    run(test)


@pytest.mark.parametrize("said", [b"garbage\r\n\r\n", b"HTTP/1.1 "], ids=["garbage", "cut"])
def test_what_is_not_http_is_a_fault_and_is_not_quoted(said: bytes) -> None:
    """What a service sends does not get into the log."""

    async def test(service: Service) -> None:
        service.answer = said
        fault = await fault_of(service, HealthCheck(path="/", timeout_s=0.5))
        assert fault in ("RemoteProtocolError", "no answer in time")

    run(test)


def test_a_refused_connection_is_a_fault() -> None:
    """Nobody is there."""

    async def main() -> str:
        async with serving() as service:
            pass
        return await fault_of(service)

    assert asyncio.run(main()) == "ConnectError"


def test_each_change_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """An endpoint starts healthy, falls out after so many faults and comes back after so many."""

    async def test(service: Service) -> None:
        pool = pool_to(service.port, health=CHECK)
        unwatched = pool_to(service.port)
        watch = asyncio.get_running_loop().create_task(check_endpoints([pool, unwatched]))
        for status, fit in ((503, False), (200, True)):
            service.answer = answer(status)
            begun = len(service.heads)
            while len(service.heads) < begun + 5 or pool.standing.fit is not fit:
                assert not watch.done()
                await asyncio.sleep(0)
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        assert unwatched.standing.fit

        assert caplog.messages == [
            f"upstream service: {pool.endpoint} is unhealthy: it answers 503",
            f"upstream service: {pool.endpoint} is healthy again",
        ]

    run(test)
