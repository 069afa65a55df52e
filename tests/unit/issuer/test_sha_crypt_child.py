"""What the process of SHA-crypt answers."""

import io
import json

import pytest

from gateway.issuer.sha_crypt_child import is_right, main
from gateway.policy.password_hashes import HashKind
from tests.kit.hash_vectors import HASHES, LEGACY

ROWS = [row for row in LEGACY if row[1] is HashKind.SHA_CRYPT]


@pytest.mark.parametrize(
    ("password", "text"), [pytest.param(p, text, id=form) for form, _, p, text in ROWS]
)
def test_hashes_of_glibc_verify(password: str, text: str) -> None:
    """Drepper's specification, with and without a number of rounds."""
    assert is_right(password, text)
    assert not is_right(password + "!", text)


@pytest.mark.parametrize(("password", "word"), [("Hello world!", "right"), ("hello", "wrong")])
def test_it_answers_with_one_word(
    password: str,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The question comes as JSON; the answer has no line end."""
    question = {"password": password, "hash": HASHES["sha512-crypt-glibc"]}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(question)))

    main()

    assert capsys.readouterr().out == word
