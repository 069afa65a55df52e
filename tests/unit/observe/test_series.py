"""gateway.observe.series: counting, and what is published of it."""

import pytest

from gateway.observe.series import (
    BUCKETS_S,
    Board,
    Histogram,
    Numbers,
    decode_key,
    encode_key,
)


class Wall:
    """Where series are published; it remembers each time."""

    def __init__(self) -> None:
        self.put_numbers: list[Numbers] = []

    def put(self, numbers: Numbers) -> None:
        """Remember."""
        self.put_numbers.append(numbers.copy())


def test_only_what_has_changed_is_published() -> None:
    """Two thousand routes that nobody asks for cost nothing but a look."""
    wall = Wall()
    board = Board(lambda _key, _width: wall)
    numbers = board.numbers("gateway_logins_total", "done")
    board.publish()
    board.publish()
    numbers[0] += 1
    board.publish()

    assert wall.put_numbers == [[0.0], [1.0]]
    assert board.numbers("gateway_logins_total", "done") is numbers


def test_there_are_no_metrics_but_those_of_the_table() -> None:
    """A misspelt name is our bug."""
    with pytest.raises(KeyError):
        Board(lambda _key, _width: Wall()).numbers("gateway_login_total")


@pytest.mark.parametrize(
    ("duration_s", "bucket"), [(0.0, 0), (0.0005, 0), (0.00051, 1), (30.0, 14), (31.0, 15)]
)
def test_a_duration_is_counted_in_its_bucket(duration_s: float, bucket: int) -> None:
    """A bound belongs to its bucket: ``le`` is less or equal."""
    numbers = [0.0] * (len(BUCKETS_S) + 2)
    Histogram(numbers).add(duration_s)

    assert numbers[bucket] == 1.0
    assert numbers[-1] == duration_s


def test_a_key_says_what_it_was_made_from() -> None:
    """Whatever a route is called; filling up with spaces changes nothing."""
    labels = ('a "b"', "\u2028", "")

    assert decode_key(encode_key("n", labels) + b"  ") == ("n", labels)
