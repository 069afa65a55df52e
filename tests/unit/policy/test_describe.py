"""A route as JSON."""

import json

from gateway.policy.describe import describe_requirement, describe_route
from gateway.policy.model import Auth, Endpoint, Upstream
from gateway.policy.requirements import Requirement
from tests.kit.policy import ACCESS_TOKEN, BEARER, COOKIE, QUERY, route


def test_a_route_is_described_whole() -> None:
    """With all that it inherits, in an order that does not change from start to start."""
    described = describe_route(
        route(
            "/api/{id}/**",
            name="products",
            hosts=("api.test",),
            methods=frozenset((b"POST", b"GET")),
            auth=Auth.OPTIONAL,
            places=(BEARER, ACCESS_TOKEN, COOKIE, QUERY),
            strip_prefix=b"/api",
            max_body_bytes=7,
            upstream=Upstream(
                name="raw", endpoints=(Endpoint("127.0.0.1", 9000), Endpoint("::1", 9))
            ),
        )
    )

    assert described == {
        "name": "products",
        "hosts": ["api.test"],
        "methods": ["GET", "POST"],
        "path": "/api/{id}/**",
        "auth": "optional",
        "require": {},
        "credentials": [str(place) for place in (BEARER, ACCESS_TOKEN, COOKIE, QUERY)],
        "upstream": "raw",
        "endpoints": ["127.0.0.1:9000", "[::1]:9"],
        "balance": "round_robin",
        "strip_prefix": "/api",
        "max_body_bytes": 7,
        "claim_headers": {"X-User": "sub", "X-User-Email": "email", "X-User-Roles": "roles"},
    }
    assert json.loads(json.dumps(described)) == described


def test_a_requirement_tells_only_what_it_names() -> None:
    """Roles and scopes sorted, the values of claims as they were configured."""
    require = Requirement(
        roles=frozenset(("b", "a")),
        scopes=frozenset(("d", "c")),
        claims={"org.plan": ("pro", 1, True)},
    )

    assert describe_requirement(require) == {
        "roles": ["a", "b"],
        "scopes": ["c", "d"],
        "claims": {"org.plan": ["pro", 1, True]},
    }
    assert describe_requirement(Requirement(scopes=frozenset("c"))) == {"scopes": ["c"]}
