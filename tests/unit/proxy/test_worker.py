"""gateway.proxy.worker: what a reload keeps, and what it replaces."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from gateway.policy.model import Auth, HealthCheck, Limits
from tests.kit.policy import SERVICE, head, route, snapshot
from tests.kit.transport import Client

OPEN = route("/open", auth=Auth.NONE)


def run(test: Callable[[Client], None], **settings: object) -> None:
    """Run *test* in a loop, with a client of one service."""

    async def main() -> None:
        upstream = replace(SERVICE, **settings)  # type: ignore[arg-type]
        test(Client(snapshot(route("/open", auth=Auth.NONE, upstream=upstream))))

    asyncio.run(main())


def test_an_upstream_that_a_reload_has_not_changed_keeps_its_connections() -> None:
    """It is equal and no longer the same."""

    def test(client: Client) -> None:
        worker = client.worker
        pool = worker.pool_for(SERVICE)
        again = replace(SERVICE)
        assert again is not SERVICE
        assert worker.pool_for(again) is pool
        assert worker.endpoints_of(again).upstream is again

    run(test)


def test_an_upstream_that_has_changed_is_made_anew_and_the_old_one_retires() -> None:
    """So do those whose limits are others now."""

    def test(client: Client) -> None:
        worker = client.worker
        _, idle = client.connect_upstream(SERVICE)
        pool = worker.pool_for(SERVICE)
        changed = replace(SERVICE, connect_timeout_s=9.0)
        new = worker.pool_for(changed)
        assert new is not pool
        assert idle.closed
        worker.snapshot = replace(worker.snapshot, limits=Limits(upstream_pending=1))
        assert worker.endpoints_of(changed).pools[0] is not new

    run(test)


def test_where_no_endpoint_is_healthy_the_request_is_refused() -> None:
    """503, with the time after which it is worth trying again."""
    check = HealthCheck(path="/up", unhealthy_after=1)

    def test(client: Client) -> None:
        upstream = client.worker.snapshot.routes[0].upstream
        (pool,) = client.worker.endpoints_of(upstream).pools
        pool.standing.on_check(check, passed=False)
        client.protocol.data_received(head("/open"))

        answer = client.transport.written
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in answer
        assert b'"reason": "no_healthy_endpoint"' in answer

    run(test, health=check)


def test_an_upstream_that_a_reload_has_removed_is_retired() -> None:
    """Its idle connections are closed; those that others use stay as they are."""
    gone = replace(SERVICE, name="gone")

    def test(client: Client) -> None:
        worker = client.worker
        pool = worker.pool_for(SERVICE)
        _, idle = client.connect_upstream(gone)
        kept = replace(worker.snapshot, upstreams=(replace(SERVICE),))
        worker.use(kept, worker.control)
        assert worker.snapshot is kept
        assert idle.closed
        assert worker.pool_for(kept.upstreams[0]) is pool

    run(test)
