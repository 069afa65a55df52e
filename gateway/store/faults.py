"""What can go wrong with a store, as its callers see it: two errors, made here and nowhere else.

The rule to keep in mind: an error that leaves this room never shows a statement's parameters, which
hold password hashes and names, nor the password of a database's URL.
"""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gateway.errors import GatewayError


class StoreUnavailableError(GatewayError):
    """The database did not do what was asked of it, now: unreachable, busy, full, too slow.

    The transaction is not done in part. It is not done at all, unless the connection broke while
    its commit was under way; so whatever is asked again must bear being done twice.
    """


class StoreBusyError(StoreUnavailableError):
    """So many transactions are under way or wait that this one was not begun.

    Not a fault of the database: a flood, which is not to fill the log as well.
    """


class UnfitStoreError(ValueError):
    """The store cannot be used as it is configured; says what is wrong and what to do about it.

    The caller knows where the configuration stands and adds the place.
    """

    def __init__(self, fault: str, cure: str) -> None:
        super().__init__(fault, cure)
        self.fault = fault
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.fault}; {self.cure}"


# Ours, not the database's: a statement that no database could have carried out.
_MISTAKES: Final = (IntegrityError, ProgrammingError, DataError)

# But for these of PostgreSQL's (appendix A of its manual): a backup is being restored, or somebody
# has taken a right away. SQLite reports the same as a fault.
_TAKEN_AWAY: Final = frozenset(("42P01", "42703", "3F000", "42501"))  # table, column, schema, right

# ``OSError`` is a refused connection, and (as ``TimeoutError``) a deadline of ours or asyncpg's.
# asyncpg's and sqlite3's own errors come through as they are where there is no connection yet.
_FAULTS: Final = (DBAPIError, PoolTimeoutError, OSError, sqlite3.Error)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the faults of drivers and databases into ``StoreUnavailableError``; the only such seam.

    Raises:
        StoreUnavailableError: Anything that another try, later, might not meet.
    """
    try:
        yield
    except _MISTAKES as error:
        if getattr(error.orig, "sqlstate", "") in _TAKEN_AWAY:
            raise StoreUnavailableError(_summary(error)) from error
        raise
    except _faults() as error:
        raise StoreUnavailableError(_summary(error)) from error


def _faults() -> tuple[type[BaseException], ...]:
    """Return what to translate; asyncpg is loaded only where PostgreSQL is, and can raise."""
    asyncpg = sys.modules.get("asyncpg")
    return _FAULTS if asyncpg is None else (*_FAULTS, asyncpg.PostgresError, asyncpg.InterfaceError)


def _summary(error: BaseException) -> str:
    """Return one line for the log: what the driver says, without the statement around it."""
    origin = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(origin, TimeoutError) and not origin.args:
        return "the database did not answer in time"
    return " ".join(f"{type(origin).__name__}: {origin}".split())
