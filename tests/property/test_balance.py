"""Whatever the weights: everyone gets its share, and nobody who is out gets anything."""

import asyncio
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Reason, UpstreamError
from gateway.policy.model import Balance, Endpoint, HealthCheck, Limits, Upstream
from gateway.proxy.balance import choose
from gateway.proxy.endpoints import Endpoints
from gateway.proxy.sweeper import Sweeper
from tests.unit.proxy.test_balance import One

WEIGHTS = st.lists(st.integers(1, 20), min_size=1, max_size=8)


@given(weights=WEIGHTS, rounds=st.integers(1, 3))
def test_turns_are_exactly_the_weights(weights: list[int], rounds: int) -> None:
    """Over as many requests as all weights together, each gets as many as its own."""
    ones = [One(str(index), weight) for index, weight in enumerate(weights)]
    chosen = Counter(
        id(choose(Balance.ROUND_ROBIN, ones, random.randrange))
        for _ in range(rounds * sum(weights))
    )

    assert [chosen[id(one)] for one in ones] == [rounds * weight for weight in weights]


@given(weights=WEIGHTS, seed=st.integers())
def test_chance_keeps_near_the_weights(weights: list[int], seed: int) -> None:
    """Idle endpoints get their shares, within what chance does in a thousand draws."""
    ones = [One(str(index), weight) for index, weight in enumerate(weights)]
    draw = random.Random(seed).randrange
    chosen = Counter(id(choose(Balance.RANDOM, ones, draw)) for _ in range(1000))

    for one in ones:
        share = one.weight / sum(weights)
        assert abs(chosen[id(one)] - 1000 * share) <= 6 * (1000 * share * (1 - share)) ** 0.5 + 1


@given(
    balance=st.sampled_from(Balance),
    ones=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 99)), min_size=1, max_size=8),
    data=st.data(),
)
def test_only_a_candidate_is_chosen(
    balance: Balance, ones: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Whatever set of them is healthy, and however that changes from request to request."""
    everyone = [One(str(i), weight, busy) for i, (weight, busy) in enumerate(ones)]
    for _ in range(20):
        healthy = data.draw(st.lists(st.sampled_from(everyone), unique_by=id))
        chosen = choose(balance, healthy, lambda below: data.draw(st.integers(0, below - 1)))

        assert chosen is None if not healthy else any(chosen is one for one in healthy)


@given(loads=st.lists(st.integers(0, 50), min_size=2, max_size=8))
def test_the_least_busy_has_the_least(loads: list[int]) -> None:
    """With equal weights nobody is chosen while another has fewer requests."""
    ones = [One(str(index), busy_count=busy) for index, busy in enumerate(loads)]
    chosen = choose(Balance.LEAST_REQUESTS, ones, random.randrange)

    assert chosen is not None
    assert chosen.busy_count == min(loads)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(("fail", "answer", "check", "wait")), st.integers(0, 9), st.booleans()
    )
)
CHECK = HealthCheck(path="/up", unhealthy_after=1, healthy_after=1)


@given(count=st.integers(1, 6), balance=st.sampled_from(Balance), events=EVENTS)
def test_requests_go_somewhere_as_long_as_one_passes_its_checks(
    count: int, balance: Balance, events: list[tuple[str, int, bool]]
) -> None:
    """Whatever happens: failed requests alone never leave less than half, nor nobody at all."""

    async def main() -> None:
        sweeper = Sweeper()
        addresses = tuple(Endpoint("127.0.0.1", 9000 + index) for index in range(count))
        upstream = Upstream(name="a", endpoints=addresses, balance=balance, health=CHECK)
        endpoints = Endpoints(upstream, Limits(), sweeper)
        for event, which, good in events:
            pool = endpoints.pools[which % count]
            if event == "fail":
                for _ in range(5):
                    endpoints.on_failure(pool, UpstreamError(Reason.UPSTREAM_UNREACHABLE))
            elif event == "answer":
                endpoints.on_answer(pool, 200)
            elif event == "check":
                pool.standing.on_check(CHECK, passed=good)
            else:
                sweeper.now_s += which * 3
            chosen = endpoints.choose()
            fit = [each for each in endpoints.pools if each.standing.fit]

            assert chosen in fit if fit else chosen is None
            assert sum(each.standing.is_ejected for each in endpoints.pools) <= count // 2

    asyncio.run(main())
