"""Of a refresh token only a digest is kept; its successor is sealed under the token."""

import hashlib

import pytest

from gateway.store.sealing import SealError
from gateway.store.tokens import digest_token, seal_successor, unseal_successor


def test_a_token_is_kept_as_its_sha256() -> None:
    """DESIGN.md section 3: stored only as SHA-256."""
    assert digest_token("token") == hashlib.sha256(b"token").digest()


@pytest.mark.parametrize("text", ["", "\0", "\ud800", "é" * 1000])
def test_any_text_has_a_digest(text: str) -> None:
    """What a client sends may be anything."""
    assert len(digest_token(text)) == 32


def test_a_successor_opens_with_the_spent_token_only() -> None:
    """Neither the digest, nor another token, nor another session opens it."""
    sealed = seal_successor("next", spent="token", session_id="s-1")

    assert unseal_successor(sealed, spent="token", session_id="s-1") == "next"
    for spent, session_id in (
        ("other", "s-1"),
        ("token", "s-2"),
        (digest_token("token").hex(), "s-1"),
    ):
        with pytest.raises(SealError):
            unseal_successor(sealed, spent=spent, session_id=session_id)
