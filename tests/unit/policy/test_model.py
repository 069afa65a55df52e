"""The model: what people and the wire are told of it."""

import pytest

from gateway.errors import REASONS, Reason
from gateway.policy.model import (
    CONTROL_ENDPOINTS,
    CredentialPlace,
    Endpoint,
    Forward,
    PlaceKind,
    Respond,
    Serve,
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
    assert place.in_header is (place.kind in (PlaceKind.SCHEME, PlaceKind.RAW))


@pytest.mark.parametrize(
    ("endpoint", "authority"),
    [
        (Endpoint("127.0.0.1", 9000), b"127.0.0.1:9000"),
        (Endpoint("products", 80), b"products:80"),
        (Endpoint("::1", 9000), b"[::1]:9000"),
    ],
)
def test_an_endpoint_is_named_by_its_authority(endpoint: Endpoint, authority: bytes) -> None:
    """RFC 3986 section 3.2.2: IPv6 in brackets."""
    assert authority == endpoint.authority


def test_a_refusal_has_the_status_and_sentence_of_its_reason() -> None:
    """One table says both; a place may put another sentence, never another status."""
    info = REASONS[Reason.ROLE_MISSING]
    refusal = Respond(Reason.ROLE_MISSING)

    assert (info.status, info.title) == (refusal.status, refusal.detail)
    assert Respond(Reason.ROLE_MISSING, "No.").detail == "No."
    assert (Respond(None).status, Respond(None, status=200).detail) == (204, "")


def test_a_snapshot_reads_heads_by_its_own_names() -> None:
    """The parser, its limits and the control paths come with the configuration."""
    known = snapshot(route("/"))

    assert set(known.control) == {e.path.encode("ascii") for e in CONTROL_ENDPOINTS}
    assert known.parser is not snapshot(route("/")).parser


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
    assert serve.endpoint.path == "/whoami"
