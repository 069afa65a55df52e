"""Looking at a store that is there, is not, or is not what it should be."""

from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.store.faults import StoreUnavailableError, UnfitStoreError
from gateway.store.look import OutdatedStoreError, looked_at
from gateway.store.migrate import open_store
from gateway.store.tables import users

pytestmark = pytest.mark.anyio


async def test_what_is_there_can_be_read(store_url: str) -> None:
    """Beside whoever has it open."""
    async with await open_store(store_url), looked_at(store_url) as store:
        assert store is not None
        async with store.read() as tx:
            assert await tx.has_table("users")


async def test_an_empty_database_is_no_store_yet(store_url: str) -> None:
    """Neither is a file that is not there, and nothing is made."""
    async with looked_at(store_url) as store:
        assert store is None


async def test_no_file_is_made_or_left(tmp_path: Path, sqlite_url: str) -> None:
    """Neither the database nor its companions."""
    async with looked_at(sqlite_url):
        pass
    assert _names(tmp_path) == []
    await (await open_store(sqlite_url)).close()
    async with looked_at(sqlite_url):
        pass
    assert _names(tmp_path / "var") == ["gateway.db"]


async def test_nothing_can_be_written(store_url: str) -> None:
    """The database itself refuses."""
    await (await open_store(store_url)).close()
    async with looked_at(store_url) as store:
        assert store is not None
        with pytest.raises(StoreUnavailableError, match=r"read.?only"):
            async with store.read() as tx:
                await tx.rows(users.delete().returning(users.c.id))


@pytest.mark.parametrize("name", ["a b.db", "a%20b.db", "a&b=c.db", "a#b.db"])
async def test_any_file_name_can_be_looked_at(tmp_path: Path, name: str) -> None:
    """Even one that means something in a URI."""
    path = tmp_path / name
    path.touch(0o600)
    url = f"sqlite:///{path}"
    await (await open_store(url)).close()
    async with looked_at(url) as store:
        assert store is not None


async def test_tables_of_a_newer_version_are_unfit(store_url: str) -> None:
    """As at start-up, in the same words."""
    await _set_revision(store_url, "9999")
    with pytest.raises(UnfitStoreError, match="not those of this version") as caught:
        async with looked_at(store_url):
            pass
    assert not isinstance(caught.value, OutdatedStoreError)


async def test_tables_of_an_older_version_are_told_apart(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are no fault: the next start brings them up to date."""
    await (await open_store(sqlite_url)).close()
    monkeypatch.setattr("gateway.store.look.REVISION", "0003")
    with pytest.raises(OutdatedStoreError, match="older version"):
        async with looked_at(sqlite_url):
            pass


async def test_a_file_of_another_kind_is_unfit(tmp_path: Path) -> None:
    """Found by its first bytes."""
    path = tmp_path / "notes.txt"
    path.write_text("remember the milk", "utf-8")
    path.chmod(0o600)
    with pytest.raises(UnfitStoreError, match="no SQLite database"):
        async with looked_at(f"sqlite:///{path}"):
            pass


async def test_a_file_that_others_may_use_is_unfit(tmp_path: Path, sqlite_url: str) -> None:
    """As at start-up."""
    await (await open_store(sqlite_url)).close()
    (tmp_path / "var" / "gateway.db").chmod(0o640)
    with pytest.raises(UnfitStoreError, match="0640"):
        async with looked_at(sqlite_url):
            pass


async def test_a_path_below_a_file_cannot_be_reached(tmp_path: Path) -> None:
    """What the system says about it is translated."""
    (tmp_path / "file").touch()
    async with looked_at(f"sqlite:///{tmp_path}/file/gateway.db") as store:
        assert store is None


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def _set_revision(url: str, revision: str) -> None:
    async with await open_store(url) as store, store.write() as tx:
        statement = text("UPDATE alembic_version SET version_num = :it")
        await tx.execute(statement.bindparams(it=revision))
