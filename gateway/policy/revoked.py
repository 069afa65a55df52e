"""Whether a verified token has been revoked: what the policy asks, and by which claims.

The rule to keep in mind: a session and a subject are ours. Another issuer's ``alice`` is another
person, and logging our Alice out ends nothing of hers; a ``jti`` names one token, whoever made it.
"""

from typing import Protocol

from gateway.policy.claims import Claims
from gateway.policy.tokens import Issuer


class RevocableToken(Protocol):
    """What is needed of a ``VerifiedToken``."""

    checked_epoch: int  # of the revocations when it was last found good; -1 before the first time

    @property
    def claims(self) -> Claims:
        """The verified claims."""
        ...

    @property
    def issuer(self) -> Issuer:
        """Who made the token."""
        ...


class Revocations(Protocol):
    """What a worker knows of revocations; asked once per request, and never waits for anything."""

    def is_stale(self, now_s: float) -> bool:
        """Whether it has heard nothing for too long: nothing may be let in on what it knows."""
        ...

    def is_revoked(self, token: RevocableToken, now_s: float) -> bool:
        """Whether the token counts no more, though its signature and its times are good."""
        ...


class NoRevocations:
    """Knows of no revocation, and is content with that: for commands and tests, never for serving.

    Whoever answers real requests by it has no logout.
    """

    __slots__ = ()

    def is_stale(self, now_s: float) -> bool:  # noqa: ARG002 (the protocol's)
        """Never."""
        return False

    def is_revoked(self, token: RevocableToken, now_s: float) -> bool:  # noqa: ARG002
        """Never."""
        return False


def revocable_claims(token: RevocableToken) -> list[tuple[str, str]]:
    """Return the claims, each with its value, that a revocation of *token* can name."""
    claims = token.claims
    names = ("jti", "sid", "sub") if token.issuer.own else ("jti",)
    return [(name, value) for name in names if isinstance(value := claims.get(name), str)]
