"""The tokens that the benchmark presents: one good, and one of each kind that must be refused.

The claims and the type are those that ``/authenticate`` would put into an access token.
"""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

import jwt

ISSUER: Final = "http://gateway.bench"
AUDIENCE: Final = "gateway"
LIFETIME_S: Final = 24 * 3600  # longer than any run

SUBJECT: Final = "7d3c2c1e-5d0a-4c6b-9b1f-2f6f0a4f8c11"
USERNAME: Final = "aymen"
ROLE: Final = "customer"  # only one: HAProxy 2.6 cannot read a list out of JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """What a token is signed with."""

    algorithm: str
    key: Any = field(repr=False)  # whatever PyJWT takes for the algorithm


def mint(signer: Signer, now_s: float | None = None, **changed: object) -> str:
    """Return an access token that is valid from *now_s* on, but for the *changed* claims."""
    issued_at = int(time.time() if now_s is None else now_s)
    claims = {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": AUDIENCE,
        "exp": issued_at + LIFETIME_S,
        "iat": issued_at,
        "nbf": issued_at,
        "jti": uuid.uuid4().hex,
        "sid": uuid.uuid4().hex,
        "username": USERNAME,
        "roles": [ROLE],
        "scope": "products:read products:write",
    }
    return jwt.encode(
        claims | changed, signer.key, algorithm=signer.algorithm, headers={"typ": "at+jwt"}
    )


def mint_refused(signer: Signer) -> dict[str, str]:
    """Return tokens that no gateway may let through, by what is wrong with them."""
    hour_ago = int(time.time()) - 3600
    stranger = Signer(algorithm=signer.algorithm, key="not-the-secret-of-this-benchmark")
    head, payload, signature = mint(signer).split(".")
    return {
        "expired": mint(signer, iat=hour_ago - 60, nbf=hour_ago - 60, exp=hour_ago),
        "forged": mint(stranger),
        "foreign issuer": mint(signer, iss="http://somewhere.else"),
        "unsigned": mint(Signer(algorithm="none", key=None)),
        "payload changed": f"{head}.{payload[:-4]}AAAA.{signature}",
    }
