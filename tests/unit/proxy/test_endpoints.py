"""gateway.proxy.endpoints: where requests go, where they try again, and who is ejected."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import Reason, UpstreamError
from gateway.policy.model import Endpoint, HealthCheck, Limits, Upstream
from gateway.proxy.balance import BUDGET_FLOOR
from gateway.proxy.endpoints import Endpoints
from gateway.proxy.pool import Pool
from gateway.proxy.standing import EJECTION_S, FAILURES_TO_EJECT
from gateway.proxy.sweeper import Sweeper

REFUSED = UpstreamError(Reason.UPSTREAM_UNREACHABLE)
BUSY = UpstreamError(Reason.UPSTREAM_OVERLOADED)
CHECK = HealthCheck(path="/up", unhealthy_after=1, healthy_after=1)


def upstream(count: int, **settings: Any) -> Upstream:
    """Return one with so many endpoints."""
    addresses = (Endpoint("127.0.0.1", 9000 + index) for index in range(count))
    return Upstream(name="service", endpoints=tuple(addresses), **settings)


def run(test: Callable[[Endpoints, Sweeper], None], of: Upstream) -> None:
    """Run *test* in a loop, with a clock that it moves itself."""

    async def main() -> None:
        sweeper = Sweeper()
        sweeper.now_s = 1000.0
        test(Endpoints(of, Limits(), sweeper), sweeper)

    asyncio.run(main())


def fail(endpoints: Endpoints, *pools: Pool) -> None:
    """Fail at each as often as ejects."""
    for pool in pools:
        for _ in range(FAILURES_TO_EJECT):
            endpoints.on_failure(pool, REFUSED)


def chosen(endpoints: Endpoints, count: int = 12) -> Counter[int]:
    """Return how many requests each port gets."""
    pools = [endpoints.choose() for _ in range(count)]
    return Counter(pool.endpoint.port for pool in pools if pool is not None)


def test_one_endpoint_is_no_choice() -> None:
    """Its requests pass by everything here; with a health check they do not."""

    def test(endpoints: Endpoints, _sweeper: Sweeper) -> None:
        assert endpoints.only is endpoints.pools[0]
        assert endpoints.pools[0].group is None

    def watched(endpoints: Endpoints, _sweeper: Sweeper) -> None:
        assert endpoints.only is None
        assert endpoints.choose() is endpoints.pools[0]

    run(test, upstream(1))
    run(watched, upstream(1, health=CHECK))


def test_one_that_fails_gets_nothing_until_its_time_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Then a single request tries it; its answer lets the others follow. Each change is told."""

    def test(endpoints: Endpoints, sweeper: Sweeper) -> None:
        first = endpoints.pools[0]
        fail(endpoints, first)
        assert chosen(endpoints) == {9001: 12}
        sweeper.now_s += EJECTION_S
        assert chosen(endpoints) == {9000: 1, 9001: 11}
        endpoints.on_answer(first, 200)
        assert chosen(endpoints) == {9000: 6, 9001: 6}

    run(test, upstream(2))
    assert caplog.messages == [
        "upstream service: 127.0.0.1:9000 fails, no requests for 10s",
        "upstream service: 127.0.0.1:9000 answers again",
    ]


@pytest.mark.parametrize(("status", "ports"), [(500, 2), (502, 1), (503, 1), (504, 1), (404, 2)])
def test_statuses_that_say_it_cannot_serve_are_failures(status: int, ports: int) -> None:
    """500 is about one request; 502, 503 and 504 about the service."""

    def test(endpoints: Endpoints, _sweeper: Sweeper) -> None:
        for _ in range(FAILURES_TO_EJECT):
            endpoints.on_answer(endpoints.pools[0], status)
        assert len(chosen(endpoints)) == ports

    run(test, upstream(2))


@pytest.mark.parametrize(("count", "left"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)])
def test_half_of_the_endpoints_are_never_ejected(count: int, left: int) -> None:
    """Nor the only one: if all fail, it is not them, or there is nothing to win."""

    def test(endpoints: Endpoints, _sweeper: Sweeper) -> None:
        fail(endpoints, *endpoints.pools)
        assert len(chosen(endpoints)) == left

    run(test, upstream(count, health=CHECK))


def test_being_busy_is_no_failure() -> None:
    """A queue that is full says that there is too much to do."""

    def test(endpoints: Endpoints, _sweeper: Sweeper) -> None:
        for _ in range(FAILURES_TO_EJECT):
            endpoints.on_failure(endpoints.pools[0], BUSY)
        assert len(chosen(endpoints)) == 2

    run(test, upstream(2))


def test_health_checks_have_the_last_word() -> None:
    """Where all fail them nobody is chosen; where one passes it gets all, ejected or not."""

    def test(endpoints: Endpoints, _sweeper: Sweeper) -> None:
        first, second = endpoints.pools
        fail(endpoints, first)
        second.standing.on_check(CHECK, passed=False)
        assert chosen(endpoints) == {9000: 12}
        first.standing.on_check(CHECK, passed=False)
        assert endpoints.choose() is None
        second.standing.on_check(CHECK, passed=True)
        assert chosen(endpoints) == {9001: 12}

    run(test, upstream(2, health=CHECK))


def test_a_request_tries_again_elsewhere_and_not_too_often() -> None:
    """``retries``: so many others, each once."""

    def test(endpoints: Endpoints, _sweeper: Sweeper) -> None:
        first, second, third = endpoints.pools
        assert endpoints.choose_other([first]) in (second, third)
        assert endpoints.choose_other([first, second]) is third
        assert endpoints.choose_other([first, second, third]) is None

    def once(endpoints: Endpoints, _sweeper: Sweeper) -> None:
        assert endpoints.choose_other(endpoints.pools[:1]) is not None
        assert endpoints.choose_other(endpoints.pools[:2]) is None

    def never(endpoints: Endpoints, _sweeper: Sweeper) -> None:
        assert endpoints.choose_other(endpoints.pools[:1]) is None

    run(test, upstream(3, retries=5))
    run(once, upstream(3))
    run(never, upstream(3, retries=0))


def test_a_request_does_not_try_again_at_one_that_is_out() -> None:
    """A retry is for an endpoint that is likely to answer."""

    def test(endpoints: Endpoints, _sweeper: Sweeper) -> None:
        first, second = endpoints.pools
        fail(endpoints, second)
        assert endpoints.choose_other([first]) is None

    run(test, upstream(2))


def test_an_outage_is_not_multiplied() -> None:
    """Retries end with the budget: what all clients wait for anyway is not asked for twice."""

    def test(endpoints: Endpoints, _sweeper: Sweeper) -> None:
        allowed = [endpoints.choose_other(endpoints.pools[:1]) for _ in range(BUDGET_FLOOR + 1)]
        assert allowed.count(None) == 1

    run(test, upstream(2))


def test_weights_come_from_the_endpoints() -> None:
    """As the file gives them."""

    def test(endpoints: Endpoints, _sweeper: Sweeper) -> None:
        assert chosen(endpoints) == {9000: 9, 9001: 3}

    of = upstream(2)
    first, second = of.endpoints
    run(test, replace(of, endpoints=(replace(first, weight=3), second)))
