"""The decision, one table per step; the first refusal ends it."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from gateway.errors import Reason
from gateway.policy.cors import Cors
from gateway.policy.decide import decide, find_judge
from gateway.policy.model import (
    Auth,
    ControlEndpoint,
    Forward,
    Preflight,
    Respond,
    Route,
    Serve,
    Snapshot,
)
from gateway.policy.peers import AddressSet
from gateway.policy.requirements import Requirement
from gateway.policy.revoked import NoRevocations
from gateway.policy.tokens import Issuer, TokenVerifier
from tests.kit.checked import WITH_BASIC, WITH_KEY, keyed, remember
from tests.kit.policy import Told, answer, bearer, head, reason_of, request, route, snapshot
from tests.kit.tokens import AUDIENCE, NOW_S, issuer_of, mint, resigned, signing_key
from tests.kit.websocket import LINES

GOOD = bearer(mint())
EXPIRED = bearer(mint({"exp": NOW_S - 60}))
REVOKED = bearer(mint({"jti": "gone"}))
ADMIN = Requirement(roles=frozenset(("admin",)))


@pytest.fixture(scope="module")
def known() -> Snapshot:
    """One route of each kind."""
    return snapshot(
        route("/p"),
        route("/open/**", auth=Auth.NONE),
        route("/optional", auth=Auth.OPTIONAL, require=ADMIN),
        route("/admin/**", require=ADMIN),
        route("/get", methods=frozenset((b"GET",))),
        route("/small", max_body_bytes=5),
        route("/inside", addresses=AddressSet([ip_network("10.0.0.0/8")])),
        methods=frozenset((b"GET", b"HEAD", b"POST", b"OPTIONS")),
    )


@pytest.mark.parametrize(
    ("target", "lines", "method", "reason"),
    [
        pytest.param("/p", [GOOD], "GET", None, id="good"),
        pytest.param("/p", [], "GET", "credential_missing", id="none"),
        pytest.param("/p", [EXPIRED], "GET", "token_expired", id="bad"),
        pytest.param("/open/x", [], "GET", None, id="open"),
        pytest.param("/open/x", [EXPIRED, EXPIRED], "GET", None, id="open-does-not-look"),
        pytest.param("/optional", [], "GET", None, id="optional-anonymous"),
        pytest.param("/optional", [EXPIRED], "GET", "token_expired", id="optional-bad"),
        pytest.param("/optional", [GOOD], "GET", "role_missing", id="optional-without-role"),
        pytest.param("/admin/x", [GOOD], "GET", "role_missing", id="role"),
        pytest.param("/nowhere", [GOOD], "GET", "route_not_found", id="no-route"),
        pytest.param("/%6fpen/x", [], "GET", "ambiguous_path", id="hidden-literal"),
        pytest.param("/get", [GOOD], "HEAD", None, id="HEAD"),
        pytest.param("/get", [], "POST", "method_not_allowed", id="method-before-credential"),
        pytest.param("/nowhere", [], "DELETE", "not_implemented", id="method-of-no-route"),
        pytest.param("/small", [GOOD, b"Content-Length: 5"], "POST", None, id="body-fits"),
        pytest.param("/small", [GOOD, b"Content-Length: 6"], "POST", "body_too_large", id="body"),
        pytest.param(
            "/small", [b"Content-Length: 6"], "POST", "credential_missing", id="credential-first"
        ),
        pytest.param(
            "/small", [GOOD, b"Transfer-Encoding: chunked"], "POST", None, id="length-unknown"
        ),
        pytest.param("/inside", [GOOD], "GET", "address_denied", id="address"),
        pytest.param("/inside", [EXPIRED], "GET", "address_denied", id="address-first"),
        pytest.param(
            "/p", [bearer(mint({"sub": "a\r\nb"}))], "GET", "claim_mismatch", id="unfit-claim"
        ),
    ],
)
def test_a_request_is_forwarded_or_refused_for_one_reason(
    known: Snapshot, target: str, lines: list[bytes], method: str, reason: str | None
) -> None:
    """DESIGN.md section 2: route, address, credential, token, requirements, size, head."""
    decision = answer(known, head(target, *lines, method=method))

    assert reason == reason_of(decision)
    assert isinstance(decision, Respond if reason else Forward)


@pytest.mark.parametrize(
    ("peer", "reason"),
    [("10.1.2.3", None), ("::ffff:10.1.2.3", None), ("11.1.2.3", "address_denied"),
     ("", "address_denied")],
)  # fmt: skip
def test_a_route_may_take_some_addresses_only(
    known: Snapshot, peer: str, reason: str | None
) -> None:
    """THREATS.md IP-04; and an address that is not known is none of them."""
    assert reason == reason_of(answer(known, head("/inside", GOOD), peer=peer))


def test_a_refusal_names_the_route_and_what_is_allowed(known: Snapshot) -> None:
    """For the log, for ``explain`` and for ``Allow``."""
    refusal = answer(known, head("/p"))
    assert isinstance(refusal, Respond)
    assert refusal.route is known.routes[0]

    refusal = answer(known, head("/get", method="POST"))
    assert isinstance(refusal, Respond)
    assert refusal.fields == ((b"Allow", b"GET, HEAD"),)


def test_options_of_the_gateway_itself_is_answered_here(known: Snapshot) -> None:
    """PATH-22: 204, and no service hears of it."""
    decision = answer(known, head("*", method="OPTIONS"))

    assert isinstance(decision, Respond)
    assert (decision.status, decision.reason) == (204, None)


@pytest.mark.parametrize(
    ("path", "lines", "expected"),
    [
        pytest.param("/authenticate", [], "served", id="open"),
        pytest.param("/authenticate", [EXPIRED], "served", id="open-does-not-look"),
        pytest.param("/whoami", [GOOD], "served", id="good"),
        pytest.param("/whoami?x", [GOOD], "served", id="query"),
        pytest.param("/whoami", [], "credential_missing", id="none"),
        pytest.param("/whoami", [EXPIRED], "token_expired", id="bad"),
        pytest.param("/whoami", [GOOD, GOOD], "several_credentials", id="two"),
    ],
)
def test_the_gateways_own_paths_win_over_every_route(
    path: str, lines: list[bytes], expected: str
) -> None:
    """DESIGN.md section 3, OPS-18: a route for everything hides none of them."""
    decision = answer(snapshot(route("/**", auth=Auth.NONE)), head(path, *lines))

    assert isinstance(decision, Serve | Respond)
    assert expected == ("served" if isinstance(decision, Serve) else decision.reason)
    if isinstance(decision, Serve):
        assert (decision.token is not None) == (path != "/authenticate")


ROUTES = (
    route("/**", auth=Auth.NONE, name="all"),
    route("/sessions/{id}/notes", auth=Auth.NONE, name="notes"),
    route("/.well-known/acme-challenge/*", auth=Auth.NONE, name="acme"),
)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param("/sessions", "/sessions", id="literal"),
        pytest.param("/sessions/7", "/sessions/{id}", id="parameter"),
        pytest.param("/sessions/a%20b?x", "/sessions/{id}", id="escape-in-parameter"),
        pytest.param("/sessions/7/notes", "notes", id="route-below"),
        pytest.param("/sessions/7/other", "all", id="no-prefix"),
        pytest.param("/whoami/x", "all", id="no-prefix-of-literal"),
        pytest.param("/whoamI", "all", id="case"),
        pytest.param("/.well-known", "all", id="first-segment-only"),
        pytest.param("/.well-known/jwks.json", "/.well-known/jwks.json", id="two-literals"),
        pytest.param("/.well-known/acme-challenge/x", "acme", id="beside"),
        pytest.param("/", "all", id="no-segments"),
        pytest.param("/caf%C3%A9", "all", id="escape-elsewhere"),
        # A final "/" makes no difference to whom a path belongs; the endpoint itself refuses it.
        pytest.param("/authenticate/", "/authenticate", id="final-slash"),
        pytest.param("/%73essions", "ambiguous_path", id="escaped-name"),
        pytest.param("/%73essions/7/notes", "ambiguous_path", id="escaped-name-of-a-route-too"),
        pytest.param("/.well-known/jwk%73.json", "ambiguous_path", id="escaped-second"),
    ],
)
def test_an_own_path_is_matched_exactly(target: str, expected: str) -> None:
    """OPS-11, OPS-18: by whole segments, no prefix, no second spelling; the rest is for routes."""
    routes = snapshot(*ROUTES)
    judge = find_judge(routes, request(routes, head(target)))

    match judge:
        case ControlEndpoint():
            assert expected == judge.path
        case Route():
            assert expected == judge.name
        case Respond():
            assert expected == judge.reason
        case Preflight():
            pytest.fail("no route has CORS")


@pytest.mark.parametrize(
    ("target", "line", "told", "reason", "calls"),
    [
        pytest.param("/p", GOOD, Told(), None, 2, id="good"),
        pytest.param("/p", REVOKED, Told("gone"), "token_revoked", 2, id="revoked"),
        pytest.param("/p", GOOD, Told(stale=True), "store_unavailable", 1, id="stale"),
        pytest.param("/p", REVOKED, Told("gone", stale=True), "store_unavailable", 1, id="both"),
        pytest.param("/p", EXPIRED, Told(stale=True), "token_expired", 0, id="expired"),
        pytest.param("/p", bearer(b"x"), Told(stale=True), "token_malformed", 0, id="malformed"),
        pytest.param("/optional", b"A: b", Told(stale=True), None, 0, id="anonymous"),
        pytest.param("/optional", REVOKED, Told("gone"), "token_revoked", 2, id="optional"),
        pytest.param("/open/x", REVOKED, Told("gone", stale=True), None, 0, id="public"),
        pytest.param("/admin/x", REVOKED, Told("gone"), "token_revoked", 2, id="before-roles"),
        pytest.param("/whoami", GOOD, Told(), None, 2, id="own"),
        pytest.param("/whoami", REVOKED, Told("gone"), "token_revoked", 2, id="own-revoked"),
        pytest.param("/whoami", GOOD, Told(stale=True), "store_unavailable", 1, id="own-stale"),
        pytest.param("/authenticate", REVOKED, Told(stale=True), None, 0, id="own-public"),
    ],
)
def test_a_verified_token_is_asked_for_its_revocation(
    known: Snapshot, target: str, line: bytes, told: Told, reason: str | None, calls: int
) -> None:
    """DESIGN.md section 8, guarantees 2 and 3: last of all that concerns the token, and once."""
    told.calls.clear()

    assert reason == reason_of(answer(known, head(target, line), revocations=told))
    assert told.calls == ["is_stale", "is_revoked"][:calls]


FOREIGN = Issuer(
    name="https://login.test",
    audiences=frozenset((AUDIENCE,)),
    keys=(signing_key("ES256").verification,),
    own=False,
)
THEIRS = {"iss": FOREIGN.name, "jti": "theirs"}


@pytest.mark.parametrize(
    ("target", "claims", "told", "reason"),
    [
        pytest.param("/p", THEIRS, Told(), None, id="route"),
        pytest.param("/whoami", THEIRS, Told(), None, id="whoami"),
        pytest.param("/sessions", THEIRS, Told(), "token_issuer", id="sessions"),
        pytest.param("/sessions/7", THEIRS, Told(), "token_issuer", id="session"),
        pytest.param("/logout", THEIRS, Told(), "token_issuer", id="logout"),
        pytest.param("/logout", THEIRS, Told("theirs"), "token_issuer", id="revoked"),
        pytest.param("/logout", THEIRS | {"exp": NOW_S - 60}, Told(), "token_issuer", id="expired"),
        pytest.param("/p", THEIRS, Told("theirs"), "token_revoked", id="revoked-by-jti"),
    ],
)
def test_anothers_alice_has_no_session_here(
    known: Snapshot, target: str, claims: dict[str, object], told: Told, reason: str | None
) -> None:
    """A foreign subject and session id are another's: they open and end nothing of ours."""
    both = replace(known, verifier=TokenVerifier((issuer_of(), FOREIGN)))
    line = bearer(mint(claims, key=signing_key("ES256")))

    assert reason == reason_of(answer(both, head(target, line), revocations=told))


@pytest.mark.parametrize("target", ["/p", "/whoami"])
def test_a_refusal_names_the_issuer_whose_keys_were_too_few(known: Snapshot, target: str) -> None:
    """For whoever can get more of them; the decision itself waits for nothing."""
    both = replace(known, verifier=TokenVerifier((issuer_of(), FOREIGN)))
    token = mint(THEIRS, key=signing_key("ES256", kid="new"))
    refusals = [
        answer(both, head(target, bearer(each)))
        for each in (token, mint(THEIRS, {"alg": "RS256"}, key=signing_key("ES256")))
    ]

    assert [reason_of(each) for each in refusals] == ["token_key_unknown", "token_algorithm"]
    assert [each.issuer for each in refusals if isinstance(each, Respond)] == [FOREIGN.name, ""]


def test_the_gateway_says_why_it_cannot_tell(known: Snapshot) -> None:
    """503, and not a word that the token was bad."""
    refusal = answer(known, head("/p", GOOD), revocations=Told(stale=True))

    assert isinstance(refusal, Respond)
    assert (refusal.status, refusal.detail) == (
        503,
        "The gateway has not heard of revocations for too long.",
    )


@pytest.mark.parametrize(
    ("line", "told", "refused"),
    [
        pytest.param(GOOD, Told(), None, id="good"),
        pytest.param(REVOKED, Told("gone"), Reason.TOKEN_REVOKED, id="revoked"),
        pytest.param(EXPIRED, Told(), Reason.TOKEN_EXPIRED, id="expired"),
        pytest.param(GOOD, Told(stale=True), None, id="stale"),
        pytest.param(
            REVOKED, Told("gone", stale=True), Reason.TOKEN_REVOKED, id="revoked-as-far-as-known"
        ),
    ],
)
def test_logging_out_takes_a_token_that_has_ended(
    known: Snapshot, line: bytes, told: Told, refused: Reason | None
) -> None:
    """THREATS.md SES-08: what would refuse it elsewhere becomes a fact."""
    told.calls.clear()
    decision = answer(known, head("/logout", line, method="POST"), revocations=told)

    assert isinstance(decision, Serve)
    assert decision.token is not None
    assert decision.token.claims["sid"] == "s-1"
    assert decision.refused is refused
    assert len(told.calls) <= 2


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        pytest.param([], "credential_missing", id="none"),
        pytest.param([EXPIRED, EXPIRED], "several_credentials", id="two"),
        pytest.param([bearer(b"x")], "token_malformed", id="malformed"),
        pytest.param(
            [bearer(resigned(mint({"exp": NOW_S - 60}), b"x" * 32))], "token_signature", id="forged"
        ),
        pytest.param(
            [bearer(mint({"exp": NOW_S - 60, "iss": "other"}))], "token_issuer", id="issuer"
        ),
        pytest.param(
            [bearer(mint({"exp": NOW_S - 60, "aud": "other"}))], "token_audience", id="audience"
        ),
        pytest.param(
            [bearer(mint({"exp": NOW_S - 60}, header={"typ": "JWT"}))], "token_type", id="type"
        ),
        pytest.param([bearer(mint({"nbf": NOW_S + 60}))], "token_not_yet_valid", id="not-yet"),
    ],
)
def test_logging_out_takes_no_token_with_another_fault(
    known: Snapshot, lines: list[bytes], reason: str
) -> None:
    """Nobody ends a session with a token that was never good."""
    assert reason == reason_of(answer(known, head("/logout", *lines, method="POST")))


def test_a_token_is_asked_for_the_time_of_the_request(known: Snapshot) -> None:
    """Pure: the same request is decided otherwise only because the time is another."""
    asked = request(known, head("/p", GOOD))

    none = NoRevocations()
    assert reason_of(decide(known, asked, NOW_S, none)) is None
    assert reason_of(decide(known, asked, NOW_S + 3600, none)) is Reason.TOKEN_EXPIRED


ASKS = (b"Origin: https://app.test", b"Access-Control-Request-Method: PUT")
APP = Cors(origins=frozenset((b"https://app.test",)))
BROWSED = snapshot(
    route("/p", name="put", methods=frozenset((b"PUT",)), cors=APP),
    route("/p", name="get", methods=frozenset((b"GET",))),
    route("/p", name="rest", cors=Cors(any_origin=True)),
    route("/get", methods=frozenset((b"GET",)), cors=APP),
    route("/inside", addresses=AddressSet([ip_network("10.0.0.0/8")]), cors=APP),
    route("/own", auth=Auth.NONE),
)


@pytest.mark.parametrize(
    ("target", "asked", "expected"),
    [
        pytest.param("/p", b"PUT", "put", id="named"),
        pytest.param("/p", b"DELETE", "rest", id="any-method"),
        pytest.param("/p", b"GET", "credential_missing", id="route-without-cors"),
        pytest.param("/p", b"HEAD", "credential_missing", id="HEAD-follows-GET"),
        pytest.param("/p", b"BREW", "credential_missing", id="unknown-method"),
        pytest.param("/get", b"HEAD", "/get", id="HEAD"),
        pytest.param("/get", b"PUT", "method_not_allowed", id="method-that-is-not-taken"),
        pytest.param("/inside", b"PUT", "address_denied", id="address-first"),
        pytest.param("/own", b"PUT", "forward", id="the-services-own-affair"),
        pytest.param("/nowhere", b"PUT", "route_not_found", id="nowhere"),
        pytest.param("/whoami", b"GET", "credential_missing", id="own-endpoint"),
    ],
)
def test_a_preflight_is_answered_for_the_route_of_the_method_it_asks_for(
    target: str, asked: bytes, expected: str
) -> None:
    """Before any credential; where that route has no CORS it is a request like any other."""
    lines = (ASKS[0], b"Access-Control-Request-Method: " + asked)
    decision = answer(BROWSED, head(target, *lines, method="OPTIONS"))

    match decision:
        case Respond(reason=None):
            assert decision.status == 204
            assert decision.route is not None
            assert expected == decision.route.name
            assert b"Access-Control-Allow-Origin" in dict(decision.fields)
        case Respond():
            assert expected == decision.reason
        case _:
            assert expected == "forward"


def test_a_plain_options_is_authenticated() -> None:
    """THREATS.md PATH-28."""
    decision = answer(BROWSED, head("/get", ASKS[0], method="OPTIONS"))
    assert reason_of(decision) is Reason.METHOD_NOT_ALLOWED
    decision = answer(BROWSED, head("/p", ASKS[0], method="OPTIONS"))
    assert reason_of(decision) is Reason.CREDENTIAL_MISSING


@pytest.mark.parametrize("target", ["/p", "/optional", "/whoami"])
@pytest.mark.parametrize("line", [WITH_KEY, WITH_BASIC])
def test_what_is_not_looked_up_yet_is_a_refusal_that_says_so(target: str, line: bytes) -> None:
    """A caller who cannot look it up fails closed: 503."""
    decision = answer(keyed(), head(target, line))
    assert isinstance(decision, Respond)
    assert (decision.status, decision.reason) == (503, "store_unavailable")
    assert decision.unchecked is not None
    assert decision.unchecked.credential in line


@pytest.mark.parametrize("target", ["/logout", "/sessions", "/sessions/x"])
def test_sessions_are_for_tokens(target: str) -> None:
    """A key or a password has none, whether it was looked up or not."""
    known = keyed()
    remember(known)
    for line in (WITH_KEY, WITH_BASIC):
        decision = answer(known, head(target, line))
        assert isinstance(decision, Respond)
        assert (decision.reason, decision.unchecked) == ("token_type", None)
    served = answer(known, head("/whoami", WITH_KEY))
    assert isinstance(served, Serve)
    assert served.token is not None


def test_a_handshake_is_judged_as_a_request_first() -> None:
    """THREATS.md WS-01: a stranger learns nothing of where there are websockets."""
    tunnels = snapshot(route("/ws", websocket=True), route("/p"))

    assert isinstance(answer(tunnels, head("/ws", *LINES, GOOD)), Forward)
    assert reason_of(answer(tunnels, head("/p", *LINES, GOOD))) is Reason.WEBSOCKET_REFUSED
    for path in ("/ws", "/p"):
        assert reason_of(answer(tunnels, head(path, *LINES))) is Reason.CREDENTIAL_MISSING
