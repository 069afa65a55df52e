"""The keys of one process: the one that signs, and all that verify and are published.

The rule to keep in mind: a ring never changes, it is replaced. What a request begins with, it ends
with.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.issuer.keys import SigningKey, parse_signing_key
from gateway.policy.signature import VerificationKey
from gateway.store.keys import KeyState, StoredKey


@dataclass(frozen=True, slots=True, eq=False)
class KeyRing:
    """One key that signs, and the others beside it."""

    signing: SigningKey
    others: tuple[SigningKey, ...] = ()  # they verify, or will sign one day

    @property
    def all(self) -> tuple[SigningKey, ...]:
        """Every key; the one that signs first."""
        return (self.signing, *self.others)

    def verification_keys(self) -> tuple[VerificationKey, ...]:
        """Return what verifies the gateway's own tokens."""
        return tuple(key.verification_key() for key in self.all)

    def public_jwks(self) -> list[dict[str, str]]:
        """Return the public keys as JWKs, those too that sign only later; none for HS*."""
        return [jwk for key in self.all if (jwk := key.public_jwk()) is not None]


def ring_of(stored: Iterable[StoredKey], algorithm: str) -> KeyRing | None:
    """Return the ring of what the store keeps; None where no key signs with *algorithm*.

    Keys of other algorithms verify too: what they have signed counts until it expires.

    Raises:
        UnfitKeyError: The store holds a key that is none.
    """
    signing: SigningKey | None = None
    others = []
    for kept in stored:
        key = parse_signing_key(kept.algorithm, kept.private_pem)
        if kept.state is KeyState.CURRENT and kept.algorithm == algorithm:
            signing = key
        else:
            others.append(key)
    return None if signing is None else KeyRing(signing, tuple(others))
