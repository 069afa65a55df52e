"""What is kept of a refresh token: its digest; and its successor, sealed under the token itself.

The rule to keep in mind: from the database alone nobody can make a refresh token that works.
"""

import hashlib
from typing import Final

from gateway.store.sealing import seal, unseal

_PURPOSE: Final = "gateway: successor of a refresh token, version 1"


def digest_token(token: str) -> bytes:
    """Return the SHA-256 of *token*, which may be any text.

    No salt and no slow hash: the token has 256 random bits, and nobody guesses those.
    """
    return hashlib.sha256(_bytes(token)).digest()


def seal_successor(successor: str, *, spent: str, session_id: str) -> bytes:
    """Encrypt *successor* so that only who presents *spent* again can be told it."""
    return seal(_bytes(successor), key=_bytes(spent), purpose=_PURPOSE, row=session_id)


def unseal_successor(sealed: bytes, *, spent: str, session_id: str) -> str:
    """Return the successor.

    Raises:
        SealError: *spent* is not the token that it was sealed under.
    """
    plain = unseal(sealed, key=_bytes(spent), purpose=_PURPOSE, row=session_id)
    return plain.decode("utf-8", "surrogatepass")


def _bytes(token: str) -> bytes:
    return token.encode("utf-8", "surrogatepass")  # what a client sends as JSON can have halves
