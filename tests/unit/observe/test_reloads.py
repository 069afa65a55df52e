"""Reloads are counted where others see it at once."""

from gateway.observe.reloads import ReloadCounts
from gateway.observe.series import Board, Numbers


class Place:
    """Where a series is published."""

    def __init__(self) -> None:
        self.numbers: Numbers = []

    def put(self, numbers: Numbers) -> None:
        """Note the numbers."""
        self.numbers = list(numbers)


def test_a_refused_reload_shows_until_a_good_one() -> None:
    """The gauge says how it is, the counters what has been."""
    places: dict[bytes, Place] = {}
    counts = ReloadCounts(Board(lambda key, _: places.setdefault(key, Place())))

    def shown() -> list[float]:
        return [place.numbers[0] for place in places.values()]

    counts.done()
    assert shown() == [1.0, 0.0, 0.0]
    counts.refused()
    assert shown() == [1.0, 1.0, 1.0]
    counts.refused()
    counts.done()
    assert shown() == [2.0, 2.0, 0.0]
