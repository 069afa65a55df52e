"""Users: found by their canonical name, known by an id that never changes.

The rule to keep in mind: the id is what tokens and sessions carry. A name can be given to another
user one day, an id cannot, so nobody inherits what a token of the name's last owner allows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, select, update

from gateway.store.engine import AnyRow, Reading, Writing
from gateway.store.tables import users
from gateway.store.text import is_storable


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUser:
    """One person or program that can log in, as the database keeps it."""

    id: str
    username: str  # as given
    canonical_username: str  # by ``gateway.policy.users``; unique
    password_hash: str = field(repr=False)
    created_at_s: float
    updated_at_s: float
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)  # JSON values
    disabled: bool = False
    not_before_s: float = 0.0  # tokens issued before then count no more


async def add(tx: Writing, user: StoredUser) -> bool:
    """Keep a new user.

    Returns:
        False where the name or the id is taken; nothing has changed then.
    """
    values = {
        "id": user.id,
        "username": user.username,
        "canonical_username": user.canonical_username,
        "password_hash": user.password_hash,
        "roles": list(user.roles),
        "scopes": list(user.scopes),
        "attributes": dict(user.attributes),
        "disabled": user.disabled,
        "not_before_s": user.not_before_s,
        "created_at_s": user.created_at_s,
        "updated_at_s": user.updated_at_s,
    }
    return await tx.execute(tx.insert(users).values(values).on_conflict_do_nothing()) == 1


async def find_by_name(tx: Reading, canonical_username: str) -> StoredUser | None:
    """Return the user of that canonical name, which may be any text."""
    if not is_storable(canonical_username):
        return None
    row = await tx.row(select(users).where(users.c.canonical_username == canonical_username))
    return None if row is None else _user(row)


async def find_by_id(tx: Reading, user_id: str) -> StoredUser | None:
    """Return the user of that id."""
    if not is_storable(user_id):
        return None
    row = await tx.row(select(users).where(users.c.id == user_id))
    return None if row is None else _user(row)


async def hold(tx: Writing, user_id: str) -> StoredUser | None:
    """Return the user of that id, who stays as found until the transaction ends.

    A login that begins a session holds the user first. Then a ``set_disabled`` beside it either
    comes before, and is seen here, or after, and ends the new session with the others.
    """
    if not is_storable(user_id):
        return None
    statement = select(users).where(users.c.id == user_id).with_for_update()
    row = await tx.row(statement)
    return None if row is None else _user(row)


async def list_page(tx: Reading, *, after: str = "", limit: int = 100) -> list[StoredUser]:
    """Return up to *limit* users in the order of their canonical names, from *after* on."""
    name = users.c.canonical_username
    found = await tx.rows(select(users).where(name > after).order_by(name).limit(limit))
    return [_user(row) for row in found]


async def set_password_hash(
    tx: Writing, user_id: str, password_hash: str, *, now_s: float, replaces: str | None = None
) -> bool:
    """Keep another hash of the user's password.

    Args:
        tx: The transaction.
        user_id: Whose.
        password_hash: The new one.
        now_s: The time.
        replaces: The hash that it was made from, for an upgrade at login: a password that has been
            changed in the meantime stays.

    Returns:
        False where there is no such user, or another hash than *replaces*.
    """
    statement = update(users).where(users.c.id == user_id)
    if replaces is not None:
        statement = statement.where(users.c.password_hash == replaces)
    return await tx.execute(statement.values(password_hash=password_hash, updated_at_s=now_s)) == 1


async def set_disabled(tx: Writing, user_id: str, *, disabled: bool, now_s: float) -> bool:
    """Disable or enable a user; False where there is none. The caller ends the sessions."""
    statement = update(users).where(users.c.id == user_id)
    return await tx.execute(statement.values(disabled=disabled, updated_at_s=now_s)) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What a user may, and what is said of them: replaced as a whole."""

    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    attributes: Mapping[str, Any]


async def set_grants(tx: Writing, user_id: str, grants: Grants, *, now_s: float) -> bool:
    """Replace roles, scopes and attributes; False where there is no such user."""
    values = {
        "roles": list(grants.roles),
        "scopes": list(grants.scopes),
        "attributes": dict(grants.attributes),
        "updated_at_s": now_s,
    }
    return await tx.execute(update(users).where(users.c.id == user_id).values(values)) == 1


async def remove(tx: Writing, user_id: str) -> bool:
    """Remove a user; False where there is none. The caller ends the sessions."""
    return await tx.execute(delete(users).where(users.c.id == user_id)) == 1


def _user(row: AnyRow) -> StoredUser:
    values = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)
    values["roles"] = tuple(values["roles"])
    values["scopes"] = tuple(values["scopes"])
    return StoredUser(**values)
