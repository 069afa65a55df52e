"""Another issuer of the gateway under test, and its tokens."""

import time
from typing import Any, Final

from tests.kit.tokens import SigningKey, mint

FOREIGN: Final = "https://login.test/"
PRODUCTS: Final = "products"  # its audience


def foreign_issuer(issuer: str = FOREIGN, **changes: Any) -> dict[str, Any]:
    """Return the issuer as the configuration has it; *changes* name where its keys are."""
    return {"issuer": issuer, "audience": PRODUCTS, "algorithms": ["RS256", "ES256"]} | changes


def foreign_token(key: SigningKey, *, kid: str = "", **claims: Any) -> str:
    """Return a token of the other issuer that counts now: sub alice, roles [user], no sid."""
    now_s = int(time.time())
    standard = {
        "iss": FOREIGN,
        "aud": PRODUCTS,
        "jti": "theirs",
        "iat": now_s - 60,
        "nbf": now_s - 60,
        "exp": now_s + 3600,
    }
    header = {"typ": "JWT", "kid": kid or key.kid}
    return mint(standard | claims, header, key=key).decode("ascii")
