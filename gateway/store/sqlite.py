"""The embedded database: one file, its owner's alone, and nothing lost that was answered.

WAL lets readers go on beside the one writer. ``synchronous=FULL`` makes each commit wait until it
is on the disk. ``NORMAL`` would survive ``kill -9`` as well, since the kernel has the pages by
then, but not a power cut: the last logouts and rotations would be undone, and a client that holds
the successor of a rotation that never was would be turned away. A commit costs one ``fsync`` of the
log; only logins, refreshes and logouts pay it.

The rule to keep in mind: SQLite locks for the process's sake, so the file belongs on a local disk.
"""

import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection

from gateway.store.async_engine import AsyncEngine
from gateway.store.faults import UnfitStoreError, translated

BEGIN_OPTION: Final = "gateway_begin"  # execution option: DEFERRED (the default), IMMEDIATE, ...

_FORBIDDEN_MODE: Final = stat.S_IRWXG | stat.S_IRWXO
# Less than the deadline of the transaction, so that SQLite gives up first and says why.
_BUSY_SHARE: Final = 0.8
_MAGIC: Final = b"SQLite format 3\0"  # https://sqlite.org/fileformat2.html section 1.3.1


def make_engine(
    url: URL, *, deadline_s: float, connections: int, is_read_only: bool = False
) -> AsyncEngine:
    """Return the engine of a SQLite file, which is made if it is not there.

    Args:
        url: ``sqlite:///relative/path`` or ``sqlite:////absolute/path``.
        deadline_s: How long a transaction may take; most of it is what SQLite waits for a lock.
        connections: How many may be open; each has a thread.
        is_read_only: The file is not made, and no statement can change it.

    Raises:
        UnfitStoreError: The URL names no file, or others than its owner may use the file, or it is
            no database.
        StoreUnavailableError: The file cannot be made or read.
    """
    path = path_of(url)
    if not is_read_only:
        with translated():
            _make_file(path)
    _check_file(path)
    engine = create_engine(
        _existing(path) if is_read_only else URL.create("sqlite+aiosqlite", database=str(path)),
        # The driver begins no transactions of its own: what begins one, and how, is said below.
        connect_args={
            "timeout": deadline_s * _BUSY_SHARE,
            "isolation_level": None,
            "factory": _Connection,
        },
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _on_connect_to_read if is_read_only else _on_connect)
    event.listen(engine, "begin", _on_begin)
    return AsyncEngine(engine)


def path_of(url: URL) -> Path:
    """Return the file that a SQLite URL names.

    Raises:
        UnfitStoreError: It names none.
    """
    if not url.database or url.database == ":memory:" or url.query:
        raise UnfitStoreError(
            "a SQLite store needs the path of a file and no parameters",
            "write sqlite:///var/gateway.db, or four slashes before an absolute path",
        )
    return Path(url.database)


def _existing(path: Path) -> URL:
    """Return how the driver opens a file without making one.

    Not ``mode=ro``: who opens a file so, and closes it last, leaves ``-wal`` and ``-shm`` behind.
    """
    database = f"file:{quote(str(path))}"
    return URL.create("sqlite+aiosqlite", database=database, query={"mode": "rw", "uri": "true"})


def _on_connect_to_read(connection: DBAPIConnection, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()


class _Connection(sqlite3.Connection):
    """Ends its transaction when it is closed, whoever still has a cursor of it.

    ``sqlite3_close_v2`` keeps a connection, and all its locks, until its last statement has gone.
    A task that was cancelled in the middle of one keeps it in its traceback, in a cycle, until the
    garbage collector comes by; until then nobody could have written.
    """

    def close(self) -> None:
        """Roll back, and close."""
        with suppress(sqlite3.Error):  # it is closed already
            self.rollback()
        super().close()


def _on_connect(connection: DBAPIConnection, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    mode: Any = cursor.fetchone()
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
    if mode is None or mode[0] != "wal":
        raise UnfitStoreError(
            "this file system does not support what SQLite's write-ahead log needs",
            "keep the store on a local disk, or use PostgreSQL",
        )


def _on_begin(connection: Connection) -> None:
    """Take the write lock at the start of what will write.

    A transaction that reads first and writes later can fail at once with SQLITE_BUSY, whatever the
    busy timeout, because what it has read may be old by then.
    """
    mode = connection.get_execution_options().get(BEGIN_OPTION, "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")


def _make_file(path: Path) -> None:
    """Make the file, 0600. SQLite gives its companions (-wal, -shm) the mode of the file itself."""
    _make_directory(path.parent)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        os.close(os.open(path, flags, 0o600))
    except FileExistsError:
        return


def _make_directory(directory: Path) -> None:
    """Make a directory and those above it, each 0700: ``parents=True`` would mind only the last."""
    if not directory.is_dir():
        _make_directory(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)


def _check_file(path: Path) -> None:
    _check_mode(path)
    with translated(), path.open("rb") as file:
        begins_with = file.read(len(_MAGIC))
    if begins_with not in (b"", _MAGIC):
        raise UnfitStoreError(
            f"{path} is no SQLite database", "name another file, or remove this one"
        )


def _check_mode(path: Path) -> None:
    with translated():
        status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UnfitStoreError(f"{path} is not a file", "name a file for the store")
    mode = stat.S_IMODE(status.st_mode)
    if mode & _FORBIDDEN_MODE:
        raise UnfitStoreError(
            f"others than its owner may use {path} (mode {mode:04o})",
            "run `chmod 600` on it; where others could have read it, let all users log in anew",
        )
