"""Whom a request is counted for."""

from typing import Any

import pytest

from gateway.policy.rate_limits import RateLimit
from gateway.policy.tokens import VerifiedToken
from tests.kit.tokens import claims_of, issuer_of

TOKEN = VerifiedToken(claims_of(org={"plan": "pro"}, n=1), issuer_of())


def key(by: str, client: str = "1.2.3.4", token: VerifiedToken | None = TOKEN) -> bytes:
    """Return the key of a request under a limit."""
    return RateLimit(5, 60, by).key_for(client, token)


def with_claims(**claims: Any) -> VerifiedToken:
    """Return another token of the same issuer."""
    return VerifiedToken(claims_of(**claims), issuer_of())


def test_a_claim_counts_whatever_the_address() -> None:
    """And is told apart from another value, and from the same one of another type."""
    assert key("sub") == key("sub", "5.6.7.8") == key("sub", token=with_claims(jti="other"))
    assert key("sub") != key("sub", token=with_claims(sub="bob"))
    assert key("org.plan") == key("org.plan", token=with_claims(org={"plan": "pro", "a": 1}))
    assert key("n") != key("n", token=with_claims(n="1"))


def test_a_subject_belongs_to_its_issuer() -> None:
    """Two issuers may have a user of the same name."""
    other = VerifiedToken(TOKEN.claims, issuer_of(name="http://other.test"))

    assert key("sub", token=other) != key("sub")


@pytest.mark.parametrize(
    ("by", "token"), [("address", TOKEN), ("sub", None), ("absent", TOKEN), ("org.absent", TOKEN)]
)
def test_else_the_address_counts(by: str, token: VerifiedToken | None) -> None:
    """Where the limit says so, for anonymous requests, and where there is no such claim."""
    assert key(by, token=token) == key("address") == b"4:1.2.3.4"
    assert key(by, "1.2.3.5", token) != key("address")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("1.2.3.4", "::ffff:1.2.3.4", False),
        ("", "", True),
        ("", "1.2.3.4", False),
    ],
)
def test_an_ipv6_client_has_a_network(*, one: str, other: str, same: bool) -> None:
    """A subscriber has 2^64 addresses, and one bucket. Callers unwrap mapped addresses."""
    assert (key("address", one) == key("address", other)) == same


def test_a_long_claim_makes_no_long_key() -> None:
    """The memory of keys is bounded by their number."""
    one, other = with_claims(sub="x" * 5000 + "a"), with_claims(sub="x" * 5000 + "b")

    assert len(key("sub", token=one)) < 64
    assert key("sub", token=one) != key("sub", token=other)


def test_a_claim_cannot_pass_for_an_address() -> None:
    """Keys of different kinds never meet."""
    assert key("sub", token=with_claims(sub="4:1.2.3.4")) != key("address")


def test_the_key_of_a_token_is_made_once() -> None:
    """It is remembered with the token, by the limit."""
    token = with_claims(sub="carol")
    limit = RateLimit(5, 60, "sub")

    assert limit.key_for("", token) is limit.key_for("", token)
    assert limit.key_for("", token) != RateLimit(5, 60, "jti").key_for("", token)
