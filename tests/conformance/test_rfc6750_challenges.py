"""RFC 6750 section 3: what a refused request is challenged with."""

import pytest

from gateway.errors import REASONS, Reason
from gateway.policy.problem import challenge_for

BARE = (
    Reason.CREDENTIAL_MISSING,
    Reason.API_KEY_INVALID,
    Reason.LOGIN_FAILED,
    Reason.REFRESH_INVALID,
    Reason.REFRESH_EXPIRED,
    Reason.REFRESH_REUSED,
)


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_the_challenge_of_its_status(reason: Reason) -> None:
    """Section 3: a 401 always has one; section 3.1: no error code where no token was presented."""
    challenge = challenge_for(reason)

    if reason in BARE:
        assert challenge == 'Bearer realm="gateway"'
    elif REASONS[reason].status == 401:
        assert challenge == 'Bearer realm="gateway", error="invalid_token"'
    elif reason is Reason.SCOPE_MISSING:
        assert challenge == 'Bearer realm="gateway", error="insufficient_scope"'
    else:
        assert challenge is None


@pytest.mark.parametrize("reason", Reason)
def test_a_challenge_is_one_line_of_the_grammar(reason: Reason) -> None:
    """RFC 9110 section 11.3: scheme, then parameters; nothing of the request stands in it."""
    challenge = challenge_for(reason) or "Bearer x=y"

    assert challenge.startswith("Bearer ")
    assert challenge.isascii()
    assert challenge.isprintable()
