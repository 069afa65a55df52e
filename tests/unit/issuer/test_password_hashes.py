"""Hashes that others made verify with their password, and with no other."""

from typing import Any

import pytest
from argon2.exceptions import HashingError, InvalidHashError, VerificationError
from hypothesis import given, settings
from hypothesis import strategies as st
from passlib.hash import (
    django_pbkdf2_sha256,
    ldap_pbkdf2_sha256,
    pbkdf2_sha256,
    pbkdf2_sha512,
    scrypt,
)

from gateway.issuer.password_hashes import ARGON2ID, MAX_BCRYPT_BYTES, verify
from gateway.policy.password_hashes import PasswordHashError
from tests.kit.hash_vectors import COSTS, HASHES, LEGACY, MALFORMED
from tests.unit.issuer.fakes import CountingHasher

CANARY = "canary-password"


@pytest.mark.parametrize(
    ("password", "text"), [pytest.param(p, text, id=form) for form, _, p, text in LEGACY]
)
def test_a_hash_of_others_verifies(password: str, text: str) -> None:
    """Real hashes of Django, passlib, glibc, PHP and the RFCs: right is right, wrong is wrong."""
    assert verify(password, text)
    assert not verify(password[:-1], text)


def test_our_own_hash_verifies() -> None:
    """argon2id by argon2-cffi."""
    text = ARGON2ID.hash(CANARY)

    assert verify(CANARY, text)
    assert not verify(CANARY + "2", text)


@pytest.mark.parametrize(
    "text",
    [
        *(pytest.param(text, id=what) for what, text in MALFORMED),
        *(pytest.param(more, id=f"{n}-{name}") for n, (name, _, more) in enumerate(COSTS)),
    ],
)
def test_what_is_no_hash_or_too_dear_is_never_computed(text: str) -> None:
    """The refusal comes from reading alone, and quotes neither hash nor password."""
    hasher = CountingHasher()

    with pytest.raises(PasswordHashError) as caught:
        verify(CANARY, text, hasher)
    assert hasher.checked == []
    assert not text or text not in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("failure", [InvalidHashError(), VerificationError(), HashingError(),
                                     MemoryError(), ValueError()])  # fmt: skip
def test_what_a_library_raises_is_one_error(failure: Exception) -> None:
    """Broken inside or out of memory: no match, no crash, no traceback with values."""
    hasher = CountingHasher()
    hasher.failure = failure

    with pytest.raises(PasswordHashError) as caught:
        verify(CANARY, hasher.hash_of(CANARY), hasher)
    assert caught.value.__suppress_context__


def test_a_salt_that_bcrypt_refuses_is_an_error() -> None:
    """A salt with bits beyond its 16 bytes is none that bcrypt itself makes."""
    text = HASHES["bcrypt-2a-openwall"].replace("CCC.E5", "CCC9E5")

    with pytest.raises(PasswordHashError):
        verify("U*U", text)


@pytest.mark.parametrize("password", ["x" * 73, "x" * 72 + CANARY, "\u00e9" * 37])
def test_bcrypt_never_compares_a_part_of_a_password(password: str) -> None:
    """THREATS AUTH-08: two passwords with the same 72 bytes are two passwords."""
    assert len(password.encode()) > MAX_BCRYPT_BYTES
    assert verify("x" * 72, HASHES["bcrypt-2b-72-bytes"])
    assert not verify(password, HASHES["bcrypt-2b-72-bytes"])


def test_bcrypt_never_stops_at_a_nul() -> None:
    """THREATS AUTH-08: what follows a NUL counts, so that such a password is refused."""
    assert not verify("U*U\0", HASHES["bcrypt-2a-openwall"])


def test_djangos_prehash_has_no_length() -> None:
    """``bcrypt_sha256`` takes any length; Django 5.2 made this hash of 100 times x."""
    text = "bcrypt_sha256$$2b$04$trzA6Rw0B28rnNUThjNtEeNAEkhsUSQmTIyxxJZMiwYb0YY8Vgm9q"

    assert verify("x" * 100, text)
    assert not verify("x" * 101, text)


@settings(max_examples=20, deadline=None)
@given(
    password=st.text(
        st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=80
    ),
    scheme=st.sampled_from(
        [pbkdf2_sha256, pbkdf2_sha512, ldap_pbkdf2_sha256, django_pbkdf2_sha256, scrypt]
    ),
)
def test_we_agree_with_passlib(password: str, scheme: Any) -> None:
    """What libpass makes of any password, with any salt, we verify."""
    text = scheme.using(rounds=2).hash(password)

    assert verify(password, text)
    assert not verify(password + "x", text)


def test_a_sha_crypt_that_cannot_be_computed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator reads which hash it was that failed, and not just that one did."""
    monkeypatch.setattr("sys.executable", "/nonexistent/python")

    with pytest.raises(PasswordHashError, match="the SHA-crypt hash could not be computed"):
        verify(CANARY, HASHES["sha256-crypt-glibc"])
