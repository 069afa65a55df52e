"""The bounded memory."""

from weakref import WeakSet

import pytest

from gateway.memo import Memo


def test_what_is_added_is_found() -> None:
    """And what is not, is not."""
    memo: Memo[str, int] = Memo(2)
    memo.add("a", 1)

    assert (memo.find("a"), memo.find("b"), len(memo)) == (1, None, 1)


def test_what_is_in_use_stays() -> None:
    """Asked for again, it moves into the recent generation."""
    memo: Memo[int, int] = Memo(2)
    memo.add(0, 0)
    for number in range(1, 20):
        memo.add(number, number)
        assert memo.find(0) == 0

    assert memo.find(1) is None


@pytest.mark.parametrize("entries", [1, 2, 7])
def test_no_more_than_two_generations_are_held(entries: int) -> None:
    """Forgetting costs time and nothing else."""
    memo: Memo[int, int] = Memo(entries)
    for number in range(100):
        memo.add(number, number)
        assert memo.find(number) == number
        memo.find(number // 2)
        assert len(memo) <= 2 * entries


class Value:
    """Something whose end can be seen."""


@pytest.mark.parametrize("entries", [1, 2, 7])
def test_what_is_forgotten_is_given_back_bit_by_bit(entries: int) -> None:
    """All at once would be a pause; kept for longer it would be memory."""
    memo: Memo[int, Value] = Memo(entries)
    alive: WeakSet[Value] = WeakSet()
    for number in range(20 * entries):
        before = len(alive)
        value = Value()
        alive.add(value)
        memo.add(number, value)
        del value

        assert before - len(alive) <= 1
        assert len(memo) <= len(alive) <= 2 * entries
