"""Several gateways on one database, started at once and killed in the middle of things."""

import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from gateway.store import revocations, rotation, sessions
from gateway.store.migrate import open_store
from gateway.store.rotation import Replayed, Rotated
from gateway.store.sessions import EndReason
from tests.kit.stores import DAY_S, NOW_S

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

ROOT: Final = Path(__file__).parents[3]
DEADLINE_S: Final = 200


@contextmanager
def _churning(work: str, url: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.store.churn", work, url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(DEADLINE_S)
        if process.stdout is not None:
            process.stdout.close()


async def test_gateways_that_start_at_once_agree(store_url: str) -> None:
    """All migrate an empty database and all make the first key: one does, and all get its key."""
    with ExitStack() as stack:
        processes = [stack.enter_context(_churning("key", store_url)) for _ in range(5)]
        said = [process.communicate(timeout=DEADLINE_S)[0] for process in processes]

    assert [process.returncode for process in processes] == [0] * 5
    assert len(set(said)) == 1
    assert said[0].startswith("key ")


@pytest.mark.parametrize("lines", [5, 40, 133])
async def test_nothing_that_was_answered_is_lost_by_a_kill(store_url: str, lines: int) -> None:
    """SES-03, guarantee 5: kill -9 in the middle of refreshes and logouts loses no answered one.

    Who holds a token that was answered can go on with it: it is the live one, or (where the kill
    came between commit and answer) it was spent just now and is told its successor.
    """
    with _churning("all", store_url) as process:
        assert process.stdout is not None
        said = [process.stdout.readline().split() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        said += [line.split() for line in process.stdout.read().splitlines(keepends=False)]

    facts = [line for line in said if len(line) == {"token": 3, "ended": 2}.get(line[0], 0)]
    held = {line[1]: line[2] for line in facts if line[0] == "token"}
    ended = [line[1] for line in facts if line[0] == "ended"]
    async with await open_store(store_url) as store:
        for family, token in held.items():
            successor = secrets.token_hex(8)
            async with store.write() as tx:
                outcome = await rotation.rotate(tx, token, successor, idle_s=DAY_S, now_s=NOW_S + 5)
            assert isinstance(outcome, Rotated | Replayed), (family, outcome)
            if isinstance(outcome, Replayed):
                async with store.write() as tx:
                    told = await rotation.rotate(
                        tx, outcome.successor, successor, idle_s=DAY_S, now_s=NOW_S + 6
                    )
                assert isinstance(told, Rotated), family
        async with store.read() as tx:
            known = {each.key for each in await revocations.since(tx, 0)}
            assert set(ended) <= known
            for name in ended:
                found = await sessions.find(tx, name)
                assert found is not None
                assert found.end_reason is EndReason.LOGOUT


async def test_a_killed_gateway_leaves_no_lock(store_url: str) -> None:
    """SES-07: the next transaction goes on at once, and so does the next gateway."""
    for _ in range(3):
        with _churning("all", store_url) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.kill()
        async with await open_store(store_url) as store, store.write() as tx:
            assert await sessions.purge(tx, before_s=NOW_S + 365 * DAY_S) > 0
