"""Passwords are checked with equal work, beside the loop, in a bounded queue."""

import asyncio
import os
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import argon2
import pytest
from argon2.exceptions import HashingError

from gateway.issuer.passwords import (
    MAX_PASSWORD_BYTES,
    NICENESS,
    PasswordCheck,
    PasswordChecker,
    PasswordsBusyError,
    UnfitPasswordError,
    check_password,
    hash_password,
)
from tests.kit.hash_vectors import COSTS, DJANGO_PASSWORD, HASHES
from tests.unit.issuer.fakes import FAKE_PREFIX, CountingHasher

CANARY = "canary-password"


@contextmanager
def open_checker(
    hasher: CountingHasher | None = None, *, threads: int = 2, waiting: int = 32
) -> Iterator[PasswordChecker]:
    """Make a checker, and end its threads."""
    checker = PasswordChecker(hasher, threads=threads, waiting=waiting)
    try:
        yield checker
    finally:
        checker.close()


def check(hasher: CountingHasher, password: str, password_hash: str | None) -> PasswordCheck:
    """Check one password."""
    with open_checker(hasher) as checker:
        return asyncio.run(checker.verify(password, password_hash))


def test_argon2id_by_the_second_profile_of_rfc_9106() -> None:
    """RFC 9106 section 4: t=3, m=64 MiB, p=4; the hash verifies its password and no other."""
    stored = hash_password(CANARY)

    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    with open_checker() as checker:
        assert asyncio.run(checker.verify(CANARY, stored))
        assert not asyncio.run(checker.verify(CANARY + "2", stored))
        assert not asyncio.run(checker.verify(CANARY, None))


def test_a_password_gets_another_hash_each_time() -> None:
    """Every hash has a salt of its own."""
    assert hash_password(CANARY) != hash_password(CANARY)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        pytest.param(CountingHasher().hash(CANARY), True, id="right"),
        pytest.param(CountingHasher().hash("another"), False, id="wrong"),
        pytest.param(None, False, id="unknown-user"),
    ],
)
def test_every_login_costs_one_hash(stored: str | None, *, expected: bool) -> None:
    """THREATS AUTH-01: the same work for an unknown user, a wrong and a right password."""
    hasher = CountingHasher()

    assert check(hasher, CANARY, stored) == PasswordCheck(expected)
    assert len(hasher.checked) == 1


def test_an_unknown_user_is_checked_against_the_dummy() -> None:
    """The dummy is a hash like any other, of a password that nobody has."""
    hasher = CountingHasher()
    with open_checker(hasher) as first, open_checker(hasher) as second:
        asyncio.run(first.verify(CANARY, None))
        asyncio.run(second.verify(CANARY, None))

    assert all(used.startswith(FAKE_PREFIX) for used in hasher.checked)
    assert len(set(hasher.checked)) == 2


@pytest.mark.parametrize("stored", ["", "plain", "$2b$12$canary", "\u00e9", "$argon2id$canary"])
def test_a_broken_hash_is_false_after_equal_work(
    stored: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A hash of no known form lets nobody in, costs as much, and is told once without itself."""
    hasher = CountingHasher()
    with open_checker(hasher) as checker:
        assert not asyncio.run(checker.verify(CANARY, stored))
        assert not asyncio.run(checker.verify(CANARY, stored))

    assert [used == stored for used in hasher.checked] == [False, False]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "canary" not in caplog.text


WEAK = HASHES["pbkdf2-sha256-django"]  # of DJANGO_PASSWORD


def test_a_weak_hash_comes_back_as_one_of_ours() -> None:
    """Upgrade on login: with the right password, in the same thread, and not printed."""
    hasher = CountingHasher()
    with open_checker(hasher) as checker:
        result = asyncio.run(checker.verify(DJANGO_PASSWORD, WEAK))

    assert result == PasswordCheck(is_right=True, new_hash=hasher.hash_of(DJANGO_PASSWORD))
    assert hasher.hash_of(DJANGO_PASSWORD) not in repr(result)


@pytest.mark.parametrize(
    ("password", "made", "spent"),
    [
        pytest.param(DJANGO_PASSWORD, 2, 0, id="right-costs-the-upgrade"),
        pytest.param(CANARY, 1, 1, id="wrong-costs-the-dummy"),
    ],
)
@pytest.mark.parametrize("stored", [WEAK, HASHES["bcrypt-django"]])
def test_a_legacy_hash_costs_one_of_ours_too(
    stored: str, password: str, made: int, spent: int
) -> None:
    """THREATS AUTH-01: a name with a cheap hash answers no faster than an unknown one."""
    hasher = CountingHasher()
    with open_checker(hasher) as checker:
        result = asyncio.run(checker.verify(password, stored))

    assert bool(result) is (password == DJANGO_PASSWORD)
    assert (hasher.made, len(hasher.checked)) == (made, spent)  # one was made for the dummy
    assert stored not in hasher.checked


def test_a_weaker_argon2id_is_upgraded_too() -> None:
    """Right: its own work and the new hash; wrong: its own work and the dummy."""
    hasher = CountingHasher()
    weaker = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(CANARY)
    with open_checker() as checker:
        right = asyncio.run(checker.verify(CANARY, weaker))
        again = asyncio.run(checker.verify(CANARY, right.new_hash))
    wrong = check(hasher, "wrong", weaker)

    assert right.new_hash is not None
    assert right.new_hash.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert again == PasswordCheck(is_right=True)
    assert not wrong
    assert [used == weaker for used in hasher.checked] == [True, False]


def test_a_login_does_not_fail_with_its_upgrade(caplog: pytest.LogCaptureFixture) -> None:
    """No memory for the new hash: the user is let in with the old one."""
    hasher = CountingHasher()
    with open_checker(hasher) as checker:
        asyncio.run(checker.verify(CANARY, None))  # the dummy has been made
        hasher.hash_failure = HashingError("canary")
        result = asyncio.run(checker.verify(DJANGO_PASSWORD, WEAK))

    assert result == PasswordCheck(is_right=True)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert not any(word in caplog.text for word in ("canary", DJANGO_PASSWORD, "pbkdf2"))


def test_only_a_right_password_is_true() -> None:
    """A result that is asked as if it were a bool says what it means."""
    assert PasswordCheck(is_right=True)
    assert not PasswordCheck(is_right=False, new_hash="x")


@pytest.mark.parametrize("stored", [more for _, _, more in COSTS])
def test_a_hash_that_is_too_dear_costs_the_dummy_alone(
    stored: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever got into the store: no login takes a minute or a gigabyte, and the log says why."""
    hasher = CountingHasher()

    assert not check(hasher, CANARY, stored)
    assert len(hasher.checked) == 1
    assert stored not in hasher.checked
    assert "costs more than a login may" in caplog.text
    assert stored not in caplog.text


@pytest.mark.parametrize(
    "stored", ["", "$2b$12$abc", "\u00e9", "$argon2id$x", "$argon2id$v=19$m=8"]
)
def test_a_cut_hash_lets_nobody_in(stored: str) -> None:
    """With the real hasher too: a bad hash is no match and no crash."""
    with open_checker() as checker:
        assert not asyncio.run(checker.verify(CANARY, stored))


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("", id="empty"),
        pytest.param("x" * (MAX_PASSWORD_BYTES + 1), id="long"),
        pytest.param("\u00e9" * (MAX_PASSWORD_BYTES // 2 + 1), id="long-in-bytes"),
        pytest.param("a\0b", id="nul"),
        pytest.param("\ud800", id="lone-surrogate"),
    ],
)
def test_what_cannot_be_a_password_is_refused_before_hashing(password: str) -> None:
    """THREATS AUTH-07, AUTH-08: the cap of 1 KiB comes before any work, and so does NUL."""
    hasher = CountingHasher()

    with pytest.raises(UnfitPasswordError) as caught:
        check(hasher, password, None)
    assert hasher.checked == []
    assert not password or password not in str(caught.value)
    with pytest.raises(UnfitPasswordError):
        hash_password(password)


def test_a_password_of_the_greatest_length_passes() -> None:
    """The cap is 1,024 bytes, not 1,023."""
    password = "x" * MAX_PASSWORD_BYTES

    assert check_password(password) == password


def run_held(hasher: CountingHasher, story: Coroutine[Any, Any, None]) -> None:
    """Run a story in which hashes begin and do not end before it says so."""
    hasher.may_end.clear()
    try:
        asyncio.run(story)
    finally:
        hasher.may_end.set()


async def begin(checker: PasswordChecker, hasher: CountingHasher) -> asyncio.Task[PasswordCheck]:
    """Start a check, and return once its hash has begun."""
    task = asyncio.create_task(checker.verify(CANARY, None))
    assert await asyncio.to_thread(hasher.begun.acquire, timeout=30)
    return task


async def queue(checker: PasswordChecker) -> asyncio.Task[PasswordCheck]:
    """Start a check that has to wait for another."""
    task = asyncio.create_task(checker.verify(CANARY, None))
    await asyncio.sleep(0)  # one turn of the loop: it is in the queue
    return task


def test_one_more_than_may_wait_is_turned_away() -> None:
    """THREATS AUTH-09: threads and queue are bounded; who comes later is told so at once."""
    hasher = CountingHasher()

    async def story(checker: PasswordChecker) -> None:
        first, second = await begin(checker, hasher), await queue(checker)
        with pytest.raises(PasswordsBusyError):
            await checker.verify(CANARY, None)
        hasher.may_end.set()
        assert not await first
        assert not await second
        assert await checker.verify(CANARY, hasher.hash(CANARY))

    with open_checker(hasher, threads=1, waiting=1) as checker:
        run_held(hasher, story(checker))
    assert len(hasher.checked) == 3


def test_the_loop_turns_while_a_password_is_hashed() -> None:
    """A hash runs beside the event loop: another coroutine goes on while it lasts."""
    hasher = CountingHasher()

    async def story(checker: PasswordChecker) -> None:
        task = await begin(checker, hasher)
        assert not task.done()
        hasher.may_end.set()
        assert not await task

    with open_checker(hasher) as checker:
        run_held(hasher, story(checker))


def test_a_client_that_leaves_the_queue_makes_room() -> None:
    """What was cancelled before it began is not hashed, and another may wait in its place."""
    hasher = CountingHasher()

    async def story(checker: PasswordChecker) -> None:
        first, second = await begin(checker, hasher), await queue(checker)
        second.cancel()
        await asyncio.wait([second])
        third = await queue(checker)
        hasher.may_end.set()
        assert not await first
        assert not await third

    with open_checker(hasher, threads=1, waiting=1) as checker:
        run_held(hasher, story(checker))
    assert len(hasher.checked) == 2


def test_a_client_that_leaves_during_its_hash_makes_no_room_yet() -> None:
    """The thread goes on when its client is gone, and counts until it is done."""
    hasher = CountingHasher()

    async def story(checker: PasswordChecker) -> None:
        first = await begin(checker, hasher)
        first.cancel()
        await asyncio.wait([first])
        with pytest.raises(PasswordsBusyError):
            await checker.verify(CANARY, None)
        hasher.may_end.set()
        assert await asyncio.to_thread(checker._room.acquire, timeout=30)
        checker._room.release()
        assert not await checker.verify(CANARY, None)

    with open_checker(hasher, threads=1, waiting=0) as checker:
        run_held(hasher, story(checker))


def test_a_closed_checker_keeps_no_room() -> None:
    """A check after ``close`` fails loudly, and not as if there were too many."""
    checker = PasswordChecker(CountingHasher(), threads=1, waiting=0)
    checker.close()

    for _ in range(3):
        with pytest.raises(RuntimeError):
            asyncio.run(checker.verify(CANARY, None))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
def test_hashing_gives_way_to_everybody_else() -> None:
    """THREATS AUTH-09: fifty logins at once may not take the core from those who are proxied."""
    seen: list[int] = []

    class Telling(CountingHasher):
        """Tells the priority of the thread that it runs in."""

        def verify(self, password_hash: str, password: str, /) -> Literal[True]:
            seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            return super().verify(password_hash, password)

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    checker = PasswordChecker(Telling())
    asyncio.run(checker.verify("x", None))
    checker.close()

    assert seen == [max(before, NICENESS)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
