"""Which claims of a token can be revoked."""

from typing import Any

import pytest

from gateway.policy.revoked import NoRevocations, Revocations, revocable_claims
from gateway.policy.tokens import VerifiedToken
from tests.kit.revocations import CheckedToken
from tests.kit.tokens import NOW_S, claims_of, issuer_of

ALL = {"jti": "t-1", "sid": "s-1", "sub": "aymen"}


@pytest.mark.parametrize(
    ("claims", "own", "expected"),
    [
        pytest.param(ALL, True, [("jti", "t-1"), ("sid", "s-1"), ("sub", "aymen")], id="ours"),
        pytest.param(ALL, False, [("jti", "t-1")], id="another-issuers"),
        pytest.param({"jti": "t-1"}, True, [("jti", "t-1"), ("sub", "aymen")], id="no-session"),
        pytest.param({"sid": 7, "jti": ["t-1"]}, True, [("sub", "aymen")], id="not-text"),
        pytest.param({}, False, [], id="another-issuers-without-id"),
    ],
)
def test_a_token_is_revoked_by_its_own_claims(
    claims: dict[str, Any], expected: list[tuple[str, str]], *, own: bool
) -> None:
    """CACHE-03: a session or a user of ours is never taken for another issuer's."""
    assert revocable_claims(CheckedToken(own=own, **claims)) == expected


def test_a_verified_token_can_be_revoked() -> None:
    """It has what is asked for, and has not been checked before its first request."""
    token = VerifiedToken(claims_of(jti="t-1", sid="s-1", sub="aymen"), issuer_of())

    assert revocable_claims(token) == list(ALL.items())
    assert token.checked_epoch == -1


def test_knowing_of_no_revocations_refuses_nothing() -> None:
    """For commands and tests: never stale, nothing revoked, and no check is remembered."""
    none: Revocations = NoRevocations()
    token = CheckedToken(jti="t-1")

    assert not none.is_stale(NOW_S)
    assert not none.is_revoked(token, NOW_S)
    assert token.checked_epoch == -1
