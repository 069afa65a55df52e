"""Passwords against their hashes, beside the event loop and never without a bound.

One argon2id costs some 0.1 s and 64 MiB by design. It runs in a thread, which leaves the event loop
alone: argon2 is called through cffi, which releases the GIL for the whole of the C code. The bound
on threads is a bound on memory (threads x 64 MiB; with hashes that were brought along threads x
512 MiB at worst); the bound on those that wait is a bound on how long a login can take before it is
told to come again. Each argon2id starts four threads of its own (``p=4``).

The rule to keep in mind: every login costs one argon2id of ours, whether its user exists or not.

=========================  ===========================================================
unknown user               the dummy's argon2id
our hash, right or wrong   its own argon2id
a weaker or legacy hash    its own work, and one argon2id: the upgrade where the
                           password was right, the dummy where it was wrong
a hash nobody can use      the dummy's argon2id, after what was tried
=========================  ===========================================================

What timing still tells: that a name has a legacy hash, by that hash's own work on top (10 ms for
PBKDF2 of 30,000 rounds, 0.3 s for bcrypt of cost 12), until its user has logged in once. Without
the dummy a name with a cheap hash would answer ten times faster than an unknown one.

Source: RFC 9106 section 4, second recommended option (t=3, m=64 MiB, p=4).
"""

import asyncio
import functools
import hashlib
import logging
import os
import secrets
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeVar

from argon2.exceptions import Argon2Error, VerifyMismatchError

from gateway.issuer.password_hashes import ARGON2ID, Hasher, verify
from gateway.policy.password_hashes import PasswordHashError, needs_upgrade

MAX_PASSWORD_BYTES: Final = 1024  # of UTF-8; argon2 takes 4 GiB, a person's password has 64
HASHING_THREADS: Final = 2  # 128 MiB at most, while all hashes are ours
WAITING_LOGINS: Final = 32  # some 2 s of waiting behind two threads, likewise
# Below the event loop and the store's threads, with a tenth of their share where all want a core.
# With 50 logins at once on one core (bench.logins) proxied requests/s fell to a quarter without it,
# and to four fifths or not at all with it; it also keeps the store's threads quick enough for them.
NICENESS: Final = 10

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """What came of checking one password; true if that was right.

    (Any other object would be true by itself, and let everybody in where a caller forgets to ask
    for ``is_right``.)
    """

    is_right: bool
    new_hash: str | None = field(default=None, repr=False)  # to store in place of a weaker one

    def __bool__(self) -> bool:
        return self.is_right


_WRONG: Final = PasswordCheck(is_right=False)


class UnfitPasswordError(ValueError):
    """No user can have this password, so that nothing is hashed for it; never quotes it."""


class PasswordsBusyError(Exception):
    """As many passwords are being checked, or wait for it, as may."""


def check_password(password: str) -> str:
    """Return *password* if it can be one at all.

    Raises:
        UnfitPasswordError: It is empty, has a NUL or a lone surrogate, or is longer than
            ``MAX_PASSWORD_BYTES``.
    """
    try:
        size = len(password.encode("utf-8"))
    except UnicodeEncodeError:
        raise UnfitPasswordError("the password is not valid Unicode") from None
    if not 0 < size <= MAX_PASSWORD_BYTES:
        raise UnfitPasswordError(f"a password has 1 to {MAX_PASSWORD_BYTES} bytes")
    if "\0" in password:
        raise UnfitPasswordError("a password has no NUL")
    return password


def hash_password(password: str) -> str:
    """Return the argon2id hash to store for *password*; takes some 0.1 s and 64 MiB.

    Raises:
        UnfitPasswordError: See ``check_password``.
    """
    return ARGON2ID.hash(check_password(password))


def _let_others_go_first() -> None:
    """Lower the priority of this thread; the threads that argon2 starts from it inherit that.

    Only Linux has a priority for each thread. One that is low already stays there.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            thread_id = threading.get_native_id()
            niceness = os.getpriority(os.PRIO_PROCESS, thread_id)
            os.setpriority(os.PRIO_PROCESS, thread_id, max(niceness, NICENESS))


class PasswordChecker:
    """Checks passwords in a bounded pool of threads.

    The first work of its threads is the hash of the dummy that unknown users are checked against;
    who makes one does not wait for it. ``close`` it.
    """

    __slots__ = ("_broken", "_dummy", "_hasher", "_room", "_threads")

    def __init__(
        self,
        hasher: Hasher | None = None,
        *,
        threads: int = HASHING_THREADS,
        waiting: int = WAITING_LOGINS,
    ) -> None:
        self._hasher = hasher or ARGON2ID
        self._threads = ThreadPoolExecutor(
            threads, thread_name_prefix="password", initializer=_let_others_go_first
        )
        self._dummy = self._threads.submit(self._hasher.hash, secrets.token_urlsafe(32))
        self._room = threading.BoundedSemaphore(threads + waiting)
        self._broken: set[bytes] = set()  # digests of hashes that have been complained about

    async def verify(self, password: str, password_hash: str | None) -> PasswordCheck:
        """Check whether *password* is the one that *password_hash* was made of.

        Where it is, and the hash is not as strong as ours, a new hash comes along.

        Args:
            password: As the client sent it.
            password_hash: None where there is no such user: the work of ours, and not right.

        Raises:
            UnfitPasswordError: It cannot be a password (see ``check_password``); nothing is hashed.
            PasswordsBusyError: Too many are waiting already; nothing is hashed.
        """
        check_password(password)
        return await self._run(functools.partial(self._check, password, password_hash))

    def check_room(self) -> None:
        """See whether one more may be checked, before anything is done for it.

        Raises:
            PasswordsBusyError: Too many are waiting already.
        """
        if not self._room.acquire(blocking=False):
            raise PasswordsBusyError
        self._room.release()

    async def hash(self, password: str) -> str:
        """Return the hash to store for *password*.

        Raises:
            UnfitPasswordError: It cannot be a password (see ``check_password``).
            PasswordsBusyError: Too many are waiting already.
        """
        check_password(password)
        return await self._run(functools.partial(self._hasher.hash, password))

    def close(self) -> None:
        """Drop what waits; a hash that has begun ends in its thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        """Run *work* in a thread, if there is room for it."""
        if not self._room.acquire(blocking=False):
            raise PasswordsBusyError
        try:
            running = self._threads.submit(work)
        except RuntimeError:  # the pool has been closed
            self._room.release()
            raise
        # Not in a ``finally`` here: a caller that goes away does not stop the thread, and the room
        # is free again only when the hash is done (or was taken out of the queue unbegun).
        running.add_done_callback(self._leave)
        return await asyncio.wrap_future(running)

    def _leave(self, _: object) -> None:
        self._room.release()

    def _check(self, password: str, password_hash: str | None) -> PasswordCheck:
        if password_hash is None:
            self._spend(password)
            return _WRONG
        try:
            is_right = verify(password, password_hash, self._hasher)
        except PasswordHashError as error:
            self._complain(password_hash, error)
            self._spend(password)
            return _WRONG
        if not needs_upgrade(password_hash):
            return PasswordCheck(is_right)
        if is_right:
            return PasswordCheck(is_right=True, new_hash=self._upgrade(password))
        self._spend(password)
        return _WRONG

    def _upgrade(self, password: str) -> str | None:
        """Make the hash to store from now on; without memory for it, the next login makes it."""
        try:
            return self._hasher.hash(password)
        except (Argon2Error, MemoryError):
            log.warning("a password's hash could not be upgraded; the next login tries again")
            return None

    def _spend(self, password: str) -> None:
        """Do the work of one check; the dummy's password is known to nobody."""
        try:
            self._hasher.verify(self._dummy.result(), password)
        except VerifyMismatchError:
            return

    def _complain(self, password_hash: str, error: PasswordHashError) -> None:
        """Say so once for each hash, that nobody can fill the log by logging in."""
        digest = hashlib.sha256(password_hash.encode("utf-8", "surrogatepass")).digest()
        if digest not in self._broken:
            self._broken.add(digest)
            log.error(
                "a user's password_hash cannot be used (%s): the user cannot log in; make a new "
                "one with `gateway hash-password`",
                error,
            )
