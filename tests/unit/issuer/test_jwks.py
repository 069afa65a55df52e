"""Which keys of another issuer's set are used (THREATS.md JWT-31, JWT-32, JWKS-05, JWKS-06)."""

import json
from base64 import urlsafe_b64encode
from typing import Any, Final

import pytest

from gateway.issuer.jwks import MAX_SET_BYTES, MAX_SET_KEYS, UnfitKeySetError, parse_key_set
from gateway.policy.tokens import TokenVerifier
from tests.kit.key_server import jwk_of, key_set
from tests.kit.tokens import NOW_S, issuer_of, mint, signing_key

ALL: Final = frozenset(("ES256", "ES384", "RS256", "PS256", "EdDSA"))
GOOD: Final = signing_key("ES256", kid="good")
REMOVED: Final = object()


def _b64(number: int, size: int = 0) -> str:
    data = number.to_bytes(size or max(1, (number.bit_length() + 7) // 8), "big")
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _jwk(algorithm: str, **changes: Any) -> dict[str, Any]:
    members = jwk_of(signing_key(algorithm, kid="k"), **changes)
    return {name: value for name, value in members.items() if value is not REMOVED}


@pytest.mark.parametrize("algorithm", sorted(ALL))
@pytest.mark.parametrize("named", [True, False], ids=["alg", "no-alg"])
def test_a_key_verifies_what_its_other_half_has_signed(algorithm: str, *, named: bool) -> None:
    """Of each kind, whether it says its algorithm or the configuration alone does."""
    key = signing_key(algorithm, kid="k")
    entry = jwk_of(key) if named else _jwk(algorithm, alg=REMOVED)
    found = parse_key_set(key_set(entry), frozenset((algorithm,)))
    verifier = TokenVerifier((issuer_of(keys=found.keys),))

    assert verifier.verify(mint(key=key), NOW_S).claims["sub"] == "alice"
    assert found.ignored == ()


def test_rfc_7517_appendix_a1() -> None:
    """The RFC's own example: an EC key for encryption, and an RSA key that says RS256."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_B"
        "JECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_F"
        "DW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4"
        "vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    data = {
        "keys": [
            {
                "kty": "EC",
                "crv": "P-256",
                "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
                "use": "enc",
                "kid": "1",
            },
            {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"},
        ]
    }
    found = parse_key_set(json.dumps(data).encode(), ALL)

    assert [(key.kid, key.algorithm) for key in found.keys] == [("2011-04-29", "RS256")]
    assert found.ignored == ("key 1: its use is not sig",)


def test_a_key_without_an_algorithm_takes_those_that_the_issuer_may_use() -> None:
    """And no other: the configuration is the list."""
    entry = _jwk("RS256", alg=REMOVED)
    both = parse_key_set(key_set(entry), frozenset(("RS256", "PS256", "ES256")))
    one = parse_key_set(key_set(entry), frozenset(("PS256",)))

    assert [(key.kid, key.algorithm) for key in both.keys] == [("k", "RS256"), ("k", "PS256")]
    assert [key.algorithm for key in one.keys] == ["PS256"]


def test_a_key_without_an_id_has_its_thumbprint() -> None:
    """RFC 7638, as our own keys have."""
    found = parse_key_set(key_set(_jwk("EdDSA", kid=REMOVED)), ALL)

    assert len(found.keys[0].kid) == 43


SMALL: Final = {"kty": "RSA", "e": "AQAB", "kid": "k"}
NO_KEY: Final = "its members are no public key"
UNFIT = [
    pytest.param(7, "it is not an object", id="number"),
    pytest.param(_jwk("ES256", use="enc"), "its use is not sig", id="use-enc"),
    pytest.param(_jwk("ES256", use=None), "its use is not sig", id="use-null"),
    pytest.param(
        _jwk("ES256", key_ops=["encrypt"]), "its key_ops do not have verify", id="key-ops-encrypt"
    ),
    pytest.param(_jwk("ES256", key_ops=[]), "its key_ops do not have verify", id="key-ops-none"),
    pytest.param(
        _jwk("ES256", key_ops="verify"), "its key_ops do not have verify", id="key-ops-text"
    ),
    pytest.param({"kty": "oct", "k": "c2VjcmV0", "kid": "k"}, "it is a secret", id="oct"),
    pytest.param(_jwk("ES256", d="AQ"), "its private half is published with it", id="private-ec"),
    pytest.param(_jwk("RS256", p="AQ"), "its private half is published with it", id="private-rsa"),
    pytest.param({"kty": "AKP", "kid": "k"}, "its kty is none we know", id="kty"),
    pytest.param({"kid": "k"}, "its kty is none we know", id="no-kty"),
    pytest.param({"kty": ["RSA"]}, "its kty is none we know", id="kty-list"),
    *(
        pytest.param(
            SMALL | {"n": _b64(2 ** (bits - 1) + 1)},
            "its modulus is not odd and of 2048 bits or more",
            id=f"rsa-{bits}",
        )
        for bits in (512, 1024, 2047, 8193)
    ),
    pytest.param(
        SMALL | {"n": _b64(2**2047)},
        "its modulus is not odd and of 2048 bits or more",
        id="rsa-even",
    ),
    *(
        pytest.param(
            _jwk("RS256", e=_b64(exponent)),
            "its exponent is not an odd number above 1",
            id=f"e-{exponent}",
        )
        for exponent in (0, 1, 2, 65536, 2**32 + 1)
    ),
    pytest.param(_jwk("RS256", n=REMOVED), "its member n is not base64url", id="no-n"),
    pytest.param(_jwk("RS256", e="AQAB="), "its member e is not base64url", id="padded"),
    pytest.param(_jwk("RS256", e="A"), "its member e is not base64url", id="one-character"),
    pytest.param(_jwk("RS256", e="AQ+B"), "its member e is not base64url", id="base64"),
    pytest.param(_jwk("RS256", e="AQAB\u00e9"), "its member e is not base64url", id="not-ascii"),
    pytest.param(_jwk("RS256", e=""), "its member e is not base64url", id="empty"),
    pytest.param(_jwk("RS256", e=65537), "its member e is not base64url", id="integer"),
    pytest.param(
        _jwk("ES256", crv="secp256k1"), "its curve is neither P-256 nor P-384", id="curve"
    ),
    pytest.param(_jwk("ES256", crv=[]), "its curve is neither P-256 nor P-384", id="curve-list"),
    pytest.param(
        _jwk("ES384", crv="P-256"),
        "its coordinates have not the size of its curve",
        id="coordinates-of-another-curve",
    ),
    pytest.param(_jwk("ES256", x=_b64(1, 32), y=_b64(1, 32)), NO_KEY, id="not-on-the-curve"),
    pytest.param(_jwk("ES256", x=_b64(0, 32), y=_b64(0, 32)), NO_KEY, id="infinity"),
    pytest.param(_jwk("EdDSA", crv="X25519"), "its curve is not Ed25519", id="x25519"),
    pytest.param(
        _jwk("EdDSA", x=_b64(1, 31)), "its point has not the size of its curve", id="short-point"
    ),
    *(
        pytest.param(
            _jwk(algorithm, alg=named),
            "it names an algorithm that it is not fit for, or none we know",
            id=f"{algorithm}-as-{named}",
        )
        for algorithm, named in (
            ("ES256", "ES384"),
            ("ES384", "ES256"),
            ("RS256", "ES256"),
            ("RS256", "HS256"),
            ("RS256", "RSA-OAEP"),
            ("RS256", "none"),
            ("EdDSA", 7),
        )
    ),
    pytest.param(_jwk("ES256", kid=7), "its id is not a short text", id="kid-number"),
    pytest.param(_jwk("ES256", kid=""), "its id is not a short text", id="kid-empty"),
    pytest.param(_jwk("ES256", kid="x" * 1025), "its id is not a short text", id="kid-long"),
    pytest.param(_jwk("ES256", kid=None), "its id is not a short text", id="kid-null"),
]


@pytest.mark.parametrize(("entry", "why"), UNFIT)
def test_a_key_that_cannot_be_used_is_passed_over(entry: Any, why: str) -> None:
    """JWT-31, JWT-32: it is told of, and the others of the set are used all the same."""
    found = parse_key_set(json.dumps({"keys": [entry, jwk_of(GOOD)]}).encode(), ALL)

    assert [key.kid for key in found.keys] == ["good"]
    assert found.ignored == (f"key 1: {why}",)


def test_a_key_for_an_algorithm_that_is_not_configured_is_passed_over() -> None:
    """The configuration says what the issuer signs with, and nobody else does."""
    found = parse_key_set(key_set(_jwk("RS256"), GOOD), frozenset(("ES256", "PS256")))

    assert [key.kid for key in found.keys] == ["good"]
    assert found.ignored == (
        "key 1: it is for an algorithm that the issuer is not configured with",
    )


def test_two_keys_of_one_id_are_both_passed_over() -> None:
    """JWKS-05: nothing says which of them is meant."""
    two = [jwk_of(signing_key("ES256", kid=name), kid="same") for name in ("one", "two")]
    found = parse_key_set(key_set(*two, GOOD), ALL)

    assert [key.kid for key in found.keys] == ["good"]
    assert found.ignored == ("key 2: another key has its id; neither is used",)


def test_one_key_twice_is_one_key() -> None:
    """And keys of two kinds may share an id (RFC 7517 section 4.5)."""
    found = parse_key_set(key_set(GOOD, GOOD, jwk_of(signing_key("EdDSA"), kid="good")), ALL)

    assert [(key.kid, key.algorithm) for key in found.keys] == [
        ("good", "ES256"),
        ("good", "EdDSA"),
    ]
    assert found.ignored == ()


SETS = [
    pytest.param(b"", "it is not one JSON object", id="nothing"),
    pytest.param(b"<html></html>", "it is not one JSON object", id="html"),
    pytest.param(b"[]", "it is not one JSON object", id="list"),
    pytest.param(b'{"keys": [], "keys": []}', "it is not one JSON object", id="member-twice"),
    pytest.param(b"\xef\xbb\xbf{}", "it is not one JSON object", id="byte-order-mark"),
    pytest.param(b"{}", "it has no list of keys", id="no-keys"),
    pytest.param(b'{"keys": {}}', "it has no list of keys", id="keys-object"),
    pytest.param(b'{"keys": []}', "it is empty", id="empty"),
    pytest.param(
        key_set(*[jwk_of(GOOD)] * (MAX_SET_KEYS + 1)), "it has more than 100 keys", id="many"
    ),
    pytest.param(b" " * (MAX_SET_BYTES + 1), "it is larger than 256 KiB", id="large"),
    pytest.param(b'{"keys": [1, 2]}', "none of its 2 keys can be used", id="no-key-of-use"),
]


@pytest.mark.parametrize(("data", "why"), SETS)
def test_a_set_that_cannot_be_used_is_refused(data: bytes, why: str) -> None:
    """JWKS-02, JWKS-06: an empty set is a fault too, not an issuer without keys."""
    with pytest.raises(UnfitKeySetError) as caught:
        parse_key_set(data, ALL)

    assert str(caught.value) == why


def test_as_many_keys_as_may_be_are_read() -> None:
    """The limits are the last that passes."""
    keys = [jwk_of(GOOD, kid=str(number)) for number in range(MAX_SET_KEYS)]
    data = key_set(*keys).ljust(MAX_SET_BYTES)

    assert len(parse_key_set(data, ALL).keys) == MAX_SET_KEYS


def test_what_is_said_of_a_key_quotes_nothing_of_it() -> None:
    """The words go to a log that others read."""
    entry = _jwk("ES256", kid="canary\n", use="canary", crv="canary")

    with pytest.raises(UnfitKeySetError) as caught:
        parse_key_set(key_set(entry), ALL)
    assert "canary" not in str(caught.value)
