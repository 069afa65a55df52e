"""What is over is thrown away, and nothing else."""

import asyncio
from pathlib import Path

import pytest

from gateway.issuer import housekeeping
from gateway.issuer.housekeeping import (
    SESSIONS_KEPT_S,
    SPENT_KEPT_S,
    keep_store_tidy,
    keep_table_tidy,
    tidy_store,
)
from gateway.issuer.revocation_table import KEPT_AFTER_EXPIRY_S, RevocationTable
from gateway.issuer.shared_file import SharedFileError
from gateway.store import revocations, sessions
from gateway.store.engine import Store
from gateway.store.faults import StoreUnavailableError
from tests.kit.issuing import Issuing
from tests.kit.revocations import token_revocation
from tests.kit.stores import NOW_S, session

pytestmark = pytest.mark.anyio


async def test_what_is_over_goes(store: Store) -> None:
    """Sessions and revocations, each a while after they ended."""
    old = session("old", expires_at_s=NOW_S - SESSIONS_KEPT_S - 1)
    recent = session("recent", expires_at_s=NOW_S - SESSIONS_KEPT_S + 1)
    async with store.write() as tx:
        await sessions.start(tx, old, "t1")
        await sessions.start(tx, recent, "t2")
        gone, kept = NOW_S - KEPT_AFTER_EXPIRY_S - 1, NOW_S - KEPT_AFTER_EXPIRY_S + 1
        added = [token_revocation("gone", gone), token_revocation("kept", kept)]
        await revocations.add(tx, added)
    await tidy_store(store, NOW_S)

    async with store.read() as tx:
        assert await sessions.find(tx, "old") is None
        assert await sessions.find(tx, "recent") is not None
        assert [each.key for each in await revocations.since(tx, 0)] == ["kept"]


async def test_nothing_that_counts_goes(issuer: Issuing) -> None:
    """A session in use, its spent tokens that tell of theft, and the throttle of its user."""
    grant = await issuer.log_in()
    await issuer.granter.refresh(grant.refresh_token, NOW_S)
    await issuer.try_login("aymen", "wrong")
    await tidy_store(issuer.store, NOW_S + 3600)

    assert len(await issuer.sessions.list_of_user("aymen", NOW_S)) == 1
    assert SPENT_KEPT_S > 3600


async def test_a_store_that_cannot_be_tidied_is_tidied_later(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that is down for a minute does not end the worker."""
    calls: list[float] = []
    done = asyncio.Event()

    async def tidy(_: Store, now_s: float) -> None:
        calls.append(now_s)
        if len(calls) == 1:
            raise StoreUnavailableError("refused")
        done.set()

    monkeypatch.setattr(housekeeping, "tidy_store", tidy)
    task = asyncio.create_task(keep_store_tidy(store, lambda: NOW_S, period_s=0.001))
    await asyncio.wait_for(done.wait(), 20)
    task.cancel()

    assert "refused" in caplog.text


async def test_a_table_that_is_locked_is_tidied_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And it is tidied beside the event loop."""
    table = RevocationTable.create(tmp_path / "revocations", 64)
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    calls: list[float] = []

    def purge(now_s: float) -> bool:
        calls.append(now_s)
        if len(calls) == 1:
            raise SharedFileError("locked")
        loop.call_soon_threadsafe(done.set)
        return True

    monkeypatch.setattr(table, "purge", purge)
    task = asyncio.create_task(keep_table_tidy(table, lambda: NOW_S, period_s=0.001))
    await asyncio.wait_for(done.wait(), 20)
    task.cancel()
    table.close()

    assert "locked" in caplog.text
