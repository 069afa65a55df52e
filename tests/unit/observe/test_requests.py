"""gateway.observe.requests: under which labels a request is counted (THREATS.md OPS-16)."""

import pytest

from gateway.errors import Reason
from gateway.observe.requests import RequestMetrics
from gateway.observe.series import Board, Numbers
from gateway.policy.model import ControlEndpoint, Decision, Forward, Respond, Serve
from tests.kit.policy import route

ROUTE = route("/p", name="p")


class _Nowhere:
    def put(self, numbers: Numbers) -> None:
        """Publish nothing."""


def nowhere() -> Board:
    """Return a board of which nothing is published."""
    return Board(lambda _key, _width: _Nowhere())


FORWARD = Forward(ROUTE, b"", b"", None)
LOGIN = Serve(ControlEndpoint("/authenticate"), None)


@pytest.mark.parametrize(
    ("decision", "status", "reason", "labels"),
    [
        pytest.param(FORWARD, 204, None, ("p", "2xx", ""), id="forwarded"),
        pytest.param(FORWARD, 0, None, ("p", "none", ""), id="client-gone"),
        pytest.param(
            FORWARD, 504, Reason.UPSTREAM_TIMEOUT, ("p", "5xx", "upstream_timeout"), id="failed"
        ),
        pytest.param(
            Respond(Reason.ROLE_MISSING, route=ROUTE),
            403,
            Reason.ROLE_MISSING,
            ("p", "4xx", "role_missing"),
            id="refused",
        ),
        pytest.param(LOGIN, 200, None, ("/authenticate", "2xx", ""), id="served"),
        pytest.param(
            Respond(Reason.ROUTE_NOT_FOUND),
            404,
            Reason.ROUTE_NOT_FOUND,
            ("", "4xx", "route_not_found"),
            id="no-route",
        ),
        pytest.param(None, 400, Reason.BAD_REQUEST, ("", "4xx", "bad_request"), id="unreadable"),
    ],
)
def test_a_request_is_counted_under_its_route(
    decision: Decision | None, status: int, reason: Reason | None, labels: tuple[str, str, str]
) -> None:
    """Twice the same is two, and the name of the route is all that is known of the path."""
    board = nowhere()
    metrics = RequestMetrics(board)
    for _ in range(2):
        metrics.counts_of(decision).add(status, reason, 0.25)

    assert board.numbers("gateway_requests_total", *labels) == [2.0]
    assert board.numbers("gateway_request_duration_seconds", labels[0])[-1] == 0.5


def test_routes_of_a_later_snapshot_count_on() -> None:
    """A reload makes new routes of the same names; their numbers go on."""
    metrics = RequestMetrics(nowhere())
    later = Forward(route("/p", name="p"), b"", b"", None)

    assert metrics.counts_of(FORWARD) is metrics.counts_of(later)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/authenticate", "gateway_logins_total"),
        ("/refresh", "gateway_refreshes_total"),
        ("/logout", "gateway_logouts_total"),
    ],
)
def test_logins_and_their_like_are_counted_by_outcome(path: str, name: str) -> None:
    """Done, refused for a reason, or given up by the client."""
    board = nowhere()
    counts = RequestMetrics(board).counts_of(Serve(ControlEndpoint(path), None))
    counts.add(200, None, 0.1)
    counts.add(401, Reason.LOGIN_FAILED, 0.1)
    counts.add(0, None, 0.1)

    assert [board.numbers(name, each) for each in ("done", "login_failed", "none")] == [[1.0]] * 3
