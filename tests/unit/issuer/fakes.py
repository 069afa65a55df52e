"""A hasher that costs nothing, counts its work and can be held up; and one key per algorithm."""

import functools
import hashlib
import threading
from base64 import b64encode
from typing import Final, Literal

from argon2.exceptions import VerifyMismatchError
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.issuer.keys import SigningKey, make_signing_key, parse_signing_key, secret_key

SECRET: Final = bytes(range(64))
NOW_S: Final = 1_800_000_000.75
FAKE_PREFIX: Final = "$argon2id$v=19$m=65536,t=3,p=4$ZmFrZXNhbHRmYWtlc2FsdA$"  # as strong as ours


class CountingHasher:
    """Stands in for ``argon2.PasswordHasher``: a digest for a hash, and a record of each check."""

    def __init__(self) -> None:
        self.checked: list[str] = []  # the hash of each ``verify``
        self.made = 0  # calls of ``hash``
        self.begun = threading.Semaphore(0)  # released at the start of each ``verify``
        self.may_end = threading.Event()  # cleared, it holds every ``verify`` up
        self.may_end.set()
        self.failure: Exception | None = None  # raised by every ``verify``
        self.hash_failure: Exception | None = None  # raised by every ``hash``

    def hash(self, password: str, /) -> str:
        """Return the fake hash of a password."""
        self.made += 1
        if self.hash_failure is not None:
            raise self.hash_failure
        return self.hash_of(password)

    @staticmethod
    def hash_of(password: str) -> str:
        """Return the fake hash of a password, uncounted."""
        digest = b64encode(hashlib.sha256(password.encode()).digest())
        return FAKE_PREFIX + digest.decode().rstrip("=")

    def verify(self, password_hash: str, password: str, /) -> Literal[True]:
        """Check a password as argon2-cffi does, with its exceptions."""
        self.checked.append(password_hash)
        self.begun.release()
        assert self.may_end.wait(timeout=30)
        if self.failure is not None:
            raise self.failure
        if password_hash != self.hash_of(password):
            raise VerifyMismatchError
        return True


@functools.cache
def rsa_pem(bits: int) -> bytes:
    """Return an RSA key; some sizes are weak on purpose."""
    key = generate_private_key(65537, bits)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@functools.cache
def key_for(algorithm: str) -> SigningKey:
    """Return the test run's key of an algorithm."""
    if algorithm.startswith("HS"):
        return secret_key(algorithm, SECRET)
    if algorithm in ("RS256", "PS256"):
        return parse_signing_key(algorithm, rsa_pem(2048))
    return make_signing_key(algorithm)
