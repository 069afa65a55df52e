"""The model: what people and the wire are told of it."""

import pytest

from gateway.errors import REASONS, Reason
from gateway.policy.checked import CredentialKind
from gateway.policy.cors import Cors
from gateway.policy.model import (
    CONTROL_ENDPOINTS,
    ControlEndpoint,
    CredentialPlace,
    Endpoint,
    FieldChanges,
    Forward,
    PlaceKind,
    Preflight,
    Respond,
    Serve,
    build_control_router,
)
from tests.kit.policy import (
    ACCESS_TOKEN,
    BEARER,
    COOKIE,
    PEER,
    QUERY,
    REQUEST_ID,
    answer,
    bearer,
    head,
    reason_of,
    request,
    route,
    snapshot,
)
from tests.kit.tokens import mint


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (BEARER, "header authorization (bearer)"),
        (ACCESS_TOKEN, "header access-token"),
        (COOKIE, "cookie session"),
        (QUERY, "query parameter access_token"),
    ],
)
def test_a_place_has_a_name_for_people(place: CredentialPlace, text: str) -> None:
    """For ``gateway routes`` and ``explain``."""
    assert text == str(place)
    assert not place.takes_basic
    assert place.in_header is (place.kind in (PlaceKind.SCHEME, PlaceKind.RAW))


def test_a_place_says_what_it_holds() -> None:
    """Where that is no token; of Basic the scheme says it."""
    key = CredentialPlace(PlaceKind.COOKIE, b"k", holds=CredentialKind.API_KEY)
    basic = CredentialPlace(PlaceKind.SCHEME, b"authorization", b"basic", CredentialKind.BASIC)
    assert (str(key), key.where, key.takes_basic) == ("cookie k, API key", "cookie k", False)
    assert (str(basic), basic.takes_basic) == ("header authorization (basic)", True)


@pytest.mark.parametrize(
    ("endpoint", "authority"),
    [
        (Endpoint("127.0.0.1", 9000), b"127.0.0.1:9000"),
        (Endpoint("products", 80), b"products"),
        (Endpoint("::1", 9000), b"[::1]:9000"),
        (Endpoint("::1", 443, secure=True), b"[::1]"),
        (Endpoint("products", 443), b"products:443"),
        (Endpoint("products", 80, secure=True), b"products:80"),
        (Endpoint("localhost", 0, socket="/run/x"), b"localhost"),
    ],
)
def test_an_endpoint_is_named_by_its_authority(endpoint: Endpoint, authority: bytes) -> None:
    """RFC 3986 section 3.2.2: IPv6 in brackets, and no port that the scheme has anyway."""
    assert authority == endpoint.authority


def test_a_refusal_has_the_status_and_sentence_of_its_reason() -> None:
    """One table says both; a place may put another sentence, never another status."""
    info = REASONS[Reason.ROLE_MISSING]
    refusal = Respond(Reason.ROLE_MISSING)

    assert (info.status, info.title) == (refusal.status, refusal.detail)
    assert Respond(Reason.ROLE_MISSING, "No.").detail == "No."
    assert (Respond(None).status, Respond(None, status=200).detail) == (204, "")


def test_a_snapshot_reads_heads_by_its_own_names() -> None:
    """The parser and its limits come with the configuration."""
    assert snapshot(route("/")).parser is not snapshot(route("/")).parser


def test_a_snapshot_has_the_public_endpoints_unless_told_otherwise() -> None:
    """DESIGN.md section 3; another listener serves others, and no routes."""
    public, own = snapshot(), ControlEndpoint("/users/{id}")
    admin = snapshot(endpoints=(own,))

    assert public.endpoints == CONTROL_ENDPOINTS
    assert public.control_names == {
        b"authenticate", b"refresh", b"logout", b"whoami", b"sessions", b"introspect",
        b".well-known",
    }  # fmt: skip
    assert admin.control_names == {b"users"}
    assert reason_of(answer(admin, head("/whoami"))) is Reason.ROUTE_NOT_FOUND
    assert isinstance(answer(admin, head("/users/7")), Serve)


@pytest.mark.parametrize("endpoint", CONTROL_ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_an_endpoint_is_found_by_its_path(endpoint: ControlEndpoint) -> None:
    """One that no path leads to would be a promise that nobody keeps."""
    router = build_control_router(CONTROL_ENDPOINTS)
    segments = endpoint.path.replace("{id}", "7").encode("ascii").split(b"/")[1:]
    leaf = router.find(b"", segments)

    assert leaf is not None
    assert leaf.any_method is endpoint


def test_an_endpoint_begins_with_a_literal() -> None:
    """What has no first segment could not be told from a route by it: loud, when it is built."""
    with pytest.raises(IndexError):
        snapshot(endpoints=(ControlEndpoint("/"),))


def test_the_three_kinds_of_decision_carry_what_acts_on_them() -> None:
    """Made per request, by position, since that is the hot path."""
    known = snapshot(route("/p"))
    asked = request(known, head("/p"), secure=True)
    forward = answer(known, head("/p", bearer(mint())))
    serve = answer(known, head("/whoami", bearer(mint())))

    assert (asked.peer, asked.secure, asked.request_id) == (PEER, True, REQUEST_ID)
    assert isinstance(forward, Forward)
    assert forward.route is known.routes[0]
    assert forward.names_host
    assert isinstance(serve, Serve)
    assert (serve.endpoint.path, serve.refused) == ("/whoami", None)


def test_a_snapshot_knows_whether_it_answers_preflights() -> None:
    """So that without CORS no request is looked at for one."""
    cors = Cors(any_origin=True)
    browsed = route("/b", cors=cors)

    assert not snapshot(route("/a")).answers_preflights
    assert snapshot(route("/a"), browsed).answers_preflights
    assert Preflight(browsed, cors, b"GET").route is browsed


def test_field_changes_know_every_spelling() -> None:
    """R11: removed by rule, then set."""
    changes = FieldChanges(frozenset((b"x-a", b"x-b")), (b"X-A: new",))

    assert changes.apply([b"x-a: 1", b"X_B: 2", b"X-Ab: 3", b"X.a: 4"]) == [
        b"X-Ab: 3",
        b"X-A: new",
    ]


@pytest.mark.parametrize(
    ("endpoint", "shown", "url"),
    [
        (Endpoint("a", 80), "a:80", "http://a/x"),
        (Endpoint("::1", 8443, secure=True), "https://[::1]:8443", "https://[::1]:8443/x"),
        (Endpoint("localhost", 0, socket="/run/x"), "unix:/run/x", "unix:/run/x:/x"),
    ],
)
def test_an_endpoint_says_how_it_is_reached(endpoint: Endpoint, shown: str, url: str) -> None:
    """In logs and explanations TLS and sockets can be told from plain HTTP."""
    assert (str(endpoint), endpoint.url("/x")) == (shown, url)
