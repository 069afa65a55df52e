"""Processes that share one table of revocations: ``python -m tests.kit.revocations ROLE TABLE``.

``read`` asks for tokens without pause and tells how often the answer was wrong. ``purge`` copies
the log without pause. ``fork`` makes, at each line that it reads, a process that revokes without
pause and says what it has revoked, and says ``end`` when that has ended.
"""

import mmap
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from gateway.issuer.revocation_table import RevocationTable
from gateway.issuer.revocations import RevocationView
from gateway.policy.tokens import Issuer
from gateway.store.revocations import Revocation, RevocationKind

NOW_S: Final = 1_800_000_000
TOKENS: Final = 1000  # that the processes know of
LATER_S: Final = NOW_S + 1000
LONG_AGO_S: Final = NOW_S - 10_000  # a revocation that expired then is purged at ``NOW_S``


class CheckedToken:
    """A verified token, as far as revocations are concerned."""

    def __init__(self, *, own: bool = True, **claims: Any) -> None:
        self.claims: dict[str, Any] = {"iat": NOW_S, "sub": "aymen", **claims}
        self.issuer = Issuer(name="us", audiences=frozenset(("api",)), keys=(), own=own)
        self.checked_epoch = -1


def token_revocation(key: str, expires_at_s: float = LATER_S) -> Revocation:
    """Return the revocation of one token."""
    return Revocation(kind=RevocationKind.TOKEN, key=key, expires_at_s=expires_at_s)


def session_revocation(key: str, expires_at_s: float = LATER_S) -> Revocation:
    """Return the revocation of one session."""
    return Revocation(kind=RevocationKind.SESSION, key=key, expires_at_s=expires_at_s)


def user_revocation(
    key: str, not_before_s: float | None, expires_at_s: float = LATER_S
) -> Revocation:
    """Return the revocation of a user's tokens up to *not_before_s*."""
    return Revocation(
        kind=RevocationKind.USER, key=key, not_before_s=not_before_s, expires_at_s=expires_at_s
    )


class Progress:
    """A number in a file, which one process counts up and the others read."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._word = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")

    @property
    def reached(self) -> int:
        """How far the other is."""
        return self._word[0]

    @reached.setter
    def reached(self, number: int) -> None:
        self._word[0] = number


def progress_path(table: Path) -> Path:
    """Return where the progress stands that belongs to a table."""
    return table.with_name("progress")


def read(path: Path) -> None:
    """Ask until the other has revoked all; tell how many were asked, passed, and wrongly passed."""
    view = RevocationView(RevocationTable(path))
    tokens = [CheckedToken(jti=f"token {number}") for number in range(TOKENS)]
    progress = Progress(progress_path(path))
    choose = random.Random(os.getpid())
    asked = passed = wrong = 0
    _tell("ready")
    is_last = False
    while not is_last:
        is_last = progress.reached == TOKENS
        around = range(TOKENS) if is_last else _around(progress.reached, choose)
        for number in around:
            reached = progress.reached  # before the check begins
            is_good = not view.is_revoked(tokens[number], NOW_S)
            asked += 1
            passed += is_good
            wrong += is_good and number < reached
    _tell(asked, passed, wrong)


def _around(reached: int, choose: random.Random) -> Iterator[int]:
    """Give the numbers of the last that was revoked, of the next, and of some other."""
    numbers = (reached - 1, reached, choose.randrange(TOKENS))
    return (number for number in numbers if 0 <= number < TOKENS)


def purge(path: Path) -> None:
    """Copy the log again and again; tell how often."""
    table = RevocationTable(path)
    progress = Progress(progress_path(path))
    _tell("ready")
    copied = 0
    while progress.reached < TOKENS:
        copied += table.purge(NOW_S)
    _tell(copied)


def fork(path: Path) -> None:
    """At each line, a number, begin a process that revokes from there on; tell its id."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _revoke_on(RevocationTable(path), int(line))
        os.waitpid(child, 0)
        _tell("end")


def _revoke_on(table: RevocationTable, first: int) -> None:
    _tell(os.getpid())
    for number in range(first, first + 100_000):
        table.add([token_revocation(f"token {number}"), token_revocation(f"and {number}")])
        _tell(number)
    os._exit(0)


def _tell(*words: object) -> None:
    """Write one line, whole, whenever this process is killed."""
    os.write(1, " ".join(map(str, words)).encode("ascii") + b"\n")


ROLES: Final[dict[str, Callable[[Path], None]]] = {"read": read, "purge": purge, "fork": fork}

if __name__ == "__main__":
    ROLES[sys.argv[1]](Path(sys.argv[2]))
