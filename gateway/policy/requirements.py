"""What a route demands of the verified claims beyond their being verified."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import Reason
from gateway.policy.claims import find_claim
from gateway.policy.tokens import VerifiedToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """All that is named must hold."""

    roles: frozenset[str] = frozenset()  # any of
    scopes: frozenset[str] = frozenset()  # all of
    claims: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # path -> any of the values

    def find_refusal(self, token: VerifiedToken) -> Reason | None:
        """Return why the claims of *token* do not suffice, or None where they do."""
        if self.roles and self.roles.isdisjoint(token.roles):
            return Reason.ROLE_MISSING
        if self.scopes and not self.scopes <= token.scopes:
            return Reason.SCOPE_MISSING
        for path, wanted in self.claims.items():
            if not _is_any_of(find_claim(token.claims, path), wanted):
                return Reason.CLAIM_MISMATCH
        return None


def _is_any_of(value: object, wanted: tuple[Any, ...]) -> bool:
    held = value if isinstance(value, list) else [value]
    # True == 1 in Python, but not in a claim.
    return any(type(item) is type(want) and item == want for item in held for want in wanted)
