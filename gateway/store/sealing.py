"""Encrypt what the database may hold but must not be able to read.

The rule to keep in mind: a key is derived for one purpose from material of 256 bits or more, and
what is sealed for one row does not open in another (the row's identity is authenticated with it).

Sources: RFC 5869 (HKDF), NIST SP 800-38D (GCM).
"""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES: Final = 12  # SP 800-38D section 8.2.2: random, so at most 2**32 under one key
_KEY_BYTES: Final = 32


class SealError(ValueError):
    """What was sealed does not open: another key, another row, or changed bytes."""


def seal(plain: bytes, *, key: bytes, purpose: str, row: str) -> bytes:
    """Encrypt *plain* so that only who has *key* can read it, and only as part of *row*.

    Args:
        plain: What to keep.
        key: Secret material; at least 256 bits of entropy, for nothing slows guessing down.
        purpose: What this kind of sealing is for, and its version.
        row: What the sealed bytes belong to.
    """
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(_derive(key, purpose)).encrypt(nonce, plain, row.encode())


def unseal(sealed: bytes, *, key: bytes, purpose: str, row: str) -> bytes:
    """Return what ``seal`` was given.

    Raises:
        SealError: It was sealed otherwise, or is damaged.
    """
    nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return AESGCM(_derive(key, purpose)).decrypt(nonce, text, row.encode())
    except (InvalidTag, ValueError):  # ValueError: too short to be sealed at all
        raise SealError("this was sealed with another key, or is damaged") from None


def _derive(key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=purpose.encode()).derive(key)
