"""Verifying a stored hash of any accepted form, and making our own.

bcrypt is pyca's, argon2id argon2-cffi's, scrypt and PBKDF2 OpenSSL's through ``hashlib``: all of
them C or Rust that lets the GIL go. SHA-crypt is libpass's, in a process. The form has been read by
``gateway.policy.password_hashes`` before any of them sees it, so that none is asked for more than a
login may cost; every comparison takes constant time.
"""

import hashlib
import hmac
from typing import Final, Literal, Protocol, assert_never

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, VerifyMismatchError
from argon2.profiles import RFC_9106_LOW_MEMORY

from gateway.issuer.sha_crypt import verify_sha_crypt
from gateway.policy.password_hashes import (
    MAX_MEMORY_BYTES,
    Argon2id,
    Bcrypt,
    PasswordHashError,
    Pbkdf2,
    Scrypt,
    ShaCrypt,
    StoredHash,
    parse_password_hash,
)

MAX_BCRYPT_BYTES: Final = 72  # bcrypt does not look at what follows
_SCRYPT_OVERHEAD_BYTES: Final = 32 * 2**20  # OpenSSL counts 128 r (p + 2) beside its 128 N r


class Hasher(Protocol):
    """What is needed of ``argon2.PasswordHasher``; tests count its work."""

    def hash(self, password: str, /) -> str:
        """Return a new salted hash."""
        ...

    def verify(self, password_hash: str, password: str, /) -> Literal[True]:
        """Return True, or raise ``VerifyMismatchError`` or another reason of ``Argon2Error``."""
        ...


ARGON2ID: Final[Hasher] = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def verify(password: str, text: str, argon2id: Hasher = ARGON2ID) -> bool:
    """Whether *text* was made of *password*. Its bounds are those of ``parse_password_hash``.

    bcrypt looks at 72 bytes and up to a NUL: a password that has more is never right for it, even
    where the legacy system cut it and let it in (THREATS AUTH-08). Django's ``bcrypt_sha256`` has
    no such end.

    Args:
        password: Valid Unicode (see ``gateway.issuer.passwords.check_password``).
        text: The stored hash.
        argon2id: What verifies hashes of that form.

    Raises:
        PasswordHashError: Nobody can log in with it: no known form, absurd parameters, or it cannot
            be computed. Never quotes it.
    """
    stored = parse_password_hash(text)
    try:
        return _verify(password, stored, argon2id)
    except PasswordHashError:
        raise
    except (Argon2Error, ValueError, MemoryError):  # ValueError: what bcrypt and OpenSSL refuse
        raise PasswordHashError("the hash could not be computed") from None


def _verify(password: str, stored: StoredHash, argon2id: Hasher) -> bool:
    match stored:
        case Argon2id():
            try:
                return argon2id.verify(stored.text, password)
            except VerifyMismatchError:
                return False
        case Bcrypt():
            return _verify_bcrypt(password.encode("utf-8"), stored)
        case Scrypt():
            return hmac.compare_digest(_scrypt(password.encode("utf-8"), stored), stored.digest)
        case Pbkdf2():
            digest = hashlib.pbkdf2_hmac(
                stored.hash_name, password.encode("utf-8"), stored.salt, stored.rounds
            )
            return hmac.compare_digest(digest, stored.digest)
        case ShaCrypt():
            return verify_sha_crypt(password, stored.text)
        case _:
            assert_never(stored)


def _verify_bcrypt(password: bytes, stored: Bcrypt) -> bool:
    if stored.is_prehashed:
        password = hashlib.sha256(password).hexdigest().encode("ascii")
    if len(password) > MAX_BCRYPT_BYTES or b"\0" in password:
        return False
    return bcrypt.checkpw(password, stored.text.encode("ascii"))


def _scrypt(password: bytes, stored: Scrypt) -> bytes:
    return hashlib.scrypt(
        password,
        salt=stored.salt,
        n=stored.n,
        r=stored.r,
        p=stored.p,
        maxmem=MAX_MEMORY_BYTES + _SCRYPT_OVERHEAD_BYTES,
        dklen=len(stored.digest),
    )
