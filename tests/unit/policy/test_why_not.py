"""Why each route did not take a request."""

import pytest

from gateway.policy.explain import explain
from gateway.policy.revoked import NoRevocations
from gateway.policy.why_not import find_obstacle
from tests.kit.explained import SNAPSHOT, VALID, explained
from tests.kit.policy import bearer, head, request, route, snapshot
from tests.kit.tokens import NOW_S


def test_each_other_route_says_why_it_was_not_taken() -> None:
    """Host, path at a segment, method, or less specific than the one that was."""
    received = head("/api/products/7", bearer(VALID), host="api.example.com")

    assert {r.name: r.why_not for r in explained(received).routes} == {
        "list": "less specific than item",
        "create": "path: it goes on after 2 segments",
        "item": "",
        "public": "path: segment 1 is api, not public",
        "maybe": "path: segment 1 is api, not maybe",
        "scoped": "path: segment 1 is api, not scoped",
        "planned": "path: segment 1 is api, not planned",
        "inside": "path: segment 1 is api, not inside",
        "limited": "path: segment 1 is api, not limited",
    }


@pytest.mark.parametrize(
    ("method", "target", "route", "why"),
    [
        pytest.param("GET", "/api/products/7", "item", "host: gw.test is not api.example.com"),
        pytest.param("GET", "/scoped", "scoped", "path: it ends before segment 2 (*)"),
        pytest.param("DELETE", "/maybe", "maybe", "method: takes GET, HEAD, POST"),
        pytest.param(
            "GET", "/api/products", "list", "less specific than create, which refuses the method"
        ),
        pytest.param(
            "GET", "/%6Daybe", "maybe", "path: it spells a literal of this route with escapes"
        ),
        pytest.param("PURGE", "/public/a", "public", "no route names the method"),
        pytest.param("OPTIONS", "*", "public", "path: it ends before segment 1 (public)"),
        pytest.param(
            "POST", "/authenticate", "maybe", "path: segment 1 is authenticate, not maybe"
        ),
    ],
)
def test_why_not(method: str, target: str, route: str, why: str) -> None:
    """The first thing that keeps a route from a request is named."""
    verdicts = {
        verdict.name: verdict.why_not for verdict in explained(head(target, method=method)).routes
    }

    assert why == verdicts[route]


def test_a_route_that_matches_the_gateways_own_path_says_so() -> None:
    """The control plane wins over every route."""
    asked = request(SNAPSHOT, head("/authenticate"))

    assert find_obstacle(SNAPSHOT, asked, None) == "the gateway answers this path itself"


def test_an_escaped_literal_that_another_route_spells_is_named() -> None:
    """A route that would take the path by itself loses to the doubt about another."""
    routes = snapshot(route("/admin/x", name="admin"), route("/**", name="all"))
    received = head("/%61dmin/x")
    asked = request(routes, received)
    explanation = explain(routes, asked, NOW_S, NoRevocations(), received=received)

    assert {r.name: r.why_not for r in explanation.routes} == {
        "admin": "path: it spells a literal of this route with escapes",
        "all": "the path spells a literal with escapes",
    }


def test_options_star_is_not_for_a_route() -> None:
    """Not even one that takes every path."""
    routes = snapshot(route("/**", name="all"))
    received = head("*", method="OPTIONS")
    asked = request(routes, received)
    explanation = explain(routes, asked, NOW_S, NoRevocations(), received=received)

    assert explanation.routes[0].why_not == "OPTIONS * is asked of the gateway, not of a route"
