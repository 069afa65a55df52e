"""gateway.proxy.pace: a body that comes in drops has an end, however slow the service is."""

from gateway.policy.model import Limits
from gateway.proxy.pace import GRACE_S, Pace

LIMITS = Limits(body_timeout_s=30.0, body_rate_bytes=240)


def test_a_body_of_which_nothing_has_come_has_the_whole_pause() -> None:
    """The service may have been asked first whether it wants it (Expect: 100-continue)."""
    pace = Pace()
    pace.patience_s(0.0, LIMITS)

    assert pace.patience_s(20.0, LIMITS) == 30.0


def test_drops_are_not_enough() -> None:
    """DOS-02: 1 byte/s: 408 after ten seconds and what the bytes are worth."""
    pace = Pace()
    now_s = 0.0
    pace.patience_s(now_s, LIMITS)
    while (left_s := pace.patience_s(now_s, LIMITS)) >= 1.0:
        now_s += 1.0
        pace.add(1, now_s)

    assert GRACE_S < now_s + left_s < GRACE_S + 2


def test_what_is_fast_enough_has_only_its_pauses_watched() -> None:
    """240 bytes/s for an hour; a burst allows for a long pause, though not for a longer one."""
    pace = Pace()
    for second in range(3600):
        assert pace.patience_s(float(second), LIMITS) >= GRACE_S
        pace.add(240, second + 1.0)
    pace.add(100_000, 3600.0)

    assert pace.patience_s(3600.0, LIMITS) == LIMITS.body_timeout_s


def test_a_service_that_does_not_take_it_costs_the_client_nothing() -> None:
    """Between the bytes that came and the next wait nobody asked for more."""
    pace = Pace()
    pace.patience_s(0.0, LIMITS)
    pace.add(1, 0.0)
    left_s = pace.patience_s(100.0, LIMITS)
    pace.add(1, 101.0)

    assert left_s > GRACE_S
    assert left_s - 1.0 < pace.patience_s(500.0, LIMITS) < left_s


def test_any_pace_will_do_where_that_is_wanted() -> None:
    """``body_rate: 0B``: the pauses alone count."""
    pace = Pace()
    limits = Limits(body_timeout_s=30.0, body_rate_bytes=0)
    pace.add(1, 0.0)
    pace.patience_s(0.0, limits)

    assert pace.patience_s(1000.0, limits) == 30.0
