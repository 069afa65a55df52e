"""A route as JSON."""

import json
from ipaddress import ip_network

from gateway.policy.cors import Cors
from gateway.policy.describe import describe_cors, describe_requirement, describe_route
from gateway.policy.model import Auth, Endpoint, FieldChanges, HealthCheck, Upstream
from gateway.policy.peers import AddressSet
from gateway.policy.rate_limits import RateLimit
from gateway.policy.requirements import Requirement
from gateway.policy.rewriting import compile_rewrite
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
                name="raw",
                endpoints=(Endpoint("127.0.0.1", 9000), Endpoint("::1", 9, weight=2)),
                health=HealthCheck(path="/up"),
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
        "endpoints": [
            {"address": "127.0.0.1:9000", "weight": 1},
            {"address": "[::1]:9", "weight": 2},
        ],
        "balance": "round_robin",
        "retries": 1,
        "health": {
            "path": "/up",
            "interval_s": 5.0,
            "timeout_s": 2.0,
            "unhealthy_after": 3,
            "healthy_after": 2,
        },
        "strip_prefix": "/api",
        "max_body_bytes": 7,
        "claim_headers": {"X-User": "sub", "X-User-Email": "email", "X-User-Roles": "roles"},
    }
    assert json.loads(json.dumps(described)) == described


def test_a_feature_is_told_of_where_a_route_has_it() -> None:
    """What a route has not is left out."""
    described = describe_route(
        route(
            "/x",
            addresses=AddressSet([ip_network("10.0.0.0/8")]),
            cors=Cors(origins=frozenset((b"https://b", b"https://a")), headers=(b"X-A",)),
            rate_limit=RateLimit(5, 60, "sub"),
            rewrite=compile_rewrite("/y", "/x"),
            response_timeout_s=1.5,
            max_duration_s=300,
            websocket=True,
            ends_with_token=True,
            request_changes=FieldChanges(frozenset((b"x-a", b"x-b")), (b"X-A: secret",)),
            answer_changes=FieldChanges(frozenset((b"server",))),
        )
    )

    assert described["address_allow"] == ["10.0.0.0/8"]
    assert described["cors"] == {
        "origins": ["https://a", "https://b"],
        "methods": [],
        "headers": ["X-A"],
        "expose_headers": [],
        "credentials": False,
        "max_age_s": 600,
    }
    assert (described["rewrite"], described["response_timeout_s"]) == ("/y", 1.5)
    assert described["max_duration_s"] == 300
    assert (described["websocket"], described["end_with_token"]) == (True, True)
    assert described["rate_limit"] == {
        "requests": 5,
        "per_s": 60,
        "key": "sub",
        "on_redis_failure": "local",
    }
    assert described["request_headers"] == {"set": ["X-A"], "remove": ["x-b"]}
    assert described["response_headers"] == {"set": [], "remove": ["server"]}
    assert describe_cors(Cors(any_origin=True))["origins"] == ["*"]
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
