"""The signature of a JWS, and nothing else of it: the one place of the policy that knows PyJWT.

PyJWT is trusted with keys and mathematics only. Its reading of a whole token judges once more what
``tokens`` has judged, and prepares the key anew: that was three quarters of what a new token cost.
Which algorithm a key may be used with was fixed when the key was configured, so that a header
cannot talk a public key into being an HMAC secret.
"""

import hmac
from dataclasses import dataclass, field
from typing import Any, Final

from jwt.algorithms import Algorithm, get_default_algorithms
from jwt.exceptions import PyJWTError

ALGORITHMS: Final = (
    "ES256", "ES384", "RS256", "PS256", "EdDSA", "HS256", "HS384", "HS512",
)  # fmt: skip

# > A key of the same size as the hash output [...] or larger MUST be used.  -- RFC 7518 section 3.2
MIN_SECRET_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}

_DIGESTS: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


@dataclass(frozen=True, slots=True, eq=False)
class VerificationKey:
    """One key, bound to the one algorithm that it verifies.

    Attributes:
        kid: The key id that tokens name it by.
        algorithm: One of ``ALGORITHMS``.
        material: A secret (HS*) or a public key in PEM.
    """

    kid: str
    algorithm: str
    material: bytes = field(repr=False)
    _algorithm: Algorithm = field(init=False, repr=False)
    _prepared: Any = field(init=False, repr=False)  # the secret itself, or a public key object

    def __post_init__(self) -> None:
        algorithm = get_default_algorithms()[self.algorithm]
        object.__setattr__(self, "_algorithm", algorithm)
        object.__setattr__(self, "_prepared", algorithm.prepare_key(self.material))

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Whether a signature is of this key.

        Args:
            algorithm: The one that the token's header names: none but the key's own will do.
            signed: The first two parts of the token and the dot between them.
            signature: The third part, decoded.
        """
        if algorithm != self.algorithm:
            return False
        digest = _DIGESTS.get(algorithm)
        if digest is not None:  # in one call into OpenSSL; PyJWT makes three objects on the way
            return hmac.compare_digest(hmac.digest(self._prepared, signed, digest), signature)
        try:
            return self._algorithm.verify(signed, self._prepared, signature)
        except (PyJWTError, ValueError, TypeError):  # 2.15 lets TypeError out for some key objects
            return False
