"""Mints tokens: valid ones, and broken ones down to the byte.

The signer is of our own writing on top of PyJWT's algorithms, so that a header, a payload or a
signature can be anything at all. Keys are made once per session, at first use.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from gateway.policy.signature import VerificationKey
from gateway.policy.tokens import Issuer

NOW_S: Final = 1_800_000_000  # the moment at which every decision of the tests is made
ISSUER: Final = "https://gateway.test"
AUDIENCE: Final = "gateway"
REMOVED: Final = object()  # as a claim's or member's value: the token goes without it

_CURVES: Final[dict[str, ec.EllipticCurve]] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1()}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key pair, or one secret."""

    kid: str
    algorithm: str
    private: Any = field(repr=False)
    public: bytes = field(repr=False)  # PEM; with HS* the secret itself

    def sign(self, data: bytes) -> bytes:
        """Return the signature of *data* as a JWS carries it, not yet encoded."""
        algorithm = get_default_algorithms()[self.algorithm]
        signature: bytes = algorithm.sign(data, self.private)
        return signature

    @property
    def verification(self) -> VerificationKey:
        """The other half of the key, as an issuer is configured with it."""
        return VerificationKey(self.kid, self.algorithm, self.public)


@cache
def signing_key(algorithm: str = "HS256", kid: str = "") -> SigningKey:
    """Return the session's key for an algorithm; each *kid* is a key of its own."""
    kid = kid or algorithm.lower()
    if algorithm.startswith("HS"):
        secret = f"{algorithm} {kid} ".encode("ascii").ljust(64, b"s")
        return SigningKey(kid, algorithm, secret, secret)
    private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
    if algorithm.startswith("ES"):
        private = ec.generate_private_key(_CURVES[algorithm])
    elif algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
    else:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return SigningKey(kid, algorithm, private, public)


def issuer_of(*algorithms: str, **settings: Any) -> Issuer:
    """Return the gateway's own issuer with one key per algorithm (HS256 if none is named)."""
    settings = {"name": ISSUER, "audiences": frozenset((AUDIENCE,)), **settings}
    keys = tuple(signing_key(algorithm).verification for algorithm in algorithms or ("HS256",))
    return Issuer(**{"keys": keys, **settings})


def claims_of(**changes: Any) -> dict[str, Any]:
    """Return the claims of a token that counts at ``NOW_S``, with *changes*."""
    return _changed(
        {
            "iss": ISSUER,
            "sub": "alice",
            "aud": AUDIENCE,
            "exp": NOW_S + 600,
            "iat": NOW_S - 60,
            "nbf": NOW_S - 60,
            "jti": "5f0c",
            "sid": "s-1",
            "username": "alice",
            "roles": ["user"],
            "scope": "products:read",
        },
        changes,
    )


def header_of(key: SigningKey, **changes: Any) -> dict[str, Any]:
    """Return the header of a token that *key* signs, with *changes*."""
    return _changed({"alg": key.algorithm, "typ": "at+jwt", "kid": key.kid}, changes)


def mint(
    claims: Mapping[str, Any] | None = None,
    header: Mapping[str, Any] | None = None,
    *,
    key: SigningKey | None = None,
) -> bytes:
    """Return a signed token; *claims* and *header* name what differs from a valid one."""
    key = key or signing_key()
    return assemble(
        encode_json(header_of(key, **(header or {}))),
        encode_json(claims_of(**(claims or {}))),
        key=key,
    )


def assemble(header: bytes, payload: bytes, *, key: SigningKey | None = None) -> bytes:
    """Return a properly signed token whose parts are these bytes, whatever they are."""
    signed = base64url(header) + b"." + base64url(payload)
    return signed + b"." + base64url((key or signing_key()).sign(signed))


def resigned(token: bytes, signature: bytes) -> bytes:
    """Return *token* with another signature, given before its encoding."""
    return token.rpartition(b".")[0] + b"." + base64url(signature)


def base64url(data: bytes) -> bytes:
    """Encode one part of a token (RFC 7515 section 2: no padding)."""
    return urlsafe_b64encode(data).rstrip(b"=")


def encode_json(value: object) -> bytes:
    """Return compact JSON; lone surrogates become escapes, as an issuer would send them."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _changed(members: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    members = {**members, **changes}
    return {name: value for name, value in members.items() if value is not REMOVED}
