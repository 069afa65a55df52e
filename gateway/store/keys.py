"""Signing keys: one of each algorithm signs, one may wait, others verify until their tokens end.

The rule to keep in mind: the database, not the gateways, sees to it that one key is current. Two
gateways that start at once both make a key, one is kept, and both sign with that one.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sqlalchemy import delete, select, update

from gateway.store.engine import AnyRow, Reading, Store, Writing
from gateway.store.faults import UnfitStoreError
from gateway.store.sealing import SealError, seal, unseal
from gateway.store.tables import signing_keys

MIN_STORE_KEY_BYTES: Final = 32
_PURPOSE: Final = "gateway: signing key at rest, version 1"


class KeyState(StrEnum):
    """Where a key is in its life."""

    NEXT = "next"  # published, so that verifiers know it before the first signature
    CURRENT = "current"  # signs
    RETIRING = "retiring"  # verifies


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that somebody has made and nobody keeps yet."""

    kid: str
    algorithm: str
    private_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key as the database keeps it, opened."""

    kid: str
    algorithm: str
    private_pem: bytes = field(repr=False)
    state: KeyState
    created_at_s: float
    current_from_s: float | None = None
    retiring_from_s: float | None = None
    verifies_until_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMark:
    """A key without its material: enough to see that something has changed, or is due."""

    kid: str
    algorithm: str
    state: KeyState
    created_at_s: float
    verifies_until_s: float | None


class KeyBox:
    """Seals private keys with the store key; without one they are kept as they are.

    Args:
        store_key: The secret of the configuration, or None.

    Raises:
        UnfitStoreError: It is too short to withstand guessing.
    """

    __slots__ = ("_store_key",)

    def __init__(self, store_key: bytes | None = None) -> None:
        if store_key is not None and len(store_key) < MIN_STORE_KEY_BYTES:
            raise UnfitStoreError(
                f"the store key has {len(store_key)} bytes; it needs {MIN_STORE_KEY_BYTES} or more",
                f"make one with `openssl rand -hex {MIN_STORE_KEY_BYTES}`",
            )
        self._store_key = store_key

    @property
    def seals(self) -> bool:
        """Whether there is a store key."""
        return self._store_key is not None

    def close(self, key: NewKey) -> bytes:
        """Return what the database is to hold."""
        if self._store_key is None:
            return key.private_pem
        return seal(key.private_pem, key=self._store_key, purpose=_PURPOSE, row=_row_name(key))

    def open(self, row: AnyRow) -> bytes:
        """Return the private key in PEM.

        Raises:
            UnfitStoreError: It is sealed with another store key.
        """
        kept: bytes = row.private_pem
        if not row.sealed:
            return kept
        if self._store_key is None:
            raise UnfitStoreError("the signing keys are sealed", "give the store_key")
        name = _row_name(row)
        try:
            return unseal(kept, key=self._store_key, purpose=_PURPOSE, row=name)
        except SealError:
            raise UnfitStoreError(
                f"the signing key {row.kid} does not open with this store_key",
                "give the store_key that was in force when it was made",
            ) from None


async def list_keys(tx: Reading, box: KeyBox) -> list[StoredKey]:
    """Return all keys, the oldest first.

    Raises:
        UnfitStoreError: One is sealed with another store key.
    """
    statement = select(signing_keys).order_by(signing_keys.c.created_at_s, signing_keys.c.kid)
    return [_key(row, box) for row in await tx.rows(statement)]


async def list_marks(tx: Reading) -> list[KeyMark]:
    """Return all keys without their material, the oldest first; nothing is opened."""
    old = signing_keys.c
    columns = (old.kid, old.algorithm, old.state, old.created_at_s, old.verifies_until_s)
    rows = await tx.rows(select(*columns).order_by(old.created_at_s, old.kid))
    return [
        KeyMark(
            kid=row.kid,
            algorithm=row.algorithm,
            state=KeyState(row.state),
            created_at_s=row.created_at_s,
            verifies_until_s=row.verifies_until_s,
        )
        for row in rows
    ]


async def ensure_current(
    store: Store, algorithm: str, make: Callable[[], NewKey], *, box: KeyBox, now_s: float
) -> StoredKey:
    """Return the key that signs with *algorithm*; make it where there is none.

    Args:
        store: The store; this takes transactions of its own.
        algorithm: What it must sign with.
        make: Makes a key, in a thread: RSA takes tenths of a second. Another gateway may be faster,
            and then what it makes is thrown away.
        box: The store key. A key that was kept in the clear before there was one is sealed now.
        now_s: The time.

    Raises:
        UnfitStoreError: The key is sealed with another store key.
        StoreUnavailableError: See ``gateway.store.faults``.
    """
    async with store.read() as tx:
        row = await _current(tx, algorithm)
    if row is None:
        made = await asyncio.to_thread(make)
        async with store.write() as tx:
            await _insert(tx, made, KeyState.CURRENT, box=box, now_s=now_s)
            row = await _current(tx, algorithm)
    if row is None:
        raise ValueError(f"the key that was made does not sign with {algorithm}")
    key = _key(row, box)
    if box.seals and not row.sealed:
        async with store.write() as tx:
            await _seal_all(tx, box)
    return key


async def add_next(tx: Writing, made: NewKey, *, box: KeyBox, now_s: float) -> bool:
    """Keep a key that will sign one day; False where one of its algorithm waits already."""
    return await _insert(tx, made, KeyState.NEXT, box=box, now_s=now_s)


async def promote(tx: Writing, kid: str, *, now_s: float, verifies_until_s: float) -> bool:
    """Let the key that waits sign, and the one that signed retire.

    Args:
        tx: The transaction.
        kid: Of the waiting key. Of several gateways that promote it at once, one does.
        now_s: The time.
        verifies_until_s: When the last token of the one that retires has expired.

    Returns:
        False where no such key waits (any more).
    """
    waiting = select(signing_keys).where(
        signing_keys.c.kid == kid, signing_keys.c.state == KeyState.NEXT.value
    )
    found = await tx.row(waiting.with_for_update())
    if found is None:
        return False
    retiring = update(signing_keys).where(
        signing_keys.c.algorithm == found.algorithm,
        signing_keys.c.state == KeyState.CURRENT.value,
    )
    await tx.execute(
        retiring.values(
            state=KeyState.RETIRING.value,
            retiring_from_s=now_s,
            verifies_until_s=verifies_until_s,
        )
    )
    signing = update(signing_keys).where(signing_keys.c.kid == kid)
    await tx.execute(signing.values(state=KeyState.CURRENT.value, current_from_s=now_s))
    return True


async def retire(tx: Writing, kid: str, *, now_s: float, verifies_until_s: float) -> bool:
    """Let a current key sign no more, without a successor (its algorithm is no longer used)."""
    chosen = update(signing_keys).where(
        signing_keys.c.kid == kid, signing_keys.c.state == KeyState.CURRENT.value
    )
    values = {
        "state": KeyState.RETIRING.value,
        "retiring_from_s": now_s,
        "verifies_until_s": verifies_until_s,
    }
    return await tx.execute(chosen.values(values)) == 1


async def purge(tx: Writing, *, now_s: float) -> int:
    """Delete the retired keys whose last token has expired."""
    return await tx.execute(
        delete(signing_keys).where(
            signing_keys.c.state == KeyState.RETIRING.value,
            signing_keys.c.verifies_until_s <= now_s,
        )
    )


async def _current(tx: Reading, algorithm: str) -> AnyRow | None:
    return await tx.row(
        select(signing_keys).where(
            signing_keys.c.algorithm == algorithm,
            signing_keys.c.state == KeyState.CURRENT.value,
        )
    )


async def _insert(tx: Writing, made: NewKey, state: KeyState, *, box: KeyBox, now_s: float) -> bool:
    values = {
        "kid": made.kid,
        "algorithm": made.algorithm,
        "state": state.value,
        "created_at_s": now_s,
        "current_from_s": now_s if state is KeyState.CURRENT else None,
        "private_pem": box.close(made),
        "sealed": box.seals,
    }
    return await tx.execute(tx.insert(signing_keys).values(values).on_conflict_do_nothing()) == 1


async def _seal_all(tx: Writing, box: KeyBox) -> None:
    plain = select(signing_keys).where(signing_keys.c.sealed.is_(False)).with_for_update()
    for row in await tx.rows(plain):
        key = NewKey(row.kid, row.algorithm, row.private_pem)
        sealing = update(signing_keys).where(signing_keys.c.kid == row.kid)
        await tx.execute(sealing.values(private_pem=box.close(key), sealed=True))


def _key(row: AnyRow, box: KeyBox) -> StoredKey:
    return StoredKey(
        kid=row.kid,
        algorithm=row.algorithm,
        private_pem=box.open(row),
        state=KeyState(row.state),
        created_at_s=row.created_at_s,
        current_from_s=row.current_from_s,
        retiring_from_s=row.retiring_from_s,
        verifies_until_s=row.verifies_until_s,
    )


def _row_name(key: NewKey | AnyRow) -> str:
    return f"{key.algorithm} {key.kid}"
