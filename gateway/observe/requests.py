"""The numbers of requests, by route; where each is counted is looked up once and remembered."""

from typing import Final

from gateway.errors import Reason
from gateway.observe.series import Board, Histogram, Numbers
from gateway.policy.model import Decision, Forward, Respond, Serve
from gateway.policy.tokens import VerifiedToken

NO_ROUTE: Final = ""  # the request matched none, or its head could not be read
UNANSWERED: Final = "none"  # the status of a request whose answer's head never went out
_OUTCOMES: Final = {
    "/authenticate": "gateway_logins_total",
    "/refresh": "gateway_refreshes_total",
    "/logout": "gateway_logouts_total",
}


class RouteCounts:
    """Where the requests of one route are counted.

    Args:
        board: Where all is counted.
        route: The label.
        upstream: The service's name; None where the requests go to none.
    """

    __slots__ = (
        "_board",
        "_by_status",
        "_outcomes",
        "_route",
        "duration",
        "head",
        "received",
        "sent",
    )

    def __init__(self, board: Board, route: str, upstream: str | None) -> None:
        self._board = board
        self._route = route
        self._outcomes = _OUTCOMES.get(route) if upstream is None else None
        self._by_status: dict[tuple[int, Reason | None], Numbers] = {}
        self.duration = Histogram(board.numbers("gateway_request_duration_seconds", route))
        self.received = board.numbers("gateway_request_body_bytes_total", route)
        self.sent = board.numbers("gateway_response_body_bytes_total", route)
        self.head = None
        if upstream is not None:
            numbers = board.numbers("gateway_upstream_response_seconds", upstream)
            self.head = Histogram(numbers)

    def add(self, status: int, reason: Reason | None, duration_s: float) -> None:
        """Count one request that has ended."""
        numbers = self._by_status.get((status, reason))
        if numbers is None:
            numbers = self._find(status, reason)
        numbers[0] += 1.0
        self.duration.add(duration_s)
        if self._outcomes is not None:
            self._board.numbers(self._outcomes, _outcome_of(status, reason))[0] += 1.0

    def _find(self, status: int, reason: Reason | None) -> Numbers:
        class_name = f"{status // 100}xx" if status else UNANSWERED
        numbers = self._board.numbers(
            "gateway_requests_total", self._route, class_name, reason or ""
        )
        self._by_status[(status, reason)] = numbers
        return numbers


class RequestMetrics:
    """Counts the requests of one process; each thing counted is one addition."""

    __slots__ = ("_board", "_by_path", "_by_route", "_hits", "_misses", "_none", "in_flight")

    def __init__(self, board: Board) -> None:
        self.in_flight = 0
        self._board = board
        self._hits = board.numbers("gateway_tokens_total", "hit")
        self._misses = board.numbers("gateway_tokens_total", "miss")
        self._none = RouteCounts(board, NO_ROUTE, None)
        self._by_route: dict[tuple[str, str], RouteCounts] = {}
        self._by_path: dict[str, RouteCounts] = {}

    def counts_of(self, decision: Decision | None) -> RouteCounts:
        """Return where a request is counted; routes of other snapshots count by their names."""
        route = None
        if isinstance(decision, Forward | Respond):
            route = decision.route
        elif isinstance(decision, Serve):
            path = decision.endpoint.path
            counts = self._by_path.get(path)
            if counts is None:
                counts = self._by_path[path] = RouteCounts(self._board, path, None)
            return counts
        if route is not None:
            key = (route.name, route.upstream.name)
            counts = self._by_route.get(key)
            if counts is None:
                counts = self._by_route[key] = RouteCounts(self._board, *key)
            return counts
        return self._none

    def count_token(self, token: VerifiedToken) -> None:
        """Count a request with a good token, by whether that had been verified before."""
        if token.is_new:
            token.is_new = False
            self._misses[0] += 1.0
        else:
            self._hits[0] += 1.0


def _outcome_of(status: int, reason: Reason | None) -> str:
    if reason is not None:
        return reason
    return "done" if status else UNANSWERED
