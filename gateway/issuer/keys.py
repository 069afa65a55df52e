"""The key that signs our tokens: read or made, bound to one algorithm, kept to its owner.

The rule to keep in mind: private material leaves a ``SigningKey`` only into a signature
(``issuer.mint``). What others see is the key id and, of asymmetric keys, the public half.

Sources: RFC 7517 (JWK), RFC 7518 section 6 (its members), RFC 7638 (thumbprints), RFC 8037
(Ed25519).
"""

import hashlib
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Final, TypeAlias, assert_never

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurve,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    generate_private_key as generate_rsa_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from gateway.policy.signature import MIN_SECRET_BYTES, VerificationKey

PrivateKey: TypeAlias = EllipticCurvePrivateKey | RSAPrivateKey | Ed25519PrivateKey

MIN_RSA_BITS: Final = 2048  # RFC 7518 sections 3.3 and 3.5
NEW_RSA_BITS: Final = 3072  # NIST SP 800-57 part 1: 128 bits of security, as P-256 and Ed25519 have
_RSA_EXPONENT: Final = 65537

_CURVES: Final[dict[str, type[EllipticCurve]]] = {"ES256": SECP256R1, "ES384": SECP384R1}
_CURVE_NAMES: Final = {"secp256r1": "P-256", "secp384r1": "P-384"}  # RFC 7518 section 6.2.1.1
_RSA_ALGORITHMS: Final = frozenset(("RS256", "PS256"))
_KINDS: Final = {
    "ES256": "an EC key on P-256",
    "ES384": "an EC key on P-384",
    "RS256": f"an RSA key of {MIN_RSA_BITS} bits or more",
    "PS256": f"an RSA key of {MIN_RSA_BITS} bits or more",
    "EdDSA": "an Ed25519 key",
}

# What a key in PEM or in OpenSSH's form begins with. Such a "secret" is one half of a pair, whose
# other half may be public; PyJWT refuses it too, but only once it is used.
_KEY_TEXTS: Final = (b"-----BEGIN ", b"ssh-", b"ecdsa-sha2-")

# Not a plain digest of the secret: whoever keeps such digests for other ends learns nothing.
_SECRET_KID_DOMAIN: Final = b"gateway: key id of an HMAC secret, version 1\0"


class UnfitKeyError(ValueError):
    """Key material that cannot sign with the algorithm; says what is wrong and what to do about it.

    The caller knows where the material came from and adds the place.
    """

    def __init__(self, fault: str, cure: str) -> None:
        super().__init__(fault, cure)
        self.fault = fault
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.fault}; {self.cure}"


@dataclass(frozen=True, slots=True, eq=False)
class SigningKey:
    """One key, bound to the one algorithm that it signs with.

    Made by ``parse_signing_key``, ``secret_key`` and ``make_signing_key``, which check that the
    material fits the algorithm.
    """

    kid: str
    algorithm: str  # one of ``gateway.policy.signature.ALGORITHMS``
    private: PrivateKey | bytes = field(repr=False)  # bytes: the secret of HS*

    def verification_key(self) -> VerificationKey:
        """Return the half that verifies; with HS* it is the secret itself."""
        if isinstance(self.private, bytes):
            material = self.private
        else:
            public = self.private.public_key()
            material = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return VerificationKey(self.kid, self.algorithm, material)

    def public_jwk(self) -> dict[str, str] | None:
        """Return the public key as a JWK; None for HS*, which has no public half."""
        if isinstance(self.private, bytes):
            return None
        members = _public_members(self.private)
        return {**members, "kid": self.kid, "use": "sig", "alg": self.algorithm}


def secret_key(algorithm: str, secret: bytes) -> SigningKey:
    """Return the key of an HS* algorithm.

    Its key id is a digest, cut to 128 bits. That helps nobody to guess the secret: every token that
    it has signed allows the same guesses.

    Raises:
        UnfitKeyError: The secret is shorter than the algorithm asks for, or is a key of another
            kind; or the algorithm takes none.
    """
    needed = MIN_SECRET_BYTES.get(algorithm)
    if needed is None:
        raise UnfitKeyError(f"{algorithm} does not sign with a secret", "use HS256, HS384 or HS512")
    if len(secret) < needed:
        raise UnfitKeyError(
            f"the secret has {len(secret)} bytes; {algorithm} needs {needed} or more",
            f"make one with `openssl rand -hex {needed}`",
        )
    if secret.startswith(_KEY_TEXTS) or _KEY_TEXTS[0] in secret:
        raise UnfitKeyError(
            f"the secret is a key of another kind than {algorithm} signs with",
            f"make a secret with `openssl rand -hex {needed}`, or choose the key's own algorithm",
        )
    digest = hashlib.sha256(_SECRET_KID_DOMAIN + algorithm.encode("ascii") + b"\0" + secret)
    return SigningKey(_base64url(digest.digest()[:16]), algorithm, secret)


def parse_signing_key(algorithm: str, pem: bytes) -> SigningKey:
    """Read an unencrypted private key in PEM (PKCS #8, or the older forms of RSA and EC).

    Raises:
        UnfitKeyError: It is not one, or not of the kind, curve and size that *algorithm* takes.
    """
    kind = _kind(algorithm)
    if not pem.strip():
        raise UnfitKeyError("there is no key in it", f"give {kind} in PEM")
    try:
        private = load_pem_private_key(pem, password=None)
    except TypeError:
        raise UnfitKeyError(
            "the key is encrypted", "store it without a passphrase, readable to the gateway alone"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise UnfitKeyError("this is no private key in PEM", f"give {kind} in PEM") from None
    if not isinstance(private, PrivateKey) or not _fits(algorithm, private):
        raise UnfitKeyError(f"the key is not one that {algorithm} signs with", f"give {kind}")
    return _signing_key(algorithm, private)


def make_signing_key(algorithm: str) -> SigningKey:
    """Make a new asymmetric key; RSA takes some tenths of a second.

    Raises:
        UnfitKeyError: The algorithm signs with a secret, which is not ours to make.
    """
    _kind(algorithm)
    private: PrivateKey
    if algorithm in _CURVES:
        private = generate_private_key(_CURVES[algorithm]())
    elif algorithm in _RSA_ALGORITHMS:
        private = generate_rsa_private_key(_RSA_EXPONENT, NEW_RSA_BITS)
    else:
        private = Ed25519PrivateKey.generate()
    return _signing_key(algorithm, private)


def private_pem(key: SigningKey) -> bytes:
    """Return an asymmetric key in PKCS #8 PEM, unencrypted, as ``parse_signing_key`` reads it."""
    if isinstance(key.private, bytes):
        raise TypeError("a secret has no PEM")
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _kind(algorithm: str) -> str:
    try:
        return _KINDS[algorithm]
    except KeyError:
        raise UnfitKeyError(
            f"{algorithm} does not sign with a private key", f"use one of {', '.join(_KINDS)}"
        ) from None


def _fits(algorithm: str, private: PrivateKey) -> bool:
    match private:
        case EllipticCurvePrivateKey():
            curve = _CURVES.get(algorithm)
            return curve is not None and isinstance(private.curve, curve)
        case RSAPrivateKey():
            return algorithm in _RSA_ALGORITHMS and private.key_size >= MIN_RSA_BITS
        case Ed25519PrivateKey():
            return algorithm == "EdDSA"
        case _:
            assert_never(private)


def _signing_key(algorithm: str, private: PrivateKey) -> SigningKey:
    return SigningKey(thumbprint(_public_members(private)), algorithm, private)


def _public_members(private: PrivateKey) -> dict[str, str]:
    """Return the members of the public JWK that RFC 7638 section 3.2 requires, and no other."""
    match private:
        case EllipticCurvePrivateKey():
            point = private.public_key().public_numbers()
            # > The length of this octet string MUST be the full size of a coordinate
            #   -- RFC 7518 section 6.2.1.2
            size = (private.key_size + 7) // 8
            return {
                "kty": "EC",
                "crv": _CURVE_NAMES[private.curve.name],
                "x": _base64url(point.x.to_bytes(size, "big")),
                "y": _base64url(point.y.to_bytes(size, "big")),
            }
        case RSAPrivateKey():
            numbers = private.public_key().public_numbers()
            return {"kty": "RSA", "n": _base64url_uint(numbers.n), "e": _base64url_uint(numbers.e)}
        case Ed25519PrivateKey():
            raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            return {"kty": "OKP", "crv": "Ed25519", "x": _base64url(raw)}
        case _:
            assert_never(private)


def thumbprint(members: dict[str, str]) -> str:
    """RFC 7638 section 3: the required members, sorted, without white space, through SHA-256."""
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(text.encode("ascii")).digest())


def _base64url_uint(number: int) -> str:
    """RFC 7518 section 2, Base64urlUInt: big-endian, as few octets as will do."""
    return _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
