"""From another issuer's JWK Set to the keys that verify its tokens.

The rule to keep in mind: one key that cannot be used is passed over and told of; it never takes the
others with it. A set without a single usable key is no set: whoever reads it keeps what there was.

Two different keys under one id and algorithm are both passed over: nothing says which is meant.

Sources: RFC 7517 (JWK, JWK Set), RFC 7518 section 6 (members), RFC 8037 (Ed25519), RFC 8725
section 3.5 (weak keys).
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurve,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.errors import CredentialError
from gateway.issuer.keys import MIN_RSA_BITS, thumbprint
from gateway.policy.signature import VerificationKey
from gateway.policy.tokens import parse_json_object

MAX_SET_BYTES: Final = 256 * 1024  # THREATS.md JWKS-03; the largest known ones have some 20 KiB
MAX_SET_KEYS: Final = 100
MAX_RSA_BITS: Final = 8192  # larger ones cost milliseconds per signature
_MAX_RSA_EXPONENT: Final = 2**32 - 1  # 65537 is what all use; large ones cost time too
_MAX_KID_CHARS: Final = 1024

# RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1: who publishes one of these has published the secret.
_PRIVATE_MEMBERS: Final = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))
_CURVES: Final[dict[str, tuple[EllipticCurve, str]]] = {
    "P-256": (SECP256R1(), "ES256"),
    "P-384": (SECP384R1(), "ES384"),
}
_RSA_ALGORITHMS: Final = ("RS256", "PS256")
_ED25519_BYTES: Final = 32

_PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
_Jwk: TypeAlias = Mapping[str, Any]


class UnfitKeySetError(ValueError):
    """What was read is no JWK Set that can be used; says why in a few fixed words."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of a set that can be used, and what was wrong with the others."""

    keys: tuple[VerificationKey, ...]  # at least one
    ignored: tuple[str, ...] = ()  # a sentence for each: ``key 2: ...``, with nothing from outside


class _UnfitKeyError(Exception):
    """This key is passed over."""


def parse_key_set(data: bytes, algorithms: frozenset[str]) -> KeySet:
    """Read a JWK Set.

    Args:
        data: JSON; read as strictly as a token.
        algorithms: Those that the issuer may sign with. A key that does not name its own verifies
            each of these that it is fit for.

    Raises:
        UnfitKeySetError: It is none, is too large, or has no usable key.
    """
    entries = _parse_entries(data)
    found: dict[tuple[str, str], VerificationKey] = {}
    ignored: list[str] = []
    twice: set[tuple[str, str]] = set()
    for number, entry in enumerate(entries, start=1):
        try:
            keys = _parse_key(entry, algorithms)
        except _UnfitKeyError as error:
            ignored.append(f"key {number}: {error}")
            continue
        for key in keys:
            name = (key.kid, key.algorithm)
            if found.setdefault(name, key).material != key.material:
                twice.add(name)
                ignored.append(f"key {number}: another key has its id; neither is used")
    usable = tuple(key for name, key in found.items() if name not in twice)
    if not usable:
        raise UnfitKeySetError(f"none of its {len(entries)} keys can be used")
    return KeySet(usable, tuple(ignored))


def _parse_entries(data: bytes) -> list[Any]:
    if len(data) > MAX_SET_BYTES:
        raise UnfitKeySetError(f"it is larger than {MAX_SET_BYTES // 1024} KiB")
    try:
        entries = parse_json_object(data).get("keys")
    except CredentialError:
        raise UnfitKeySetError("it is not one JSON object") from None
    if not isinstance(entries, list):
        raise UnfitKeySetError("it has no list of keys")
    if not entries:
        raise UnfitKeySetError("it is empty")
    if len(entries) > MAX_SET_KEYS:
        raise UnfitKeySetError(f"it has more than {MAX_SET_KEYS} keys")
    return entries


def _parse_key(entry: object, algorithms: frozenset[str]) -> list[VerificationKey]:
    """Return a key once for each algorithm that it verifies."""
    if not isinstance(entry, dict):
        raise _UnfitKeyError("it is not an object")
    _check_purpose(entry)
    try:
        public, fitting, members = _parse_material(entry)
    except (ValueError, UnsupportedAlgorithm):  # a point that is not on the curve, say
        raise _UnfitKeyError("its members are no public key") from None
    named = entry.get("alg")
    if named is not None and named not in fitting:
        raise _UnfitKeyError("it names an algorithm that it is not fit for, or none we know")
    wanted = [each for each in fitting if each in algorithms and named in (None, each)]
    if not wanted:
        raise _UnfitKeyError("it is for an algorithm that the issuer is not configured with")
    kid = entry.get("kid", thumbprint(members))
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID_CHARS:
        raise _UnfitKeyError("its id is not a short text")
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return [VerificationKey(kid, algorithm, pem) for algorithm in wanted]


def _check_purpose(entry: _Jwk) -> None:
    # > The "use" parameter identifies the intended use of the public key.  -- RFC 7517 section 4.2
    if entry.get("use", "sig") != "sig":
        raise _UnfitKeyError("its use is not sig")
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise _UnfitKeyError("its key_ops do not have verify")
    if entry.get("kty") == "oct":
        raise _UnfitKeyError("it is a secret")
    if not _PRIVATE_MEMBERS.isdisjoint(entry):
        raise _UnfitKeyError("its private half is published with it")


def _parse_material(entry: _Jwk) -> tuple[_PublicKey, tuple[str, ...], dict[str, str]]:
    """Return the key, the algorithms that it is fit for, and the members that identify it."""
    match entry.get("kty"):
        case "RSA":
            return _parse_rsa(entry), _RSA_ALGORITHMS, _members(entry, "kty", "n", "e")
        case "EC":
            key, algorithm = _parse_ec(entry)
            return key, (algorithm,), _members(entry, "kty", "crv", "x", "y")
        case "OKP":
            return _parse_okp(entry), ("EdDSA",), _members(entry, "kty", "crv", "x")
        case _:
            raise _UnfitKeyError("its kty is none we know")


def _parse_rsa(entry: _Jwk) -> RSAPublicKey:
    modulus, exponent = (int.from_bytes(_octets(entry, name), "big") for name in ("n", "e"))
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS or modulus % 2 == 0:
        raise _UnfitKeyError(f"its modulus is not odd and of {MIN_RSA_BITS} bits or more")
    if not 1 < exponent <= _MAX_RSA_EXPONENT or exponent % 2 == 0:
        raise _UnfitKeyError("its exponent is not an odd number above 1")
    return RSAPublicNumbers(exponent, modulus).public_key()


def _parse_ec(entry: _Jwk) -> tuple[EllipticCurvePublicKey, str]:
    name = entry.get("crv")
    if not isinstance(name, str) or name not in _CURVES:
        raise _UnfitKeyError("its curve is neither P-256 nor P-384")
    curve, algorithm = _CURVES[name]
    x, y = _octets(entry, "x"), _octets(entry, "y")
    # > The length of this octet string MUST be the full size of a coordinate
    #   -- RFC 7518 section 6.2.1.2
    if {len(x), len(y)} != {curve.key_size // 8}:
        raise _UnfitKeyError("its coordinates have not the size of its curve")
    numbers = EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve)
    return numbers.public_key(), algorithm


def _parse_okp(entry: _Jwk) -> Ed25519PublicKey:
    if entry.get("crv") != "Ed25519":
        raise _UnfitKeyError("its curve is not Ed25519")
    x = _octets(entry, "x")
    if len(x) != _ED25519_BYTES:
        raise _UnfitKeyError("its point has not the size of its curve")
    return Ed25519PublicKey.from_public_bytes(x)


def _members(entry: _Jwk, *names: str) -> dict[str, str]:
    return {name: entry[name] for name in names}


def _octets(entry: _Jwk, name: str) -> bytes:
    """Decode one base64url member; only the canonical spelling is taken (RFC 4648 section 3.5)."""
    text = entry.get(name)
    if not isinstance(text, str) or not text.isascii():
        raise _UnfitKeyError(f"its member {name} is not base64url")
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        data = b""
    if not data or urlsafe_b64encode(data).rstrip(b"=") != text.encode("ascii"):
        raise _UnfitKeyError(f"its member {name} is not base64url")
    return data
