"""``gateway hash-password``."""

import argon2
import pytest

from tests.kit.commands import invoke


@pytest.mark.parametrize(
    ("stdin", "password"),
    [
        pytest.param(b"correct horse\n", "correct horse", id="line"),
        pytest.param("pässword".encode(), "pässword", id="no-newline"),
        pytest.param(b" a \r\nrest\n", " a ", id="first-line-only"),
    ],
)
def test_one_line_becomes_a_hash(stdin: bytes, password: str) -> None:
    """The hash is argon2id, alone on its line, and verifies the password."""
    result = invoke("hash-password", stdin=stdin)

    assert (result.returncode, result.stderr) == (0, "")
    text = result.stdout.strip()
    assert text.startswith("$argon2id$")
    assert argon2.PasswordHasher().verify(text, password)


@pytest.mark.parametrize(
    "stdin",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\n", id="empty-line"),
        pytest.param(b"a\0b\n", id="nul"),
        pytest.param(b"\xff\n", id="no-utf-8"),
        pytest.param(b"a" * 2000, id="too-long"),
    ],
)
def test_what_is_no_password_exits_with_2(stdin: bytes) -> None:
    """One line says why; nothing is printed that could be taken for a hash."""
    result = invoke("hash-password", stdin=stdin)

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
