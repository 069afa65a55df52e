"""Requirements: all that is named must hold."""

from typing import Any

import pytest

from gateway.errors import Reason
from gateway.policy.requirements import Requirement
from gateway.policy.tokens import VerifiedToken
from tests.kit.tokens import claims_of, issuer_of


def _refusal(requirement: Requirement, **claims: Any) -> Reason | None:
    return requirement.find_refusal(VerifiedToken(claims_of(**claims), issuer_of()))


ROLES = Requirement(roles=frozenset(("customer", "admin")))
SCOPES = Requirement(scopes=frozenset(("a", "b")))


@pytest.mark.parametrize(
    ("requirement", "claims", "reason"),
    [
        pytest.param(Requirement(), {}, None, id="nothing"),
        pytest.param(ROLES, {"roles": ["x", "admin"]}, None, id="one-role"),
        pytest.param(
            ROLES, {"roles": ["Admin", "customer,admin"]}, Reason.ROLE_MISSING, id="no-role"
        ),
        pytest.param(ROLES, {"roles": []}, Reason.ROLE_MISSING, id="no-roles"),
        pytest.param(SCOPES, {"scope": "c b a"}, None, id="all-scopes"),
        pytest.param(SCOPES, {"scope": "a"}, Reason.SCOPE_MISSING, id="one-scope"),
        pytest.param(
            Requirement(roles=frozenset("r"), scopes=frozenset("s")),
            {"roles": ["r"], "scope": ""},
            Reason.SCOPE_MISSING,
            id="both",
        ),
    ],
)
def test_roles_are_any_of_and_scopes_all_of(
    requirement: Requirement, claims: dict[str, Any], reason: Reason | None
) -> None:
    """DESIGN.md section 2, ``require``."""
    assert reason is _refusal(requirement, **claims)


@pytest.mark.parametrize(
    ("wanted", "plan", "holds"),
    [
        pytest.param(("pro", "free"), "free", True, id="one-of"),
        pytest.param(("pro",), "Pro", False, id="case"),
        pytest.param(("pro",), "a@pro", False, id="HDR-29-part"),
        pytest.param(("pro",), ["x", "pro"], True, id="list"),
        pytest.param(("pro",), None, False, id="null"),
        pytest.param((1,), True, False, id="true-is-not-1"),
        pytest.param((True,), 1, False, id="1-is-not-true"),
        pytest.param((1,), 1.0, False, id="1.0-is-not-1"),
        pytest.param((1,), "1", False, id="text-is-not-number"),
    ],
)
def test_a_claim_has_one_of_the_values_and_their_type(
    *, wanted: tuple[Any, ...], plan: Any, holds: bool
) -> None:
    """DESIGN.md section 2, ``require.claims``: by a path, any of the values."""
    requirement = Requirement(claims={"org.plan": wanted})

    assert holds is (_refusal(requirement, org={"plan": plan}) is None)
