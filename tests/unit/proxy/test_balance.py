"""gateway.proxy.balance: turns, weights, chance, and the budget of retries."""

from collections import Counter
from dataclasses import dataclass

import pytest

from gateway.policy.model import Balance
from gateway.proxy.balance import (
    BUDGET_FLOOR,
    BUDGET_SHARE,
    BUDGET_WINDOW_S,
    RetryBudget,
    choose,
)


@dataclass
class One:
    """An endpoint of the test's own."""

    name: str
    weight: int = 1
    busy_count: int = 0
    credit: int = 0


def never(_: int) -> int:
    """Fail: there is nothing to draw."""
    raise AssertionError("chance was asked")


def turns(candidates: list[One], count: int) -> str:
    """Return who is chosen, one after the other."""
    chosen = (choose(Balance.ROUND_ROBIN, candidates, never) for _ in range(count))
    return "".join(one.name for one in chosen if one is not None)


@pytest.mark.parametrize("balance", list(Balance))
def test_without_a_choice_nothing_is_drawn(balance: Balance) -> None:
    """None of none, and one of one."""
    one = One("a")

    assert choose(balance, [], never) is None
    assert choose(balance, [one], never) is one
    assert one.credit == 0


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        pytest.param([1, 1], "abab", id="alike"),
        pytest.param([1, 1, 1], "abcabc", id="three"),
        pytest.param([3, 1], "aabaaaba", id="spread"),
        pytest.param([5, 1, 1], "aabacaa", id="nginx"),  # the example of nginx's change
    ],
)
def test_turns_are_taken_by_weight_and_spread_out(weights: list[int], expected: str) -> None:
    """No endpoint gets its share in one go."""
    candidates = [One(name, weight) for name, weight in zip("abc", weights, strict=False)]

    assert turns(candidates, len(expected)) == expected


def test_one_that_comes_back_takes_its_turn_and_no_more() -> None:
    """What it missed while it was out is not made up for."""
    a, b = One("a"), One("b")
    turns([a, b], 4)
    turns([a], 100)

    assert Counter(turns([a, b], 10)) == {"a": 5, "b": 5}


def test_the_least_busy_is_chosen_for_its_weight() -> None:
    """Twice the weight may have twice the requests; those that are alike take turns."""
    a, b, c = One("a", busy_count=3), One("b", weight=2, busy_count=2), One("c", busy_count=1)

    chosen = [choose(Balance.LEAST_REQUESTS, [a, b, c], never) for _ in range(6)]

    assert [one.name for one in chosen if one is not None].count("a") == 0
    assert Counter(one.name for one in chosen if one is not None) == {"b": 4, "c": 2}


@pytest.mark.parametrize(
    ("draws", "expected"),
    [
        pytest.param([0, 0], "b", id="a-and-b"),
        pytest.param([0, 2], "c", id="a-and-c"),
        pytest.param([1, 1], "c", id="b-and-c"),
        pytest.param([2, 0], "b", id="b-and-a"),
    ],
)
def test_of_two_that_are_drawn_the_less_busy_is_taken(draws: list[int], expected: str) -> None:
    """Drawn by weight, compared by requests per weight; never the same one twice."""
    candidates = [One("a", busy_count=9), One("b", weight=2, busy_count=4), One("c", busy_count=1)]
    asked: list[int] = []

    def draw(below: int) -> int:
        asked.append(below)
        return draws[len(asked) - 1]

    chosen = choose(Balance.RANDOM, candidates, draw)

    assert chosen is not None
    assert chosen.name == expected
    assert asked[0] == 4


def test_two_that_are_alike_are_decided_by_the_first_draw() -> None:
    """So that an idle upstream's shares are the weights."""
    a, b = One("a", weight=3), One("b")

    assert choose(Balance.RANDOM, [a, b], lambda below: below - 1) is b
    assert choose(Balance.RANDOM, [a, b], lambda _: 0) is a


def take_all(budget: RetryBudget, now_s: float) -> int:
    """Return how many retries are allowed now."""
    count = 0
    while budget.take(now_s):
        count += 1
    return count


def test_a_quiet_upstream_may_be_retried() -> None:
    """A fifth of next to nothing would be none."""
    budget = RetryBudget()
    budget.count_request(1.0)

    assert take_all(budget, 1.0) == BUDGET_FLOOR


def test_a_busy_upstream_may_be_retried_for_a_fifth_of_its_requests() -> None:
    """An outage is met by a fifth more requests, not by twice as many."""
    budget = RetryBudget()
    for _ in range(1000):
        budget.count_request(1.0)

    assert take_all(budget, 1.0) == 1000 * BUDGET_SHARE


def test_what_is_past_does_not_count() -> None:
    """Neither requests nor retries, once the window is over; half of it still counts."""
    budget = RetryBudget()
    for _ in range(1000):
        budget.count_request(1.0)
    assert take_all(budget, 1.0) == 200
    assert take_all(budget, 1.0 + BUDGET_WINDOW_S / 2) == 0

    assert take_all(budget, 1.0 + 2 * BUDGET_WINDOW_S) == BUDGET_FLOOR


def test_a_long_pause_forgets_everything() -> None:
    """The window before the current one is the one just before it."""
    budget = RetryBudget()
    for _ in range(1000):
        budget.count_request(1.0)
    budget.count_request(1.0 + BUDGET_WINDOW_S * 10)

    assert take_all(budget, 1.0 + BUDGET_WINDOW_S * 10) == BUDGET_FLOOR
