"""THREATS.md A1, HDR-21 to HDR-27, at the level of the decision."""

import pytest

from gateway.policy.model import Respond
from tests.conformance.claims import CLAIM_CASES, ClaimCase
from tests.kit.policy import answer, bearer, head, reason_of, route, snapshot, values_of
from tests.kit.tokens import mint


@pytest.mark.parametrize("case", CLAIM_CASES, ids=lambda case: case.id)
def test_a_claim_becomes_one_value_or_refuses_the_request(case: ClaimCase) -> None:
    """DESIGN.md section 5: never raw, never cut, never another field."""
    spoof = f"{case.header}: spoofed".encode("ascii")
    decision = answer(snapshot(route("/p")), head("/p", spoof, bearer(mint(case.claims))))

    assert case.reason == reason_of(decision)
    if isinstance(decision, Respond):
        assert case.status == decision.status
    else:
        assert ([] if case.value is None else [case.value]) == values_of(decision, case.header)
        assert values_of(decision, "X-Role") == []
