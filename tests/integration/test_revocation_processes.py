"""THREATS.md A8 and A10: what one process has revoked counts in no other, whoever is killed."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from gateway.issuer.revocation_table import RevocationTable
from gateway.issuer.revocations import RevocationView
from tests.kit.revocations import (
    LONG_AGO_S,
    NOW_S,
    TOKENS,
    CheckedToken,
    Progress,
    progress_path,
    token_revocation,
)

ROOT: Final = Path(__file__).resolve().parents[2]
READERS: Final = 4
KILLS: Final = 50
NUMBERS_PER_KILL: Final = 1_000_000  # more than a process gets to
LINES_BEFORE_KILL: Final = 200


class Role:
    """One running process of ``tests.kit.revocations``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.stdin = process.stdin
        self.stdout = process.stdout

    def numbers(self) -> list[int]:
        """Return the numbers of its next line."""
        return [int(word) for word in self.stdout.readline().split()]


@contextmanager
def _run(role: str, table: Path) -> Iterator[Role]:
    command = [sys.executable, "-m", "tests.kit.revocations", role, str(table)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        try:
            yield Role(process)
        finally:
            process.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the table of a test is."""
    return tmp_path / "revocations"


@pytest.mark.timeout(300)
def test_no_process_passes_what_another_has_revoked(path: Path) -> None:
    """CACHE-05: 1,000 revocations under load; a check that begins after one returned knows it."""
    table = RevocationTable.create(path, 256)
    progress = Progress(progress_path(path))
    with ExitStack() as running:
        readers = [running.enter_context(_run("read", path)) for _ in range(READERS)]
        purger = running.enter_context(_run("purge", path))
        for role in (*readers, purger):
            assert role.stdout.readline() == "ready\n"

        for number in range(TOKENS):
            expired = [token_revocation(f"old {number} {i}", LONG_AGO_S) for i in range(5)]
            table.add([*expired, token_revocation(f"token {number}")])
            progress.reached = number + 1

        reports = [reader.numbers() for reader in readers]
        (copied,) = purger.numbers()

    assert [wrong for _, _, wrong in reports] == [0] * READERS
    assert all(passed > 0 and asked - passed >= TOKENS for asked, passed, _ in reports)
    assert copied > 0
    table.close()


@pytest.mark.timeout(300)
def test_nothing_is_forgotten_when_writers_are_killed(path: Path) -> None:
    """``kill -9`` at any point of a revocation: what had returned is revoked; writing goes on."""
    table = RevocationTable.create(path, 8)
    view = RevocationView(table)
    choose = random.Random(7)
    with _run("fork", path) as one, _run("fork", path) as other:
        for first in range(0, KILLS * NUMBERS_PER_KILL, 2 * NUMBERS_PER_KILL):
            kept = CheckedToken(jti=f"kept {first}")
            writers = [_begin(one, first), _begin(other, first + NUMBERS_PER_KILL)]
            told = [number for writer in writers for number in _kill(writer, choose)]

            assert [n for n in told if not _are_revoked(view, n)] == []
            assert not view.is_revoked(kept, NOW_S)
            table.add([token_revocation(f"kept {first}")])
            assert view.is_revoked(kept, NOW_S)
            table.purge(NOW_S)
            assert [n for n in told if not _are_revoked(view, n)] == []
    table.close()


def _begin(role: Role, first: int) -> tuple[Role, int]:
    """Let a new process of *role* revoke from *first* on; return it with the process's id."""
    role.stdin.write(f"{first}\n")
    role.stdin.flush()
    return role, int(role.stdout.readline())


def _kill(writer: tuple[Role, int], choose: random.Random) -> list[int]:
    """Kill a process after some of its lines; return all that it had said, then and since."""
    role, pid = writer
    told = [int(role.stdout.readline()) for _ in range(choose.randrange(LINES_BEFORE_KILL))]
    os.kill(pid, signal.SIGKILL)
    told.extend(int(line) for line in iter(role.stdout.readline, "end\n"))
    return told


def _are_revoked(view: RevocationView, number: int) -> bool:
    """Whether both tokens are, that the writer has revoked in one call."""
    tokens = (CheckedToken(jti=f"token {number}"), CheckedToken(jti=f"and {number}"))
    return all(view.is_revoked(token, NOW_S) for token in tokens)
