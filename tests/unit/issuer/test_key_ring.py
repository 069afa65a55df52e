"""Which key signs, which verify, which are published."""

from gateway.issuer.key_ring import KeyRing, ring_of
from gateway.issuer.keys import private_pem
from gateway.store.keys import KeyState, StoredKey
from tests.unit.issuer.fakes import NOW_S, key_for


def _stored(algorithm: str, state: KeyState) -> StoredKey:
    key = key_for(algorithm)
    return StoredKey(
        kid=key.kid,
        algorithm=algorithm,
        private_pem=private_pem(key),
        state=state,
        created_at_s=NOW_S,
    )


def test_the_current_key_of_the_algorithm_signs() -> None:
    """Keys of other algorithms, and those that wait or retire, verify and are published."""
    stored = [
        _stored("EdDSA", KeyState.CURRENT),
        _stored("ES384", KeyState.NEXT),
        _stored("ES256", KeyState.CURRENT),
        _stored("RS256", KeyState.RETIRING),
    ]
    ring = ring_of(stored, "ES256")

    assert ring is not None
    assert ring.signing.kid == key_for("ES256").kid
    kids = [ring.signing.kid, *(key_for(name).kid for name in ("EdDSA", "ES384", "RS256"))]
    assert [key.kid for key in ring.verification_keys()] == kids
    assert [jwk["kid"] for jwk in ring.public_jwks()] == kids


def test_without_a_key_that_signs_there_is_no_ring() -> None:
    """A key that waits does not sign."""
    assert ring_of([], "ES256") is None
    assert ring_of([_stored("ES256", KeyState.NEXT)], "ES256") is None


def test_a_secret_is_not_published() -> None:
    """THREATS JWKS-09: HS* has no public half."""
    ring = KeyRing(key_for("HS256"))

    assert ring.public_jwks() == []
    assert [key.kid for key in ring.verification_keys()] == [key_for("HS256").kid]
