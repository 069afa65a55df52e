"""Values that nobody may see again: they are checked without being quoted, and print as stars."""

import importlib.util
import re
from typing import Annotated, Final
from urllib.parse import unquote

from pydantic import BeforeValidator, SecretStr, WithJsonSchema

from gateway.config.fields import VARIABLE, refusal, split_url
from gateway.policy.password_hashes import (
    ACCEPTED_FORMS,
    PasswordHashError,
    parse_password_hash,
)
from gateway.store.keys import MIN_STORE_KEY_BYTES

MIN_ADMIN_TOKEN_CHARS: Final = 32  # 128 bits where they are hexadecimal digits

_PEM: Final = re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s.+", re.DOTALL)
_ENCRYPTED: Final = ("BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED")

_SQLITE: Final = re.compile(r"sqlite:///([^?]+)")  # what gateway.store.sqlite can open
_POSTGRESQL: Final = ("postgresql://", "postgres://")

_REDIS_PATH: Final = re.compile(r"(?:/[0-9]{0,4})?")
_REDIS_CURE: Final = "write redis://:password@host:6379/0, or rediss:// for TLS"

# token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="   -- RFC 9110 section 11.2
_TOKEN68: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


def _parse_secret(value: object) -> SecretStr:
    if not isinstance(value, str):
        raise refusal("the secret is not text", "put it in quotes, or better into ${file:...}")
    if not value:
        raise refusal("the secret is empty", "is the variable set?")
    return SecretStr(str(value))


def _parse_store(value: object) -> SecretStr:
    text = str(value) if isinstance(value, str) else ""
    if not text.isprintable():
        raise refusal(
            "the store's URL has a line break or another control character", "write it on one line"
        )
    if text.startswith(_POSTGRESQL):
        return SecretStr(text)  # asyncpg reads the rest when it connects
    if not text.startswith("sqlite:"):
        raise refusal(
            "the store is neither SQLite nor PostgreSQL",
            "write sqlite:///var/gateway.db or postgresql://user:password@host/database",
        )
    match = _SQLITE.fullmatch(text)
    path = unquote(match[1]) if match is not None else ""
    if path in ("", ":memory:") or not path.isprintable():
        raise refusal(
            "a SQLite store needs the path of a file and no parameters",
            "write sqlite:///var/gateway.db, or four slashes before an absolute path",
        )
    return SecretStr(text)


def _parse_redis(value: object) -> SecretStr:
    text = str(value) if isinstance(value, str) else ""
    url = split_url(text, "redis", "rediss")
    # Parameters could switch off what verifies rediss://.
    if url is None or url.query or url.fragment or _REDIS_PATH.fullmatch(url.path) is None:
        raise refusal("this is not the URL of a Redis", _REDIS_CURE)
    if not text.isprintable():
        raise refusal("the URL of Redis has a control character", _REDIS_CURE)
    if importlib.util.find_spec("redis") is None:
        raise refusal("the package 'redis' is not installed", "pip install 'auth-gateway[redis]'")
    return SecretStr(text)


def _parse_store_key(value: object) -> SecretStr | None:
    if not isinstance(value, str):
        raise refusal("the store key is not text", "put it in quotes, or better into ${file:...}")
    size = len(value.encode("utf-8"))
    if 0 < size < MIN_STORE_KEY_BYTES:
        raise refusal(
            f"the store key has {size} bytes; it needs {MIN_STORE_KEY_BYTES} or more",
            f"make one: openssl rand -hex {MIN_STORE_KEY_BYTES}",
        )
    return SecretStr(str(value)) if value else None


def _parse_admin_token(value: object) -> SecretStr | None:
    cure = f"make one: openssl rand -hex {MIN_ADMIN_TOKEN_CHARS}"
    if not isinstance(value, str):
        raise refusal("the admin token is not text", cure)
    if not value:
        return None
    if len(value) < MIN_ADMIN_TOKEN_CHARS:
        raise refusal(
            f"the admin token has {len(value)} characters; it needs {MIN_ADMIN_TOKEN_CHARS} or "
            "more",
            cure,
        )
    if _TOKEN68.fullmatch(value) is None:
        raise refusal("the admin token has characters that no Bearer token can have", cure)
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


_PASSWORD: Final = {"type": "string", "format": "password", "writeOnly": True}
_SECRET_JSON: Final = WithJsonSchema(_PASSWORD)
Secret = Annotated[SecretStr, BeforeValidator(_parse_secret), _SECRET_JSON]
PasswordHash = Annotated[SecretStr, BeforeValidator(_parse_hash), _SECRET_JSON]
PrivateKeyPem = Annotated[SecretStr, BeforeValidator(_parse_private_key), _SECRET_JSON]
StoreUrl = Annotated[
    SecretStr,  # it may have a password in it
    BeforeValidator(_parse_store),
    WithJsonSchema(_PASSWORD | {"pattern": r"^sqlite:///[^?]+$|^postgres(ql)?://|" + VARIABLE}),
]
RedisUrl = Annotated[
    SecretStr,  # as above
    BeforeValidator(_parse_redis),
    WithJsonSchema(_PASSWORD | {"pattern": r"^rediss?://|" + VARIABLE}),
]
# Empty is none, so that ``${NAME:-}`` can stand in a file for all environments.
StoreKey = Annotated[SecretStr | None, BeforeValidator(_parse_store_key), _SECRET_JSON]
AdminToken = Annotated[SecretStr | None, BeforeValidator(_parse_admin_token), _SECRET_JSON]
