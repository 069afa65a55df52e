"""What becomes of the headers is found by comparing heads, and shows no credential."""

import pytest

from gateway.policy.header_changes import Redactor
from tests.kit.explained import SNAPSHOT, VALID, explained
from tests.kit.policy import PEER, REQUEST_ID, bearer, head


def test_headers_are_compared_and_credentials_redacted() -> None:
    """What is removed says why; what is added stands there; neither shows a token."""
    received = head(
        "/api/products/7?q=1",
        bearer(VALID),
        b"X-User-Id: admin",
        b"X_User_Name: admin",
        b"X-Odd_Name: 1",
        b"Connection: close, X-Private",
        b"X-Private: 1",
        b"X-Forwarded-For: 203.0.113.9",
        b"X-Request-Id: mine",
        b"TE: trailers",
        b"Content-Length: 0",
        b"Accept: */*",
        b"X-Copy: " + VALID,
    )
    explanation = explained(received)

    assert [(h.name, h.value, h.why) for h in explanation.removed] == [
        ("Authorization", "Bearer <redacted>", "holds the credential"),
        ("X-User-Id", "admin", "only the gateway may set it"),
        ("X_User_Name", "admin", "only the gateway may set it"),
        ("X-Odd_Name", "1", "an odd spelling"),
        ("Connection", "close, X-Private", "hop-by-hop"),
        ("X-Private", "1", "named in Connection"),
        ("X-Forwarded-For", "203.0.113.9", "only a trusted proxy may send it"),
        ("X-Request-Id", "mine", "only a trusted proxy may send it"),
        ("TE", "trailers", "hop-by-hop, or overrides the method"),
        ("Content-Length", "0", "framing is made anew"),
    ]
    assert [(h.name, h.value) for h in explanation.added] == [
        ("X-Forwarded-For", PEER),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "gw.test"),
        ("X-Request-Id", REQUEST_ID.decode()),
        ("X-User-Id", "alice"),
        ("X-User-Name", "alice"),
    ]
    assert explanation.upstream_urls == ("http://127.0.0.1:9000/products/7?q=1",)


def test_a_forwarded_credential_is_redacted_in_the_url() -> None:
    """``forward_credential`` keeps the query as it came; the explanation does not show it."""
    explanation = explained(head("/maybe?a=1&access_token=" + VALID.decode()))

    assert explanation.upstream_urls == ("http://127.0.0.1:9000/maybe?a=1&access_token=<redacted>",)
    assert explanation.target == "/maybe?a=1&access_token=<redacted>"


def test_every_endpoint_has_its_url_and_host() -> None:
    """An upstream with a Host of its own shows that the client's is replaced."""
    explanation = explained(head("/public/a"))

    assert explanation.upstream_urls == ("http://[::1]:1/public/a", "http://b.test:2/public/a")
    assert [h.why for h in explanation.removed] == ["the upstream has a Host of its own"]
    assert (explanation.added[0].name, explanation.added[0].value) == ("Host", "[::1]:1")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        pytest.param(b"AUTHORIZATION", b"Bearer abc", "Bearer <redacted>", id="scheme"),
        pytest.param(b"Authorization", b"abc", "<redacted>", id="no-scheme"),
        pytest.param(b"Authorization", b"s3cret abc", "<redacted>", id="odd-scheme"),
        pytest.param(b"Cookie", b"a=b; c=d", "<redacted>", id="cookie"),
        pytest.param(b"X-Api-Key", b"abc", "<redacted>", id="key"),
        pytest.param(b"X-Any", b"see tok", "see <redacted>", id="token-elsewhere"),
        pytest.param(b"X-Any", b"\xff\xc3\xa9", "\\xff\u00e9", id="bytes"),
    ],
)
def test_secrets_are_redacted(name: bytes, value: bytes, shown: str) -> None:
    """A field that may hold a secret does not show it, whether or not a route looks there."""
    assert shown == Redactor.of(SNAPSHOT, [b"tok", b""]).field_value(name, value)


def test_a_route_that_changes_headers_is_named_as_the_reason() -> None:
    """What it sets is among what is added."""
    lines = (b"x-b: 1", b"X-C: 2", b"X-A: 3")
    explanation = explained(head("/inside/7", bearer(VALID), *lines), peer="10.0.0.1")

    assert {h.name: h.why for h in explanation.removed if h.name.lower().startswith("x-")} == {
        "x-b": "the route removes or replaces it",
        "X-A": "the route removes or replaces it",
    }
    assert ("X-A", "set") in [(h.name, h.value) for h in explanation.added]
