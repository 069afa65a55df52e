"""Whose turn it is: the choice between the endpoints of one upstream, and what retries may cost.

Nothing is sent, asked or awaited here; clocks and chance come in as arguments.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from gateway.policy.model import Balance

BUDGET_WINDOW_S: Final = 10.0  # what counts as recent; Finagle and Linkerd: 10
BUDGET_SHARE: Final = 0.2  # of the recent requests; Envoy's and Finagle's 20 %
BUDGET_FLOOR: Final = 30  # retries in a window that are always allowed: 3 a second, as in Envoy


class Candidate(Protocol):
    """An endpoint that may be chosen."""

    weight: int  # its share, relative to the others'
    credit: int  # what it is owed of its turns; kept by ``choose`` alone

    @property
    def busy_count(self) -> int:
        """Requests that it is at, and those that wait for it."""
        ...


C = TypeVar("C", bound=Candidate)


def choose(balance: Balance, candidates: Sequence[C], draw: Callable[[int], int]) -> C | None:
    """Choose one of *candidates*, or None where there are none.

    Args:
        balance: How.
        candidates: Those that can take a request now.
        draw: Returns a number below its argument, each as likely as any other.
    """
    if len(candidates) < 2:  # noqa: PLR2004 (with one there is no choice)
        return candidates[0] if candidates else None
    if balance is Balance.RANDOM:
        return _better_of_two(candidates, draw)
    if balance is Balance.LEAST_REQUESTS:
        least = min(each.busy_count / each.weight for each in candidates)
        candidates = [each for each in candidates if each.busy_count / each.weight <= least]
    return _next_in_turn(candidates)


def _next_in_turn(candidates: Sequence[C]) -> C:
    """Take turns by weight, spread out: a a b a and not a a a b (nginx's smooth round robin)."""
    chosen = candidates[0]
    for each in candidates:
        each.credit += each.weight
        if each.credit > chosen.credit:
            chosen = each
    chosen.credit -= sum(each.weight for each in candidates)
    return chosen


def _better_of_two(candidates: Sequence[C], draw: Callable[[int], int]) -> C:
    """Draw two by their weights and take the less busy; the first of two that are alike."""
    first = _draw_one(candidates, draw)
    second = _draw_one([each for each in candidates if each is not first], draw)
    return second if second.busy_count * first.weight < first.busy_count * second.weight else first


def _draw_one(candidates: Sequence[C], draw: Callable[[int], int]) -> C:
    drawn = draw(sum(each.weight for each in candidates))
    *others, last = candidates
    for each in others:
        drawn -= each.weight
        if drawn < 0:
            return each
    return last


class RetryBudget:
    """Keeps retries a small part of the traffic, so that an outage is not multiplied by them.

    Requests and retries are counted in two windows, the current and the one before.
    """

    __slots__ = ("_ends_s", "_requests", "_requests_before", "_retries", "_retries_before")

    def __init__(self) -> None:
        self._ends_s = 0.0  # of the current window
        self._requests = self._requests_before = 0
        self._retries = self._retries_before = 0

    def count_request(self, now_s: float) -> None:
        """Count a request; *now_s* never goes back."""
        if now_s >= self._ends_s:
            self._turn(now_s)
        self._requests += 1

    def take(self, now_s: float) -> bool:
        """Count a retry and return True, or return False where there were too many."""
        if now_s >= self._ends_s:
            self._turn(now_s)
        requests = self._requests + self._requests_before
        retries = self._retries + self._retries_before
        if retries >= max(BUDGET_FLOOR, BUDGET_SHARE * requests):
            return False
        self._retries += 1
        return True

    def _turn(self, now_s: float) -> None:
        is_next = now_s < self._ends_s + BUDGET_WINDOW_S / 2
        self._requests_before = self._requests if is_next else 0
        self._retries_before = self._retries if is_next else 0
        self._requests = self._retries = 0
        self._ends_s = now_s + BUDGET_WINDOW_S / 2
