"""Where credentials sit and which identity headers there are."""

import pytest

from gateway.config.compile import compile_snapshot
from gateway.http1.names import FieldKind
from tests.unit.config.conftest import Complain, Read

ROUTE = "routes:\n- path: /x\n  upstream: products\n"  # what is added begins on line 8

FAULTS = [
    pytest.param(
        "credentials: [{header: A}, {header: a}]",
        "f:5: credentials[1]: the header a stands here twice -> remove one",
        id="place-twice",
    ),
    pytest.param(
        "credentials: [{header: A}, {cookie: A}, {header: a, scheme: Bearer}]",
        "f:5: credentials[2]: the header a is both raw and with a scheme -> remove one",
        id="raw-and-scheme",
    ),
    pytest.param(
        "credentials: [{header: A}, {header: a, kind: api_key}]",
        "f:5: credentials[1]: the header a stands here twice -> remove one",
        id="two-kinds",
    ),
    pytest.param(
        "credentials: [{header: A, kind: api_key}]\n" + ROUTE + "  credentials: [{header: A}]",
        "f:9: routes[0].credentials[0]: the file's credentials do not have the header a -> add it "
        "to the top-level 'credentials'",
        id="another-kind-than-the-file",
    ),
    pytest.param(
        ROUTE + "  credentials: [{query: t}]",
        "f:8: routes[0].credentials[0]: the file's credentials do not have the query parameter t "
        "-> add it to the top-level 'credentials'",
        id="not-of-the-file",
    ),
    pytest.param(
        ROUTE
        + "  credentials:\n  - &FILE".replace("&FILE", "{header: Authorization, scheme: bearer}\n")
        + "  - {header: authorization, scheme: Bearer}",
        "f:10: routes[0].credentials[1]: the header authorization (bearer) stands here twice -> "
        "remove one",
        id="route-place-twice",
    ),
    pytest.param(
        "claim_headers:\n  X-User-Id: sub\n  x-user-id: sub",
        "f:7: claim_headers.x-user-id: 'x-user-id' and 'X-User-Id' are one header -> "
        "write 'X-User-Id'",
        id="two-spellings",
    ),
    pytest.param(
        "claim_headers: {X-A: sub}\n" + ROUTE + "  claim_headers: {x-a: sub}",
        "f:9: routes[0].claim_headers.x-a: 'x-a' and 'X-A' are one header -> write 'X-A'",
        id="two-spellings-apart",
    ),
    pytest.param(
        "credentials: [{header: Access-Token}]\nclaim_headers: {access-token: sub}",
        "f:6: claim_headers.access-token: a credential may sit in 'access-token' -> choose another "
        "name, for example X-User-Id",
        id="credential",
    ),
]


@pytest.mark.parametrize(("more", "expected"), FAULTS)
def test_names_must_not_meet(more: str, expected: str, complain_more: Complain) -> None:
    """THREATS.md HDR-28: a name has one meaning in the whole file."""
    assert complain_more(more) == expected


def test_every_name_of_the_file_is_reserved(read_more: Read) -> None:
    """DESIGN.md section 5: all names in any ``claim_headers``, in every spelling."""
    config = read_more(
        "claim_headers: {X-A: sub}\ncredentials: [{header: access-token}, {cookie: c}]\n"
        "limits: {odd_header_names: keep}\n" + ROUTE + "  claim_headers: {X-B: sub}"
    )
    names = compile_snapshot(config, ()).names

    assert [names[n] for n in (b"x_a", b"X-B", b"Access-Token", b"Cookie", b"a.b")] == [
        FieldKind.DROP, FieldKind.DROP, FieldKind.CREDENTIAL, FieldKind.COOKIE, FieldKind.PASS,
    ]  # fmt: skip


def test_cookies_and_odd_names_without_their_settings(read_more: Read) -> None:
    """Cookies pass where no credential sits in one; odd names are dropped by default."""
    names = compile_snapshot(read_more(""), ()).names

    assert [names[n] for n in (b"Cookie", b"a.b", b"authorization")] == [
        FieldKind.PASS, FieldKind.DROP, FieldKind.CREDENTIAL,
    ]  # fmt: skip


def test_a_route_adds_to_the_headers_of_the_file_or_replaces_them(read_more: Read) -> None:
    """What the route names again is the route's; the rest is inherited."""
    config = read_more(
        "claim_headers: {X-A: sub, X-B: {claim: b, default: none}}\n"
        + ROUTE
        + "  claim_headers: {X-A: a, X-C: c}\n- {path: /y, upstream: products}\n"
        "- {path: /z, upstream: products}"
    )
    first, second, third = (route.headers for route in compile_snapshot(config, ()).routes)

    assert [(h.name, h.claim, h.default) for h in first.headers] == [
        ("X-B", "b", "none"), ("X-A", "a", None), ("X-C", "c", None),
    ]  # fmt: skip
    assert [h.name for h in second.headers] == ["X-A", "X-B"]
    assert second is third


def test_a_route_narrows_the_places_of_the_file(read_more: Read) -> None:
    """Without ``credentials`` a route has them all."""
    config = read_more(
        "credentials: [{header: Authorization, scheme: Bearer}, {cookie: c}, {query: q}]\n"
        + ROUTE
        + "  credentials: [{query: q}]\n- {path: /y, upstream: products}"
    )
    narrow, wide = compile_snapshot(config, ()).routes

    assert [str(place) for place in narrow.places] == ["query parameter q"]
    assert [str(place) for place in wide.places] == [
        "header authorization (bearer)", "cookie c", "query parameter q",
    ]  # fmt: skip


def test_a_place_holds_what_its_kind_or_scheme_says(read_more: Read) -> None:
    """A token, unless it is said otherwise; ``Basic`` says so itself."""
    config = read_more(
        "credentials: [{header: A, scheme: Bearer}, {header: B, kind: api_key}, "
        "{header: A, scheme: basic}, {cookie: C, kind: api_key}, {query: D, kind: api_key}]"
    )
    places = compile_snapshot(config, ()).places

    assert [place.holds.value for place in places] == [
        *("token", "api_key", "basic", "api_key", "api_key"),
    ]
    assert [str(place) for place in places][:3] == [
        "header a (bearer)",
        "header b, API key",
        "header a (basic)",
    ]
