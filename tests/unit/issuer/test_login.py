"""Logging in: one answer and one hash for everybody who is not let in."""

import asyncio
import json
from base64 import urlsafe_b64decode

import pytest

from gateway.errors import GatewayError
from gateway.issuer.login import Login, SaveHash, Session
from gateway.issuer.mint import Minter, TokenSettings
from gateway.issuer.passwords import PasswordChecker
from gateway.issuer.users import FileUsers, User
from tests.kit.hash_vectors import DJANGO_PASSWORD, HASHES
from tests.unit.issuer.fakes import NOW_S, CountingHasher, key_for

SETTINGS = TokenSettings(issuer="https://gw.test", audience=("gateway",), access_lifetime_s=60)


def log_in(
    username: str,
    password: str,
    hasher: CountingHasher,
    *,
    stored: str | None = None,
    save_hash: SaveHash | None = None,
) -> Session | None:
    """Try to log in where aymen is the only user."""
    aymen = User(username="aymen", password_hash=stored or hasher.hash("right"))
    passwords = PasswordChecker(hasher)
    minter = Minter(key_for("HS256"), SETTINGS)
    login = Login(FileUsers([aymen]), passwords, minter, save_hash=save_hash)
    try:
        return asyncio.run(login.authenticate(username, password, NOW_S))
    finally:
        passwords.close()


def test_the_right_password_begins_a_session() -> None:
    """The session's id is the token's ``sid``, and cannot be guessed (THREATS OPS-22)."""
    session = log_in(" AYMEN ", "right", CountingHasher())

    assert session is not None
    claims = json.loads(urlsafe_b64decode(session.access_token.text.split(".")[1] + "=="))
    assert claims["sid"] == session.id
    assert claims["sub"] == "aymen"
    assert len(urlsafe_b64decode(session.id + "==")) >= 16


def test_every_login_is_another_session() -> None:
    """A session id is never used twice."""
    sessions = [log_in("aymen", "right", CountingHasher()) for _ in range(3)]

    assert len({session.id for session in sessions if session is not None}) == 3


@pytest.mark.parametrize(
    ("username", "password"),
    [
        pytest.param("aymen", "wrong", id="wrong-password"),
        pytest.param("nobody", "right", id="unknown-user"),
        pytest.param("' OR 1=1 --", "right", id="sql"),
    ],
)
def test_both_failures_are_one_answer_after_one_hash(
    username: str, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    """THREATS AUTH-01: neither the answer nor the work nor the log tells which was wrong."""
    hasher = CountingHasher()

    assert log_in(username, password, hasher) is None
    assert len(hasher.checked) == 1
    assert caplog.text == ""


class HashStore:
    """Remembers what was to be saved; may refuse to."""

    def __init__(self, failure: GatewayError | None = None) -> None:
        self.saved: list[tuple[str, str, str]] = []
        self.failure = failure

    async def save(self, user_id: str, *, old_hash: str, new_hash: str) -> None:
        """Stand in for the store."""
        self.saved.append((user_id, old_hash, new_hash))
        if self.failure is not None:
            raise self.failure


LEGACY_HASH = HASHES["pbkdf2-sha256-django"]  # of DJANGO_PASSWORD


def test_a_legacy_hash_is_replaced_at_login() -> None:
    """The old hash goes along, so that a password set meanwhile is not overwritten."""
    hasher, store = CountingHasher(), HashStore()

    assert log_in("Aymen", DJANGO_PASSWORD, hasher, stored=LEGACY_HASH, save_hash=store.save)
    assert store.saved == [("aymen", LEGACY_HASH, hasher.hash_of(DJANGO_PASSWORD))]


@pytest.mark.parametrize(
    ("username", "password", "stored"),
    [
        pytest.param("aymen", "wrong", LEGACY_HASH, id="wrong-password"),
        pytest.param("nobody", DJANGO_PASSWORD, LEGACY_HASH, id="unknown-user"),
        pytest.param("aymen", "right", None, id="strong-hash"),
    ],
)
def test_nothing_else_is_replaced(username: str, password: str, stored: str | None) -> None:
    """Only the right password makes a new hash, and only of a weaker one."""
    store = HashStore()

    log_in(username, password, CountingHasher(), stored=stored, save_hash=store.save)
    assert store.saved == []


def test_users_of_the_file_log_in_with_what_they_have(caplog: pytest.LogCaptureFixture) -> None:
    """A hash that cannot be rewritten stays, without a word at each login."""
    assert log_in("aymen", DJANGO_PASSWORD, CountingHasher(), stored=LEGACY_HASH)
    assert caplog.text == ""


def test_a_login_does_not_wait_for_a_better_store(caplog: pytest.LogCaptureFixture) -> None:
    """The store refuses: the user is let in, and the log names neither user, hash nor cause."""
    store = HashStore(GatewayError("canary"))

    assert log_in("aymen", DJANGO_PASSWORD, CountingHasher(), stored=LEGACY_HASH,
                  save_hash=store.save)  # fmt: skip
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert not any(word in caplog.text for word in ("canary", "aymen", LEGACY_HASH, "argon2id"))
