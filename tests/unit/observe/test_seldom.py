"""gateway.observe.seldom: one line in a period, and none is forgotten."""

from gateway.observe.seldom import PERIOD_S, Seldom


def test_a_flood_is_one_line_with_a_number() -> None:
    """DOS-16: the first is told at once, the others with the next one that is."""
    seldom = Seldom()

    assert [seldom.due(now_s) for now_s in (1.0, 1.0, 2.0, 0.9 + PERIOD_S)] == [1, 0, 0, 0]
    assert [seldom.due(now_s) for now_s in (1.0 + PERIOD_S, 5 * PERIOD_S)] == [4, 1]
