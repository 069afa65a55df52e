"""The body of a refusal (RFC 9457); its challenge is in ``conformance/test_rfc6750_challenges``."""

import json

import pytest

from gateway.errors import REASONS, Reason
from gateway.policy.problem import challenge_for, problem_body


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_problem_document(reason: Reason) -> None:
    """DESIGN.md section 4: type, title, status, detail, reason and request_id."""
    problem = json.loads(problem_body(reason, "", "id-1"))

    assert problem == {
        "type": f"docs/decisions.md#{reason}",
        "title": problem["title"],
        "status": REASONS[reason].status,
        "detail": REASONS[reason].title,
        "reason": reason.value,
        "request_id": "id-1",
    }


def test_a_sentence_of_the_place_goes_before_that_of_the_table() -> None:
    """The detail says what the reason alone does not."""
    assert json.loads(problem_body(Reason.BAD_REQUEST, "No Host.", ""))["detail"] == "No Host."


def test_a_challenge_goes_with_401_and_a_missing_scope() -> None:
    """RFC 6750 section 3."""
    assert challenge_for(Reason.CREDENTIAL_MISSING) == 'Bearer realm="gateway"'
    assert challenge_for(Reason.REFRESH_REUSED) == 'Bearer realm="gateway"'
    assert challenge_for(Reason.TOKEN_EXPIRED) == 'Bearer realm="gateway", error="invalid_token"'
    assert challenge_for(Reason.ROLE_MISSING) is None
    assert challenge_for(Reason.SCOPE_MISSING) == (
        'Bearer realm="gateway", error="insufficient_scope"'
    )
