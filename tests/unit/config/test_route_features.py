"""What only some routes have, from the file to the route."""

import pytest

from gateway.config.compile import compile_snapshot
from gateway.policy.model import FieldChanges, Route
from gateway.policy.rate_limits import RateLimit
from gateway.policy.rewriting import Rewrite
from tests.unit.config.conftest import Complain, Read

ROUTE = "routes:\n- path: /x/{id}/**\n  upstream: products\n"  # what is added begins on line 8

FAULTS = [
    pytest.param(
        "  address_allow: []",
        "f:8: routes[0].address_allow: the list is empty -> name at least one, or remove the key",
        id="no-address",
    ),
    pytest.param(
        "  address_allow: [10.0.0.1/8]",
        "f:8: routes[0].address_allow[0]: '10.0.0.1/8' has bits set behind its prefix -> write "
        "10.0.0.0/8",
        id="address",
    ),
    pytest.param(
        "  methods: [GET]\n  cors: {origins: ['*'], methods: [HEAD, PUT]}",
        "f:9: routes[0].cors.methods[1]: the route does not take PUT -> remove it, or add it to "
        "the route's methods",
        id="cors-method",
    ),
    pytest.param(
        "  claim_headers: {X-User: sub}\n  credentials: [{header: Authorization, scheme: Bearer}]\n"
        "  request_headers: {set: {x-user: root}}",
        "f:10: routes[0].request_headers.set.x-user: 'x-user' is an identity header -> remove it",
        id="identity-header",
    ),
    pytest.param(
        "  request_headers: {remove: [Access-Token]}\ncredentials: [{header: access-token}]",
        "f:8: routes[0].request_headers.remove[0]: a credential may sit in 'Access-Token' -> "
        "remove it",
        id="credential-header",
    ),
    pytest.param(
        "  auth: none\n  rate_limit: {requests: 5, per: 1m, key: sub}",
        "f:9: routes[0].rate_limit.key: with 'auth: none' there is no token to read sub from -> "
        "write 'key: address'",
        id="limit-without-token",
    ),
    pytest.param(
        "  methods: [POST]\n  websocket: true",
        "f:9: routes[0].websocket: a websocket begins with a GET, which the route does not take -> "
        "add GET to the route's methods",
        id="websocket-without-get",
    ),
    pytest.param(
        "  auth: none\n  end_with_token: true",
        "f:9: routes[0].end_with_token: with 'auth: none' there is no token to end with -> "
        "remove it, or ask for a credential",
        id="no-token-to-end-with",
    ),
    pytest.param(
        "  rewrite: /v2/{x}/**",
        "f:8: routes[0].rewrite: the route's path has no {x} -> add it to 'path', which is "
        "/x/{id}/**",
        id="rewrite-of-nothing",
    ),
    pytest.param(
        "  strip_prefix: /x\n  rewrite: /v2/**",
        "f:9: routes[0].rewrite: 'strip_prefix' and 'rewrite' both make the path -> remove one",
        id="rewrite-and-strip",
    ),
    pytest.param(
        "  cors: {origins: ['*']}\n"
        "  response_headers: {set: {Access-Control-Allow-Origin: '*', X-A: b}}",
        "f:9: routes[0].response_headers.set.Access-Control-Allow-Origin: 'cors' sets "
        "'Access-Control-Allow-Origin' -> remove it",
        id="two-owners-of-cors",
    ),
]


def compiled(read_more: Read, more: str) -> Route:
    """Return the route that these lines make."""
    return compile_snapshot(read_more(ROUTE + more), ()).routes[0]


@pytest.mark.parametrize(("more", "expected"), FAULTS)
def test_what_is_wrong_with_a_feature(more: str, expected: str, complain_more: Complain) -> None:
    """Place, fault and cure."""
    assert complain_more(ROUTE + more) == expected


def test_a_route_without_features_has_none(read_more: Read) -> None:
    """The hot path asks for nothing but that."""
    route = compiled(read_more, "")

    assert (route.addresses, route.cors, route.edits_answers) == (None, None, False)
    assert route.rate_limit is None
    assert (route.rewrite, route.response_timeout_s) == (None, None)
    assert (route.request_changes, route.answer_changes) == (None, None)


def test_addresses_are_compiled(read_more: Read) -> None:
    """``address_allow`` names addresses and networks."""
    addresses = compiled(read_more, "  address_allow: [10.0.0.0/8, '::1']").addresses

    assert addresses is not None
    assert [a in addresses for a in ("10.9.9.9", "::1", "::2", "")] == [True, True, False, False]


def test_cors_is_compiled(read_more: Read) -> None:
    """Origins as browsers write them."""
    cors = compiled(
        read_more,
        "  cors: {origins: ['HTTPS://App.test:8443'], methods: [PUT], headers: [X-A],\n"
        "    expose_headers: [X-B], credentials: true, max_age: 5s}",
    ).cors

    assert cors is not None
    assert (cors.origins, cors.any_origin) == (frozenset((b"https://app.test:8443",)), False)
    assert (cors.methods, cors.headers, cors.expose_headers) == ((b"PUT",), (b"X-A",), (b"X-B",))
    assert (cors.credentials, cors.max_age_s) == (True, 5)


def test_pages_may_send_credentials_and_json_by_default(read_more: Read) -> None:
    """A gateway that asks for tokens must let them come; cookies need no header."""
    cors = compiled(read_more, "  cors: {origins: ['*']}").cors

    assert cors is not None
    assert (cors.any_origin, cors.origins) == (True, frozenset())
    assert cors.headers == (b"Content-Type", b"authorization")
    assert (cors.methods, cors.max_age_s) == ((), 600)


def test_header_changes_are_compiled(read_more: Read) -> None:
    """What is set is removed first, whoever sent it."""
    route = compiled(
        read_more,
        "  request_headers: {set: {X-A: a b}, remove: [X-B]}\n"
        "  response_headers: {remove: [Server]}",
    )

    assert route.request_changes == FieldChanges(frozenset((b"x-a", b"x-b")), (b"X-A: a b",))
    assert route.answer_changes == FieldChanges(frozenset((b"server",)))
    assert route.edits_answers


def test_rewrite_and_timeout_are_compiled(read_more: Read) -> None:
    """Captured segments by their place in the path; the time in seconds."""
    route = compiled(read_more, "  rewrite: /v2/{id}/**\n  timeout: 250ms\n  max_duration: 5m")

    assert route.rewrite == Rewrite("/v2/{id}/**", (b"v2", 1), 2)
    assert (route.response_timeout_s, route.max_duration_s) == (0.25, 300)


def test_a_rate_limit_is_compiled(read_more: Read) -> None:
    """The period in seconds."""
    limit = "  rate_limit: {requests: 5, per: 1m, key: address}\n  auth: none"

    assert compiled(read_more, limit).rate_limit == RateLimit(5, 60, "address")


def test_tunnels_and_ends_are_compiled(read_more: Read) -> None:
    """Both are off unless they are asked for."""
    more = ROUTE + "  websocket: true\n  end_with_token: true\n- {path: /y, upstream: products}\n"
    with_both, without = compile_snapshot(read_more(more), ()).routes

    assert (with_both.websocket, with_both.ends_with_token) == (True, True)
    assert (without.websocket, without.ends_with_token) == (False, False)


def test_what_happens_without_redis_is_said_only_where_there_is_one(
    read_more: Read, complain_more: Complain
) -> None:
    """Else a route that should refuse would only seem to."""
    limit = "  rate_limit: {requests: 5, per: 1m, key: sub, on_redis_failure: refuse}\n"

    with_redis = compiled(read_more, limit + "redis: redis://localhost")
    assert with_redis.rate_limit == RateLimit(5, 60, "sub", "refuse")
    assert "routes[0].rate_limit.on_redis_failure: there is no Redis that could fail" in (
        complain_more(ROUTE + limit)
    )
