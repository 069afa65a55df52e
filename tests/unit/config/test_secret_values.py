"""Secrets, hashes and keys."""

from typing import Any

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from gateway.config.secret_values import PasswordHash, PrivateKeyPem, Secret
from gateway.policy.password_hashes import ACCEPTED_FORMS, HashKind
from tests.kit.hash_vectors import COSTS, LEGACY, MALFORMED

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21l$c29tZWhhc2hzb21laGFzaA"
PEM = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----"

TAKEN = [(Secret, "canary"), (PasswordHash, HASH), (PrivateKeyPem, PEM),
         (PrivateKeyPem, PEM.replace("PRIVATE", "EC PRIVATE")),
         *((PasswordHash, text) for _, _, _, text in LEGACY)]  # fmt: skip

REFUSED: list[tuple[Any, object, str]] = [
    (Secret, 123, "the secret is not text"),
    (Secret, "", "the secret is empty"),
    (PasswordHash, "canary", "this is not a hash of a password"),
    (PasswordHash, 123, "this is not a hash of a password"),
    (PasswordHash, "$2b$12$canary", "this is not a hash of a password"),
    (PasswordHash, HASH.replace("2id", "2i"), "this is not a hash of a password"),
    *((PasswordHash, text, "this is not a hash of a password") for _, text in MALFORMED),
    *((PasswordHash, text, f"this hash costs more than a login may: {name}")
      for name, _, text in COSTS),
    (PrivateKeyPem, 123, "the signing key is not a private key in PEM"),
    (PrivateKeyPem, "key.pem", "the signing key is not a private key in PEM"),
    (
        PrivateKeyPem,
        PEM.replace("PRIVATE", "PUBLIC"),
        "the signing key is not a private key in PEM",
    ),
    (PrivateKeyPem, PEM.replace("PRIVATE", "ENCRYPTED PRIVATE"), "the signing key is encrypted"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), TAKEN)
def test_secrets_print_as_stars(kind: Any, value: str) -> None:
    """THREATS.md OPS-19."""
    secret = TypeAdapter(kind).validate_python(value)

    assert isinstance(secret, SecretStr)
    assert (secret.get_secret_value(), value in repr(secret)) == (value, False)


@pytest.mark.parametrize(("kind", "value", "fault"), REFUSED)
def test_what_is_refused_is_not_quoted(kind: Any, value: object, fault: str) -> None:
    """The fault says what is wrong, never what the value is."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)

    (error,) = caught.value.errors()
    assert error["ctx"]["fault"] == fault
    assert "{value}" not in error["ctx"]["fault"] + error["ctx"]["cure"]


def test_the_cure_for_a_hash_names_every_form() -> None:
    """An operator who brings users along reads which hashes can come with them."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(PasswordHash).validate_python("$1$O3JMY.Tw$AdLnLjQ/5jXF9.MTp3gHv/")

    (error,) = caught.value.errors()
    assert all(kind in error["ctx"]["cure"] for kind in HashKind)
    assert ACCEPTED_FORMS in error["ctx"]["cure"]
