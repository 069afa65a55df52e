"""The numbers of reloads."""

from gateway.observe.series import Board


class ReloadCounts:
    """Counts the reloads of one process.

    Args:
        board: Where they are counted.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._done = board.numbers("gateway_reloads_total", "done")
        self._refused = board.numbers("gateway_reloads_total", "refused")
        self._is_refused = board.numbers("gateway_configuration_refused")

    def done(self) -> None:
        """Count one that took the file over."""
        self._count(self._done, is_refused=False)

    def refused(self) -> None:
        """Count one that left the old configuration in force."""
        self._count(self._refused, is_refused=True)

    def _count(self, numbers: list[float], *, is_refused: bool) -> None:
        numbers[0] += 1.0
        self._is_refused[0] = float(is_refused)
        self._board.publish()
