"""The file of the embedded database is its owner's alone, and durable."""

import stat
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.store import users
from gateway.store.faults import UnfitStoreError
from gateway.store.migrate import open_store
from tests.unit.store.test_users import ALICE

pytestmark = pytest.mark.anyio


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_files_and_directories_are_their_owners_alone(tmp_path: Path) -> None:
    """0600 and 0700, for each directory that is made and for SQLite's companion files too."""
    path = tmp_path / "a" / "b" / "gateway.db"
    async with await open_store(f"sqlite:///{path}") as store:
        async with store.write() as tx:
            await users.add(tx, ALICE)
        modes = {each.name: _mode(each) for each in path.parent.iterdir()}

    assert modes == dict.fromkeys(("gateway.db", "gateway.db-wal", "gateway.db-shm"), 0o600)
    assert _mode(path.parent) == _mode(path.parent.parent) == 0o700


async def test_a_file_that_others_may_use_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    """Whoever could read it may have copied the keys: the operator must hear of it."""
    await (await open_store(sqlite_url)).close()
    (tmp_path / "var" / "gateway.db").chmod(0o640)

    with pytest.raises(UnfitStoreError, match="0640"):
        await open_store(sqlite_url)


async def test_something_else_than_a_file_is_refused(tmp_path: Path) -> None:
    """A directory is no database."""
    with pytest.raises(UnfitStoreError, match="not a file"):
        await open_store(f"sqlite:///{tmp_path}")


async def test_a_file_that_is_no_database_is_unfit(tmp_path: Path) -> None:
    """Another program's file is not overwritten."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database, and longer than a page header of SQLite has bytes" * 9)
    path.chmod(0o600)

    with pytest.raises(UnfitStoreError, match="no SQLite database"):
        await open_store(f"sqlite:///{path}")
    assert path.read_text().startswith("not a database")


async def test_a_commit_is_on_the_disk(sqlite_url: str) -> None:
    """Guarantee 5, and power cuts too: WAL with synchronous=FULL (2); foreign keys are checked."""
    async with await open_store(sqlite_url) as store, store.read() as tx:
        found = {
            name: (await tx.rows(text(f"PRAGMA {name}")))[0][0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 4000,
    }
