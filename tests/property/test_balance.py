"""Whatever the weights: everyone gets its share, and nobody who is out gets anything."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.model import Balance
from gateway.proxy.balance import choose
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
