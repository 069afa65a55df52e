"""The keys of a route, of identity headers and of requirements."""

import pytest

from tests.unit.config.conftest import Complain, Read

ROUTE = "routes:\n- path: /x\n  upstream: products\n"  # what is added begins on line 8

FAULTS = [
    pytest.param(
        "  claim_headers: {X-A: '*'}",
        'f:8: routes[0].claim_headers.X-A: the set of all claims ("*") is no text -> '
        "add 'format: base64url-json'",
        id="all-claims-as-text",
    ),
    pytest.param(
        "  claim_headers: {X-A: {claim: sub, zzz: 1}}",
        "f:8: routes[0].claim_headers.X-A: unknown key 'zzz' -> known keys: claim, default, format",
        id="header-key",
    ),
    pytest.param(
        "  claim_headers: {X-A: [sub]}",
        "f:8: routes[0].claim_headers.X-A: this is not a mapping -> write keys and values: "
        "{key: value}",
        id="header-list",
    ),
    pytest.param(
        "  require: {claims: {plan: [[a], {b: c}, d]}}",
        "f:8: routes[0].require.claims.plan[0]: a list cannot be compared with a claim -> write "
        "texts, numbers, true, false\n"
        "f:8: routes[0].require.claims.plan[1]: a mapping cannot be compared with a claim -> write "
        "texts, numbers, true, false",
        id="claim-values",
    ),
    pytest.param(
        "  require: {roles: [], scopes: [a b], claims: {plan: []}}",
        "f:8: routes[0].require.roles: the list is empty -> name at least one, or remove the key\n"
        "f:8: routes[0].require.scopes[0]: 'a b' is not one scope -> a scope has no spaces; write "
        "a list of scopes\n"
        "f:8: routes[0].require.claims.plan: the list is empty -> name at least one, or remove the "
        "key",
        id="empty-requirements",
    ),
    pytest.param(
        "  is_protected: true",
        "f:8: routes[0]: unknown key 'is_protected' -> known keys: address_allow, auth, "
        "claim_headers, cors, credentials, end_with_token, forward_credential, hosts, max_body, "
        "max_duration, methods, name, path, rate_limit, request_headers, require, "
        "response_headers, rewrite, strip_prefix, timeout, upstream, websocket",
        id="typo-that-would-open",
    ),
    pytest.param(
        "  forward_credential: NO",
        "f:8: routes[0].forward_credential: 'NO' is neither true nor false -> write false",
        id="yaml-1.1",
    ),
]


@pytest.mark.parametrize(("more", "expected"), FAULTS)
def test_what_is_wrong_with_a_route(more: str, expected: str, complain_more: Complain) -> None:
    """An empty list must not mean "anything", a slip must not open a route."""
    assert complain_more(ROUTE + more) == expected


def test_short_forms_mean_the_long_ones(read_more: Read) -> None:
    """A claim path for a header, one value for a list of values."""
    route = read_more(
        ROUTE + "  claim_headers: {X-A: a.b}\n  require: {claims: {plan: pro, n: [1, true]}}"
    ).settings.routes[0]

    assert (route.claim_headers["X-A"].claim, route.claim_headers["X-A"].format) == ("a.b", "text")
    assert route.require is not None
    assert route.require.claims == {"plan": ("pro",), "n": (1, True)}


def test_a_route_asks_for_a_token_unless_it_says_otherwise(read_more: Read) -> None:
    """THREATS.md OPS-05: the default is closed."""
    route = read_more(ROUTE).settings.routes[0]

    assert (route.auth, route.forward_credential, route.max_body) == ("required", False, 10 << 20)
