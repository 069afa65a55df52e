"""Secrets, hashes and keys."""

from typing import Any
from urllib.parse import unquote

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError
from sqlalchemy import make_url

from gateway.config.secret_values import (
    AdminToken,
    PasswordHash,
    PrivateKeyPem,
    RedisUrl,
    Secret,
    StoreKey,
    StoreUrl,
)
from gateway.policy.password_hashes import ACCEPTED_FORMS, HashKind
from tests.kit.hash_vectors import COSTS, LEGACY, MALFORMED

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21l$c29tZWhhc2hzb21laGFzaA"
PEM = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----"

TOKEN = "canary-._~+/0123456789abcdefABCDEF=="

TAKEN = [(Secret, "canary"), (StoreKey, "canary" * 6), (StoreKey, "\xe9" * 16), (AdminToken, TOKEN),
         (StoreUrl, "sqlite:///var/canary.db"), (StoreUrl, "sqlite:////srv/canary.db"),
         (StoreUrl, "postgresql://u:canary@h/d?sslmode=require"), (StoreUrl, "postgres://canary"),
         (StoreUrl, "postgresql:///d?host=/run/canary"), (StoreUrl, "postgresql://canary,b:5433/d"),
         (RedisUrl, "redis://canary"), (RedisUrl, "rediss://u:canary@[::1]:6380/15"),
         (PasswordHash, HASH), (PrivateKeyPem, PEM),
         (PrivateKeyPem, PEM.replace("PRIVATE", "EC PRIVATE")),
         *((PasswordHash, text) for _, _, _, text in LEGACY)]  # fmt: skip

NO_STORES = [123, None, "", "var/canary.db", "canary:3306", "mysql://u:canary@h/d", "SQLITE:///canary",
             "postgresql+asyncpg://u:canary@h/d", "sqlite+aiosqlite:///canary", "postgresql:canary",
             " sqlite:///canary.db"]  # fmt: skip
BAD_SQLITE = ["sqlite:", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///%3amemory:",
              "sqlite:///canary%00", "sqlite:canary.db",
              "sqlite:/canary.db", "sqlite://canary.db", "sqlite://host/canary.db",
              "sqlite:///canary.db?mode=ro", "sqlite:///?canary", "sqlite://?canary"]  # fmt: skip

BAD_REDIS = [123, None, "", "canary:6379", "redis:canary", "redis://", "redis://:canary@/0",
             "redis://canary:0", "redis://canary:x", "redis://canary:70000", "redis://canary/db",
             "rediss://canary/0?ssl_cert_reqs=none", "redis://canary#x", "http://canary",
             "unix:///canary.sock"]  # fmt: skip

REFUSED: list[tuple[Any, object, str]] = [
    *((RedisUrl, value, "this is not the URL of a Redis") for value in BAD_REDIS),
    (RedisUrl, "redis://canary\x7f", "the URL of Redis has a control character"),
    (Secret, 123, "the secret is not text"),
    (Secret, "", "the secret is empty"),
    *((StoreUrl, value, "the store is neither SQLite nor PostgreSQL") for value in NO_STORES),
    *((StoreUrl, value, "a SQLite store needs the path of a file and no parameters")
      for value in BAD_SQLITE),
    *((StoreUrl, value, "the store's URL has a line break or another control character")
      for value in ("postgresql://canary\n", "sqlite:///canary\0")),
    (StoreKey, 123, "the store key is not text"),
    (StoreKey, None, "the store key is not text"),
    (StoreKey, "x" * 31, "the store key has 31 bytes; it needs 32 or more"),
    (StoreKey, "\xe9" * 15, "the store key has 30 bytes; it needs 32 or more"),
    (AdminToken, 123, "the admin token is not text"),
    (AdminToken, "x" * 31, "the admin token has 31 characters; it needs 32 or more"),
    *((AdminToken, value, "the admin token has characters that no Bearer token can have")
      for value in ("x" * 32 + " y", "x" * 32 + "\n", "=" + "x" * 32, "\xe9" * 32, "x" * 32 + ":")),
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
    said = error["ctx"]["fault"] + error["ctx"]["cure"]
    assert "{value}" not in said
    assert "canary" not in said


def test_the_cure_for_a_hash_names_every_form() -> None:
    """An operator who brings users along reads which hashes can come with them."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(PasswordHash).validate_python("$1$O3JMY.Tw$AdLnLjQ/5jXF9.MTp3gHv/")

    (error,) = caught.value.errors()
    assert all(kind in error["ctx"]["cure"] for kind in HashKind)
    assert ACCEPTED_FORMS in error["ctx"]["cure"]


@pytest.mark.parametrize("kind", [StoreKey, AdminToken])
def test_an_empty_secret_that_may_be_left_out_is_none(kind: Any) -> None:
    """``${NAME:-}`` can stand in a file for all environments."""
    assert TypeAdapter(kind).validate_python("") is None


@pytest.mark.parametrize("path", ["var/a.db", "/srv/a b.db", ":memory:x", "a%20.db", "\xe9.db"])
@pytest.mark.parametrize("tail", ["", "?x=1"])
def test_no_more_sqlite_files_are_taken_than_the_store_can_open(path: str, tail: str) -> None:
    """What passes here names the same file for SQLAlchemy, which reads the URL in the end."""
    url = f"sqlite:///{path}{tail}"
    try:
        TypeAdapter(StoreUrl).validate_python(url)
    except ValidationError:
        return
    parsed = make_url(url)
    assert (parsed.drivername, parsed.host, parsed.database) == ("sqlite", None, unquote(path))
    assert not parsed.query


def test_a_redis_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """An extra; without it the file is at fault, and the cure says what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(RedisUrl).validate_python("redis://canary")

    (error,) = caught.value.errors()
    assert error["ctx"]["cure"] == "pip install 'auth-gateway[redis]'"
