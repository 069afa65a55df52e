"""Which claims of a token can be revoked."""

from typing import Any

import pytest

from gateway.policy.revoked import revocable_claims
from tests.kit.revocations import CheckedToken

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
