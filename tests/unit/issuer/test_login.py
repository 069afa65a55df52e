"""Logging in: one answer and one hash for everybody who is not let in."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.issuer.grants import Grant
from gateway.issuer.passwords import PasswordChecker, PasswordsBusyError
from gateway.issuer.throttle import Wait
from gateway.issuer.user_admin import NewUser
from gateway.store import users
from gateway.store.engine import Store
from gateway.store.tables import throttles
from gateway.store.users import StoredUser
from tests.kit.hash_vectors import DJANGO_PASSWORD, HASHES
from tests.kit.issuing import PASSWORD, Issuing, claims_of, issuing
from tests.unit.issuer.fakes import NOW_S

pytestmark = pytest.mark.anyio

LEGACY_HASH = HASHES["pbkdf2-sha256-django"]  # of DJANGO_PASSWORD


async def test_the_right_password_begins_a_session(issuer: Issuing) -> None:
    """In any spelling of the name, each time another session.

    THREATS CACHE-12: and each time the password is hashed; nothing is remembered of one.
    """
    grants = [await issuer.log_in(name) for name in (" AYMEN ", "aymen", "\uff21ymen")]

    assert len({grant.session_id for grant in grants}) == len(issuer.hasher.checked) == 3
    assert {claims_of(grant)["sub"] for grant in grants} == {"aymen"}


@pytest.mark.parametrize(
    ("username", "password"),
    [
        pytest.param("aymen", "wrong", id="wrong-password"),
        pytest.param("nobody", PASSWORD, id="unknown-user"),
        pytest.param("zoe", "wrong", id="wrong-password-stored"),
        pytest.param("gone", PASSWORD, id="disabled-user"),
        pytest.param("' OR 1=1 --", PASSWORD, id="sql"),
        pytest.param("%", PASSWORD, id="like"),
        pytest.param("a\0b", PASSWORD, id="nul"),
    ],
)
async def test_every_failure_is_one_answer_after_one_hash(
    issuer: Issuing, username: str, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    """THREATS AUTH-01, -02, -11: neither answer, work nor log tells what was wrong."""
    await issuer.add_user("zoe")
    gone = await issuer.add_user("gone")
    await issuer.users.disable(gone.id, NOW_S)

    assert await issuer.try_login(username, password) is None
    assert len(issuer.hasher.checked) == 1
    assert caplog.text == ""


async def test_a_user_of_the_store_logs_in_by_an_id_that_stays(issuer: Issuing) -> None:
    """THREATS AUTH-15: the token says the id, which no other user will ever have."""
    user = await issuer.add_user()
    grant = await issuer.log_in("ZOE")
    await issuer.users.remove(user.id, NOW_S)
    successor = await issuer.add_user()

    assert claims_of(grant)["sub"] == user.id != successor.id
    assert claims_of(grant)["roles"] == ["customer"]


async def test_the_files_user_comes_before_the_stores(issuer: Issuing) -> None:
    """Whoever can write to the database cannot put a password in front of the operator's own."""
    zoe = await issuer.add_user("zoe", "other")
    async with issuer.store.write() as tx:
        await users.remove(tx, zoe.id)
        await users.add(tx, replace(zoe, username="aymen", canonical_username="aymen"))

    assert claims_of(await issuer.log_in())["sub"] == "aymen"
    assert await issuer.try_login("aymen", "other") is None


async def test_a_legacy_hash_is_replaced_at_login(issuer: Issuing) -> None:
    """A user brought along from an older system is as well kept as a new one after one login."""
    user = await _brought_along(issuer)
    await issuer.log_in("zoe", DJANGO_PASSWORD)

    kept = await issuer.users.find(user.id)
    assert kept is not None
    assert kept.password_hash == issuer.hasher.hash_of(DJANGO_PASSWORD)
    await issuer.log_in("zoe", DJANGO_PASSWORD)


async def test_nothing_else_is_replaced(issuer: Issuing) -> None:
    """Only the right password makes a new hash."""
    user = await _brought_along(issuer)

    assert await issuer.try_login("zoe", "wrong") is None
    kept = await issuer.users.find(user.id)
    assert kept is not None
    assert kept.password_hash == LEGACY_HASH


async def _brought_along(issuer: Issuing) -> StoredUser:
    return await issuer.users.add(NewUser(username="zoe", password_hash=LEGACY_HASH), NOW_S)


async def test_failures_are_throttled(issuer: Issuing) -> None:
    """DESIGN.md section 9: after some failures nothing is hashed for a while."""
    answers = [await issuer.try_login("aymen", "wrong") for _ in range(8)]

    waits = [answer for answer in answers if isinstance(answer, Wait)]
    assert waits
    assert all(wait.seconds >= 1 for wait in waits)
    assert len(issuer.hasher.checked) == len(answers) - len(waits)
    assert isinstance(await issuer.try_login(), Wait)  # nor is the right password looked at
    assert not isinstance(await issuer.try_login(now_s=NOW_S + 3600), Wait)


async def test_success_clears_the_pair(issuer: Issuing) -> None:
    """Who mistypes now and then, and gets in each time, is never made to wait."""
    for _ in range(10):
        for _ in range(3):
            assert await issuer.try_login("aymen", "wrong") is None
        await issuer.log_in()


async def test_a_hundred_guesses_at_once_are_counted_one_by_one(issuer: Issuing) -> None:
    """THREATS AUTH-05: what is verified of them is no more than one after the other."""
    answers = await asyncio.gather(
        *(issuer.try_login("nobody", "guess") for _ in range(20)), return_exceptions=True
    )

    assert sum(answer is None for answer in answers) == len(issuer.hasher.checked) <= 6
    assert sum(isinstance(answer, Wait) for answer in answers) >= 14


@pytest.mark.parametrize("seen", ["before", "after"])
async def test_a_full_pool_counts_nothing(
    store: Store, tmp_path: Path, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was checked, so that nothing was wrong: it is as if the login had not come.

    No row is left of it: names are made up faster than passwords are checked.
    """
    if seen == "after":  # the last place was taken between the look and the check
        monkeypatch.setattr(PasswordChecker, "check_room", lambda _: None)
    async with issuing(store, tmp_path, threads=1, waiting=0) as issuer:
        issuer.hasher.may_end.clear()
        busy = asyncio.create_task(issuer.try_login("zoe"))
        await asyncio.to_thread(issuer.hasher.begun.acquire)
        for _ in range(10):
            with pytest.raises(PasswordsBusyError):
                await issuer.try_login(address="198.51.100.1")
        async with store.read() as tx:
            kept = await tx.rows(select(throttles.c.kind))
        assert len(kept) == 3  # of the login that is being checked
        issuer.hasher.may_end.set()
        assert await busy is None
        await issuer.log_in()


async def test_who_has_to_wait_does_not_write(issuer: Issuing) -> None:
    """A login that is refused takes no turn from those that write, as logouts do."""
    while not isinstance(await issuer.try_login(password="wrong"), Wait):
        pass
    async with issuer.store.write(), asyncio.timeout(4):  # less than a turn is waited for
        assert isinstance(await issuer.try_login(), Wait)


async def test_two_first_logins_at_once_are_both_let_in(issuer: Issuing) -> None:
    """One puts a stronger hash in place of the one that the other was checked against."""
    user = await _brought_along(issuer)
    grants = await asyncio.gather(*(issuer.try_login("zoe", DJANGO_PASSWORD) for _ in range(2)))

    assert all(isinstance(grant, Grant) for grant in grants)
    assert len(await issuer.sessions.list_of_user(user.id, NOW_S)) == 2
