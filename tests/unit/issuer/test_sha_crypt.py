"""SHA-crypt in a process of its own: its answer, and all the ways in which there is none."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.issuer import sha_crypt
from gateway.issuer.sha_crypt import verify_sha_crypt
from gateway.policy.password_hashes import PasswordHashError
from tests.kit.hash_vectors import HASHES

CANARY = "canary-password"


@pytest.mark.parametrize("password", ["\u00e9\u4e2d\U0001f600", "a\nb", '"\\', "x" * 1024])
def test_any_password_reaches_the_process_unharmed(password: str) -> None:
    """Line ends, quotes and letters of any script: the answer is the library's own."""
    assert not verify_sha_crypt(password, HASHES["sha256-crypt-glibc"])


def test_nothing_secret_stands_in_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any user of the host can list the arguments of a process."""
    seen: list[list[str]] = []
    run = subprocess.run

    def spy(command: list[str], **rest: Any) -> Any:
        seen.append(command)
        return run(command, **rest)

    monkeypatch.setattr(subprocess, "run", spy)

    assert not verify_sha_crypt(CANARY, HASHES["sha512-crypt-glibc"])
    (command,) = seen
    assert not any(CANARY in word or "$6$" in word for word in command)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("raise SystemExit(1)", id="exits"),
        pytest.param("raise ValueError(input())", id="raises"),
        pytest.param("print('rightly')", id="says-something-else"),
        pytest.param("", id="says-nothing"),
        pytest.param("import os; os.abort()", id="dies"),
    ],
)
def test_a_process_that_fails_lets_nobody_in(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the one word is a yes; no failure says what it was asked."""
    child = tmp_path / "child.py"
    child.write_text(program)
    monkeypatch.setattr(sha_crypt, "_CHILD", child)

    with pytest.raises(PasswordHashError) as caught:
        verify_sha_crypt(CANARY, HASHES["sha256-crypt-glibc"])
    assert str(caught.value) == "the SHA-crypt hash could not be computed"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_process_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time limit holds whatever the process does."""
    child = tmp_path / "child.py"
    child.write_text("import threading; threading.Event().wait()")
    monkeypatch.setattr(sha_crypt, "_CHILD", child)

    with pytest.raises(PasswordHashError):
        verify_sha_crypt(CANARY, HASHES["sha256-crypt-glibc"], time_limit_s=0.05)


def test_an_interpreter_that_cannot_start_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process left, or no interpreter: refused."""
    monkeypatch.setattr("sys.executable", "/nonexistent/python")

    with pytest.raises(PasswordHashError):
        verify_sha_crypt(CANARY, HASHES["sha256-crypt-glibc"])
