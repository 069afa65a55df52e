"""Values that nobody may see again: they are checked without being quoted, and print as stars."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, SecretStr, WithJsonSchema

from gateway.config.fields import refusal
from gateway.policy.password_hashes import (
    ACCEPTED_FORMS,
    PasswordHashError,
    parse_password_hash,
)

_PEM: Final = re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s.+", re.DOTALL)
_ENCRYPTED: Final = ("BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED")


def _parse_secret(value: object) -> SecretStr:
    if not isinstance(value, str):
        raise refusal("the secret is not text", "put it in quotes, or better into ${file:...}")
    if not value:
        raise refusal("the secret is empty", "is the variable set?")
    return SecretStr(str(value))


def _parse_hash(value: object) -> SecretStr:
    text = str(value) if isinstance(value, str) else ""  # our own str, not the document's
    try:
        parse_password_hash(text)
    except PasswordHashError as error:
        cure = f"make one with 'gateway hash-password', or bring one along: {ACCEPTED_FORMS}"
        raise refusal(str(error), cure) from None
    return SecretStr(text)


def _parse_private_key(value: object) -> SecretStr:
    text = value if isinstance(value, str) else ""
    if any(mark in text for mark in _ENCRYPTED):
        raise refusal("the signing key is encrypted", "store it without a passphrase, mode 0600")
    if _PEM.fullmatch(text) is None:
        raise refusal(
            "the signing key is not a private key in PEM", "name its file: ${file:key.pem}"
        )
    return SecretStr(str(text))


_SECRET_JSON: Final = WithJsonSchema({"type": "string", "format": "password", "writeOnly": True})
Secret = Annotated[SecretStr, BeforeValidator(_parse_secret), _SECRET_JSON]
PasswordHash = Annotated[SecretStr, BeforeValidator(_parse_hash), _SECRET_JSON]
PrivateKeyPem = Annotated[SecretStr, BeforeValidator(_parse_private_key), _SECRET_JSON]
