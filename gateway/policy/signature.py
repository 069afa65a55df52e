"""The signature of a JWS, and nothing else of it: the one place of the policy that knows PyJWT.

PyJWT is trusted with the mathematics only. Which algorithm a key may be used with was fixed when
the key was configured, so that a header cannot talk a public key into being an HMAC secret.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from jwt.algorithms import get_default_algorithms
from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

ALGORITHMS: Final = (
    "ES256", "ES384", "RS256", "PS256", "EdDSA", "HS256", "HS384", "HS512",
)  # fmt: skip

# > A key of the same size as the hash output [...] or larger MUST be used.  -- RFC 7518 section 3.2
MIN_SECRET_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}


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
    _prepared: Any = field(init=False, repr=False)
    _jws: PyJWS = field(init=False, repr=False)

    def __post_init__(self) -> None:
        algorithm = get_default_algorithms()[self.algorithm]
        object.__setattr__(self, "_prepared", algorithm.prepare_key(self.material))
        object.__setattr__(self, "_jws", PyJWS(algorithms=[self.algorithm]))

    def verifies(self, token: str) -> bool:
        """Whether the signature of *token*, which has been shape-checked, is of this key."""
        try:
            self._jws.decode_complete(token, self._prepared, algorithms=[self.algorithm])
        except (PyJWTError, ValueError, TypeError):  # 2.15 lets TypeError out for some key objects
            return False
        return True
