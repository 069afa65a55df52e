"""What is sealed opens with its key, for its purpose and in its row, and in no other way."""

import pytest

from gateway.store.sealing import SealError, seal, unseal

KEY = b"k" * 32
SEALED = seal(b"plain", key=KEY, purpose="p", row="r")


def test_what_is_sealed_opens_again() -> None:
    """Each sealing is different, and all open."""
    again = seal(b"plain", key=KEY, purpose="p", row="r")

    assert again != SEALED
    assert b"plain" not in SEALED
    assert unseal(again, key=KEY, purpose="p", row="r") == b"plain"


@pytest.mark.parametrize(
    ("sealed", "key", "purpose", "row"),
    [
        pytest.param(SEALED, b"K" * 32, "p", "r", id="another-key"),
        pytest.param(SEALED, KEY, "q", "r", id="another-purpose"),
        pytest.param(SEALED, KEY, "p", "s", id="another-row"),
        pytest.param(SEALED[:-1], KEY, "p", "r", id="cut"),
        pytest.param(SEALED[:12], KEY, "p", "r", id="only-a-nonce"),
        pytest.param(b"", KEY, "p", "r", id="nothing"),
        pytest.param(bytes([SEALED[0] ^ 1]) + SEALED[1:], KEY, "p", "r", id="changed"),
    ],
)
def test_nothing_else_opens_it(sealed: bytes, key: bytes, purpose: str, row: str) -> None:
    """Another key, purpose or row, or changed bytes, are one error."""
    with pytest.raises(SealError):
        unseal(sealed, key=key, purpose=purpose, row=row)
