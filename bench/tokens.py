"""The tokens that the benchmark presents: one good, and one of each kind that must be refused.

The claims and the type are those that ``/authenticate`` would put into an access token.
"""

import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

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

    @property
    def is_shared(self) -> bool:
        """Whether who verifies has the key that signs."""
        return self.algorithm.startswith("HS")

    def describe(self, folder: Path) -> dict[str, object]:
        """Write the keys to files in *folder*; return what templates say of them.

        ``key_file`` has what verifies: the secret itself, or a public key as PEM.
        """
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        private, public = folder / "private.pem", folder / "verify.key"
        if self.is_shared:
            public.write_text(self.key, "utf-8")
            jwk = algorithm.to_jwk(self.key.encode(), as_dict=True)
        else:
            public_key = self.key.public_key()
            spki = PublicFormat.SubjectPublicKeyInfo
            public.write_bytes(public_key.public_bytes(Encoding.PEM, spki))
            private.touch(0o600)
            private.write_bytes(
                self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            )
            jwk = algorithm.to_jwk(public_key, as_dict=True)
        jwk.pop("key_ops", None)
        return {
            "algorithm": self.algorithm,
            "key_file": public,
            "key": self.key if self.is_shared else public,  # as HAProxy takes it
            "gateway_key": f"secret: {self.key}"
            if self.is_shared
            else f"signing_key: ${{file:{private}}}",
            "jwks": json.dumps({"keys": [jwk | {"alg": self.algorithm}]}),
        }


def make_signer(algorithm: str) -> Signer:
    """Make a new key for HS256, RS256 or ES256."""
    if algorithm == "HS256":
        return Signer(algorithm=algorithm, key=secrets.token_hex(32))
    if algorithm == "RS256":
        return Signer(algorithm=algorithm, key=rsa.generate_private_key(65537, 2048))
    return Signer(algorithm=algorithm, key=ec.generate_private_key(ec.SECP256R1()))


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
    stranger = make_signer(signer.algorithm)
    head, payload, signature = mint(signer).split(".")
    return {
        "expired": mint(signer, iat=hour_ago - 60, nbf=hour_ago - 60, exp=hour_ago),
        "forged": mint(stranger),
        "foreign issuer": mint(signer, iss="http://somewhere.else"),
        "unsigned": mint(Signer(algorithm="none", key=None)),
        "payload changed": f"{head}.{payload[:-4]}AAAA.{signature}",
    }
