"""A signing key fits its algorithm, tells its id and its public half, and nothing else."""

import hashlib
import json
from base64 import urlsafe_b64decode
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from jwt.algorithms import get_default_algorithms

from gateway.issuer.keys import (
    NEW_RSA_BITS,
    UnfitKeyError,
    _public_members,
    make_signing_key,
    parse_signing_key,
    private_pem,
    secret_key,
    thumbprint,
)
from gateway.policy.signature import ALGORITHMS
from tests.unit.issuer.fakes import SECRET, key_for, rsa_pem

ASYMMETRIC: Final = [name for name in ALGORITHMS if not name.startswith("HS")]
SYMMETRIC: Final = [name for name in ALGORITHMS if name.startswith("HS")]


def pem_of(key: PrivateKeyTypes) -> bytes:
    """Return a key as PKCS #8 PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


EC_P256: Final = pem_of(ec.derive_private_key(7, ec.SECP256R1()))
EC_P384: Final = pem_of(ec.derive_private_key(7, ec.SECP384R1()))
ED25519: Final = pem_of(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)))
ED448: Final = pem_of(ed448.Ed448PrivateKey.from_private_bytes(bytes(57)))
ENCRYPTED: Final = ec.derive_private_key(7, ec.SECP256R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
)
PUBLIC: Final = (
    ec.derive_private_key(7, ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
)

# RFC 7638 section 3.1
RFC_7638_KEY: Final = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
    "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Qvz"
    "qY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu"
    "0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
}
# RFC 8037 appendix A.1
RFC_8037_SECRET: Final = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="


def test_thethumbprint_of_rfc_7638() -> None:
    """RFC 7638 section 3.1, whatever the order of the members."""
    members = dict(reversed(RFC_7638_KEY.items()))

    assert thumbprint(members) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_key_of_rfc_8037() -> None:
    """RFC 8037 appendixes A.2 and A.3: an Ed25519 key's public JWK and thumbprint."""
    private = ed25519.Ed25519PrivateKey.from_private_bytes(urlsafe_b64decode(RFC_8037_SECRET))

    key = parse_signing_key("EdDSA", pem_of(private))

    assert key.public_jwk() == {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        "use": "sig",
        "alg": "EdDSA",
    }


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_a_public_jwk_is_what_others_make_of_the_key(algorithm: str) -> None:
    """THREATS JWKS-09: PyJWT's public members for the same key, and no private one."""
    key = key_for(algorithm)
    theirs: dict[str, Any] = json.loads(
        get_default_algorithms()[algorithm].to_jwk(
            load_pem_private_key(private_pem(key), None).public_key()
        )
    )
    theirs.pop("key_ops", None)

    jwk = key.public_jwk()

    assert jwk == {**theirs, "kid": key.kid, "use": "sig", "alg": algorithm}


def test_a_coordinate_keeps_its_leading_zeros() -> None:
    """RFC 7518 section 6.2.1.2: a coordinate has the full size of the field, whatever its value."""
    keys = (ec.derive_private_key(number, ec.SECP256R1()) for number in range(1, 10_000))
    short = next(k for k in keys if k.public_key().public_numbers().x < 2**248)

    assert len(_public_members(short)["x"]) == 43


@pytest.mark.parametrize("algorithm", SYMMETRIC)
def test_a_secret_has_no_public_half(algorithm: str) -> None:
    """A secret is never published; its key id depends on it, and is no plain digest of it."""
    key = secret_key(algorithm, SECRET)

    assert key.public_jwk() is None
    assert key.kid == secret_key(algorithm, SECRET).kid
    assert key.kid != secret_key(algorithm, SECRET[::-1]).kid
    assert len({secret_key(name, SECRET).kid for name in SYMMETRIC}) == len(SYMMETRIC)
    digest = urlsafe_b64decode(key.kid + "==")
    assert digest not in hashlib.sha256(SECRET).digest() + hashlib.sha512(SECRET).digest()


@pytest.mark.parametrize(
    ("algorithm", "size", "taken"),
    [
        pytest.param("HS256", 31, False, id="HS256-short"),
        pytest.param("HS256", 32, True, id="HS256"),
        pytest.param("HS384", 47, False, id="HS384-short"),
        pytest.param("HS384", 48, True, id="HS384"),
        pytest.param("HS512", 63, False, id="HS512-short"),
        pytest.param("HS512", 64, True, id="HS512"),
        pytest.param("HS256", 0, False, id="none"),
        pytest.param("ES256", 64, False, id="not-a-secret-algorithm"),
    ],
)
def test_a_secret_is_as_long_as_the_hash(algorithm: str, size: int, *, taken: bool) -> None:
    """RFC 7518 section 3.2, THREATS JWT-07: a shorter secret is refused, and not quoted."""
    secret = b"z" * size
    if taken:
        assert secret_key(algorithm, secret).algorithm == algorithm
        return
    with pytest.raises(UnfitKeyError) as caught:
        secret_key(algorithm, secret)
    assert "zz" not in str(caught.value)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(PUBLIC, id="public-pem"),
        pytest.param(b"\n  " + PUBLIC, id="pem-after-white-space"),
        pytest.param(rsa_pem(2048), id="private-pem"),
        pytest.param(b"ssh-ed25519 " + b"A" * 68, id="ssh"),
        pytest.param(b"ecdsa-sha2-nistp256 " + b"A" * 68, id="ssh-ecdsa"),
    ],
)
def test_a_key_pair_is_no_secret(secret: bytes) -> None:
    """THREATS JWT-03, JWT-04: a public key as HMAC secret lets everybody sign."""
    with pytest.raises(UnfitKeyError, match="another kind"):
        secret_key("HS256", secret)


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_a_key_is_the_same_after_writing_and_reading(algorithm: str) -> None:
    """The id is the public key's, so that it survives the file."""
    key = key_for(algorithm)

    assert parse_signing_key(algorithm, private_pem(key)).kid == key.kid


def test_the_older_forms_of_pem_are_read() -> None:
    """What ``openssl ecparam -genkey`` and ``openssl rsa -traditional`` write is a key too."""
    rsa = load_pem_private_key(rsa_pem(2048), None)
    old = rsa.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    assert parse_signing_key("RS256", old).kid == key_for("RS256").kid


@pytest.mark.parametrize(
    ("algorithm", "pem", "told"),
    [
        pytest.param("ES256", EC_P384, "P-256", id="ES256-other-curve"),
        pytest.param("ES384", EC_P256, "P-384", id="ES384-other-curve"),
        pytest.param("ES256", ED25519, "P-256", id="ES256-ed25519"),
        pytest.param("EdDSA", EC_P256, "Ed25519", id="EdDSA-ec"),
        pytest.param("EdDSA", ED448, "Ed25519", id="EdDSA-ed448"),
        pytest.param("RS256", EC_P256, "RSA", id="RS256-ec"),
        pytest.param("ES256", rsa_pem(2048), "P-256", id="ES256-rsa"),
        pytest.param("RS256", rsa_pem(1024), "2048", id="RS256-weak"),
        pytest.param("PS256", rsa_pem(1024), "2048", id="PS256-weak"),
        pytest.param("ES256", ENCRYPTED, "encrypted", id="encrypted"),
        pytest.param("ES256", PUBLIC, "no private key", id="public-key"),
        pytest.param("ES256", b"", "no key", id="empty"),
        pytest.param("ES256", b" \n", "no key", id="blank"),
        pytest.param("ES256", b"canary", "no private key", id="garbage"),
        pytest.param("ES256", EC_P256[:90], "no private key", id="cut-off"),
        pytest.param("HS256", EC_P256, "HS256", id="symmetric"),
        pytest.param("none", EC_P256, "none", id="none"),
    ],
)
def test_a_key_that_does_not_fit_its_algorithm_is_refused(
    algorithm: str, pem: bytes, told: str
) -> None:
    """THREATS JWT-32: type, curve and size are bound to the algorithm; the cure is told."""
    with pytest.raises(UnfitKeyError) as caught:
        parse_signing_key(algorithm, pem)
    assert told in str(caught.value)
    assert "canary" not in str(caught.value)
    assert caught.value.cure


def test_a_new_rsa_key_has_3072_bits() -> None:
    """NIST SP 800-57: as strong as the curves are."""
    jwk = make_signing_key("PS256").public_jwk()

    assert jwk is not None
    assert len(urlsafe_b64decode(jwk["n"] + "=")) * 8 == NEW_RSA_BITS == 3072


@pytest.mark.parametrize("algorithm", [*SYMMETRIC, "none"])
def test_no_secret_is_made_up(algorithm: str) -> None:
    """A secret is shared with others, so that only the operator can choose it."""
    with pytest.raises(UnfitKeyError):
        make_signing_key(algorithm)


def test_a_secret_has_no_file_form() -> None:
    """Writing a secret as PEM is our own mistake."""
    with pytest.raises(TypeError):
        private_pem(key_for("HS256"))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_does_not_print_itself(algorithm: str) -> None:
    """THREATS OPS-19: the id and the algorithm are all that a repr shows."""
    key = key_for(algorithm)

    assert repr(key) == f"SigningKey(kid={key.kid!r}, algorithm={algorithm!r})"
    assert "material" not in repr(key.verification_key())
