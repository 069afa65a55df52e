"""What drivers raise leaves the store as one error, and tells no secret."""

import sqlite3

import asyncpg
import pytest
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gateway.store.faults import StoreUnavailableError, translated

_STATEMENT = ("SELECT secret", {"password_hash": "$argon2id$"})
FAULTS = [
    OperationalError(*_STATEMENT, sqlite3.OperationalError("database is locked")),
    PoolTimeoutError(),
    TimeoutError(),
    ConnectionRefusedError(111, "refused"),
    asyncpg.CannotConnectNowError("starting up"),
    asyncpg.InterfaceError("closed"),
    sqlite3.OperationalError("unable to open database file"),
]
MISTAKES = [
    kind(*_STATEMENT, sqlite3.Error("wrong"))
    for kind in (IntegrityError, ProgrammingError, DataError)
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_fault_of_the_database_is_translated(fault: Exception) -> None:
    """One line that says what is wrong, without the statement and what stood in it."""
    with pytest.raises(StoreUnavailableError) as caught, translated():
        raise fault

    text = str(caught.value)
    assert caught.value.__cause__ is fault
    assert text
    assert "\n" not in text
    assert "secret" not in text
    assert "argon2" not in text


@pytest.mark.parametrize(
    "mistake", [*MISTAKES, ValueError("ours")], ids=lambda mistake: type(mistake).__name__
)
def test_a_mistake_of_ours_stays_what_it_is(mistake: Exception) -> None:
    """Trying again does not help there: it must be seen, not waited for."""
    with pytest.raises(type(mistake)), translated():
        raise mistake
