"""gateway.proxy.standing: when an endpoint is out, for how long, and what brings it back."""

import pytest

from gateway.policy.model import HealthCheck
from gateway.proxy.standing import (
    EJECTION_S,
    FAILURES_TO_EJECT,
    MAX_EJECTION_S,
    Standing,
)

CHECK = HealthCheck(path="/up", unhealthy_after=3, healthy_after=2)


def fail(standing: Standing, now_s: float, *, may_eject: bool = True) -> float:
    """Fail as often as ejects; return the seconds of the last."""
    for _ in range(FAILURES_TO_EJECT - 1):
        assert not standing.on_failure(now_s, may_eject=may_eject)
    return standing.on_failure(now_s, may_eject=may_eject)


def test_a_new_endpoint_takes_requests() -> None:
    """It starts healthy: a start does not wait for checks."""
    assert Standing().can_take(0.0)


def test_failures_in_a_row_eject_and_others_do_not() -> None:
    """A success in between begins the count anew."""
    standing = Standing()
    for _ in range(FAILURES_TO_EJECT - 1):
        standing.on_failure(1.0, may_eject=True)
    assert not standing.on_success(1.0)

    assert fail(standing, 1.0) == EJECTION_S
    assert standing.is_ejected
    assert not standing.can_take(1.0 + EJECTION_S - 0.1)


def test_one_that_may_not_be_ejected_goes_on() -> None:
    """The only one, or one of the last half: bad service is better than none."""
    standing = Standing()

    assert not fail(standing, 1.0, may_eject=False)
    assert standing.can_take(1.0)
    assert standing.on_failure(1.0, may_eject=True) == EJECTION_S


def test_one_request_tries_it_and_an_answer_brings_it_back() -> None:
    """Half-open: one, not the flood that it fell under."""
    standing = Standing()
    fail(standing, 0.0)
    assert standing.can_take(EJECTION_S)
    standing.on_chosen(EJECTION_S)
    assert not standing.can_take(EJECTION_S)

    assert standing.on_success(EJECTION_S + 1)
    assert not standing.is_ejected
    assert standing.can_take(EJECTION_S + 1)


def test_a_try_that_fails_ejects_for_longer() -> None:
    """10 s times the number of ejections, and at most five minutes."""
    standing = Standing()
    now_s, seconds = 0.0, fail(standing, 0.0)
    told = [seconds]
    for _ in range(40):
        now_s += seconds
        standing.on_chosen(now_s)
        seconds = standing.on_failure(now_s, may_eject=False)
        told.append(seconds)

    assert told[:3] == [EJECTION_S, 2 * EJECTION_S, 3 * EJECTION_S]
    assert told[-1] == MAX_EJECTION_S


def test_a_try_whose_outcome_is_never_told_is_followed_by_another() -> None:
    """The client may give up; the endpoint is not lost for that."""
    standing = Standing()
    fail(standing, 0.0)
    standing.on_chosen(EJECTION_S)

    assert not standing.can_take(2 * EJECTION_S - 0.1)
    assert standing.can_take(2 * EJECTION_S)


def test_what_was_under_way_at_the_ejection_changes_nothing() -> None:
    """Neither its failures nor its answers say anything new."""
    standing = Standing()
    fail(standing, 0.0)

    assert not standing.on_failure(1.0, may_eject=True)
    assert not standing.on_success(1.0)
    assert standing.is_ejected
    assert standing.can_take(EJECTION_S)


@pytest.mark.parametrize(
    ("later_s", "seconds"),
    [(MAX_EJECTION_S, 2 * EJECTION_S), (MAX_EJECTION_S + 1, EJECTION_S)],
    ids=["soon", "late"],
)
def test_trouble_that_is_long_past_is_forgotten(later_s: float, seconds: float) -> None:
    """The next ejection is a first one again."""
    standing = Standing()
    fail(standing, 0.0)
    standing.on_chosen(EJECTION_S)
    standing.on_success(EJECTION_S)

    assert fail(standing, EJECTION_S + later_s) == seconds


def test_checks_in_a_row_change_it_once() -> None:
    """Flapping counts for nothing; each change is told once."""
    standing = Standing()
    outcomes = [False, False, True, False, False, False, False, True, False, True, True, True]
    told = [standing.on_check(CHECK, passed=passed) for passed in outcomes]

    assert [index for index, changed in enumerate(told) if changed] == [5, 10]
    assert standing.fit


def test_one_that_fails_its_checks_takes_nothing() -> None:
    """Whatever requests say."""
    standing = Standing()
    for _ in range(CHECK.unhealthy_after):
        standing.on_check(CHECK, passed=False)
    standing.on_success(1.0)

    assert not standing.can_take(1.0)
