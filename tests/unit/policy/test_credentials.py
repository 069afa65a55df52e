"""Where a credential is found, and what is left of the request without it."""

import pytest

from gateway.errors import CredentialError, Reason
from gateway.http1.request import RequestHead
from gateway.policy.credentials import Presented, find_presented
from gateway.policy.model import CredentialPlace, PlaceKind
from tests.kit.policy import ACCESS_TOKEN, BEARER, COOKIE, QUERY, head, request, route, snapshot

BASIC = CredentialPlace(PlaceKind.SCHEME, b"authorization", b"basic")
EVERYWHERE = (BEARER, ACCESS_TOKEN, COOKIE, QUERY)


def _read(target: str, *lines: bytes) -> RequestHead:
    known = snapshot(route("/**", places=(*EVERYWHERE, BASIC)))
    return request(known, head(target, *lines)).head


def _find(
    *lines: bytes, target: str = "/", places: tuple[CredentialPlace, ...] = EVERYWHERE
) -> Presented:
    return find_presented(_read(target, *lines), places)


@pytest.mark.parametrize(
    ("target", "lines", "credential"),
    [
        pytest.param("/", [], None, id="none"),
        pytest.param("/", [b"Authorization: Bearer a"], b"a", id="scheme"),
        pytest.param("/", [b"Authorization: BEARER a"], b"a", id="scheme-upper-case"),
        pytest.param("/", [b"Authorization: Bearer  a"], b" a", id="second-space"),
        pytest.param("/", [b"Authorization: Bearer\ta"], b"\ta", id="tab"),
        pytest.param("/", [b"Authorization: Bearer"], b"", id="scheme-alone"),
        pytest.param("/", [b"Authorization: Bearers a"], None, id="longer-scheme"),
        pytest.param("/", [b"access-token:  a "], b"a", id="raw"),
        pytest.param("/", [b"Cookie: x=y; session=a"], b"a", id="cookie"),
        pytest.param("/", [b"Cookie: session =a"], b"a", id="cookie-with-space"),
        pytest.param("/", [b"Cookie: Session=a"], None, id="cookie-in-another-case"),
        pytest.param("/?access_token=a%2Eb", [], b"a.b", id="query"),
        pytest.param("/?%61ccess_token=a", [], b"a", id="query-name-escaped"),
        pytest.param("/?access+token=a", [], None, id="query-other-name"),
        pytest.param("/?a=b", [], None, id="query-without"),
        pytest.param("/", [b"Authorization: Bearer a", b"access-token: a"], b"a", id="same-twice"),
    ],
)
def test_a_credential_is_found_in_its_place(
    target: str, lines: list[bytes], credential: bytes | None
) -> None:
    """DESIGN.md section 2, ``credentials``; nothing of it is judged yet."""
    assert credential == _find(*lines, target=target).sole_credential()


@pytest.mark.parametrize(
    ("target", "lines"),
    [
        pytest.param("/", [b"Authorization: Bearer a"] * 2, id="scheme-twice"),
        pytest.param("/", [b"Authorization: Digest x", b"Authorization: Bearer a"], id="schemes"),
        pytest.param("/", [b"access-token: a"] * 2, id="raw-twice"),
        pytest.param("/", [b"Authorization: Digest a"] * 2, id="other-scheme-twice"),
        pytest.param("/", [b"Authorization: Bearer a", b"access-token: b"], id="two-places"),
        pytest.param("/", [b"Cookie: session=a; session=a"], id="cookie-twice"),
        pytest.param("/?access_token=a&access_token=a", [], id="query-twice"),
        pytest.param("/?access_token=a", [b"Authorization: Bearer b"], id="query-and-field"),
    ],
)
def test_several_credentials_are_refused(target: str, lines: list[bytes]) -> None:
    """DESIGN.md section 2: two that differ, or one place used twice."""
    with pytest.raises(CredentialError) as caught:
        _find(*lines, target=target).sole_credential()

    assert caught.value.reason is Reason.SEVERAL_CREDENTIALS


def test_a_second_scheme_may_share_the_field() -> None:
    """Bearer and Basic both sit in Authorization; each is found by its own name."""
    for line, place in ((b"Authorization: Bearer a", BEARER), (b"Authorization: Basic a", BASIC)):
        assert _find(line, places=(BEARER, BASIC)).found == [(place, b"a")]


def test_what_is_no_credential_here_is_left_over() -> None:
    """Another scheme, another cookie and other parameters go on to the service."""
    presented = _find(
        b"Authorization: Digest x",
        b"Cookie: a=b;session=t",
        b"Cookie:c=d",
        target="/?x=1&access_token=t&&y=%zz",
    )

    assert presented.lines == [b"Authorization: Digest x", b"Cookie: a=b; c=d"]
    assert presented.query == b"?x=1&&y=%zz"


def test_a_query_or_cookie_of_nothing_but_the_credential_goes_with_it() -> None:
    """No empty Cookie field and no lonely question mark are left."""
    presented = _find(b"Cookie: session=t", target="/?access_token=t")

    assert (presented.lines, presented.query) == ([], b"")


def test_a_place_of_another_route_is_none_here() -> None:
    """A route may narrow the places; what sits elsewhere is no credential of that route."""
    presented = _find(b"access-token: a", b"Cookie: session=b", places=(BEARER,))

    assert presented.sole_credential() is None
    assert presented.lines == [b"access-token: a", b"Cookie: session=b"]


def test_the_same_fields_are_searched_once_per_route() -> None:
    """What is remembered belongs to one set of places, and never to a query."""
    asked = _read("/", b"access-token: a")
    narrow = (BEARER,)
    assert find_presented(asked, EVERYWHERE) is find_presented(asked, EVERYWHERE)
    assert find_presented(asked, narrow).found == []

    asked = _read("/?access_token=b")
    assert find_presented(asked, narrow).query is None
    asked = _read("/?access_token=b", b"access-token: a")
    assert len(find_presented(asked, EVERYWHERE).found) == 2
    assert len(find_presented(asked, EVERYWHERE).found) == 2
