"""Signatures: one algorithm per key, whatever a token's header says."""

import json
from base64 import urlsafe_b64decode
from unittest.mock import Mock

import pytest
from jwt.exceptions import InvalidKeyError

from gateway.policy.signature import ALGORITHMS, VerificationKey
from tests.kit.tokens import SigningKey, mint, resigned, signing_key


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_algorithm_verifies_its_own(algorithm: str) -> None:
    """DESIGN.md section 2, ``algorithm``; another key of that algorithm does not."""
    key = signing_key(algorithm)
    token = mint(key=key)

    assert _verifies(key, token)
    assert not _verifies(signing_key(algorithm, kid="other"), token)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("signature", [b"x", b"x" * 64, b"\0" * 96, b"x" * 256])
def test_a_signature_of_any_shape_is_refused_quietly(algorithm: str, signature: bytes) -> None:
    """JWT-22: no exception leaves, whatever the library thinks of the bytes."""
    token = resigned(mint(key=signing_key(algorithm)), signature)

    assert not _verifies(signing_key(algorithm), token)


@pytest.mark.parametrize("error", [InvalidKeyError(), ValueError(), TypeError()], ids=repr)
def test_a_key_that_the_library_cannot_use_verifies_nothing(error: Exception) -> None:
    """JWT-22: PyJWT 2.15 lets a TypeError out for some key objects."""
    verification = signing_key("RS256").verification
    object.__setattr__(verification, "_algorithm", Mock(verify=Mock(side_effect=error)))

    assert not verification.verifies("RS256", b"a.b", b"x")


@pytest.mark.parametrize("named", ALGORITHMS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_header_cannot_choose_the_algorithm(algorithm: str, named: str) -> None:
    """RFC 8725 section 3.1: the key knows its algorithm (JWT-03, JWT-05)."""
    key = signing_key(algorithm)
    token = mint(header={"alg": named}, key=key)

    assert _verifies(key, token) is (algorithm == named)


def test_a_public_key_is_no_secret() -> None:
    """CVE-2022-29217: refused when the key is made, not when a token comes."""
    with pytest.raises(InvalidKeyError):
        VerificationKey("k", "HS256", signing_key("RS256").public)


@pytest.mark.parametrize("key", [signing_key(), signing_key("ES256")], ids=["secret", "public"])
def test_a_key_is_not_shown(key: SigningKey) -> None:
    """A traceback or a log line shows which key it was and nothing of it."""
    shown = repr(key.verification)

    assert key.kid in shown
    assert key.public.decode("ascii")[:12] not in shown


def _verifies(key: SigningKey, token: bytes) -> bool:
    signed, _, signature = token.rpartition(b".")
    header = json.loads(_decode(signed.partition(b".")[0]))
    return key.verification.verifies(header["alg"], signed, _decode(signature))


def _decode(text: bytes) -> bytes:
    return urlsafe_b64decode(text + b"=" * (-len(text) % 4))
