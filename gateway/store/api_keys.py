"""API keys: found by their ids, proved by a secret of which only the hash is kept.

The rule to keep in mind: a key that has been revoked never comes back, and its row stays for a
while, so that who presents it is told so.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import delete, insert, or_, select, update

from gateway.store.engine import AnyRow, Reading, Writing
from gateway.store.tables import api_keys
from gateway.store.text import is_storable


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredApiKey:
    """One API key, as the database keeps it."""

    id: str  # stands in the key itself, and is no secret
    secret_hash: bytes = field(repr=False)
    owner_id: str  # the ``sub`` of a user, of the store or of the file
    name: str  # for people; may be empty
    scopes: tuple[str, ...]
    created_at_s: float
    expires_at_s: float | None = None  # None: it does not
    revoked_at_s: float | None = None

    def has_secret(self, secret: str) -> bool:
        """Whether the key was made with *secret*; two digests of one length are compared."""
        return hmac.compare_digest(self.secret_hash, digest_secret(secret))


def digest_secret(secret: str) -> bytes:
    """Return the SHA-256 of a key's secret.

    No salt and no slow hash: the secret has 256 random bits, and nobody guesses those.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


async def add(tx: Writing, key: StoredApiKey) -> None:
    """Keep a new key, with an id that was never used."""
    values = {
        "id": key.id,
        "secret_hash": key.secret_hash,
        "owner_id": key.owner_id,
        "name": key.name,
        "scopes": list(key.scopes),
        "created_at_s": key.created_at_s,
        "expires_at_s": key.expires_at_s,
        "revoked_at_s": key.revoked_at_s,
    }
    await tx.execute(insert(api_keys).values(values))


async def find(tx: Reading, key_id: str) -> StoredApiKey | None:
    """Return the key of that id, whether it counts or not."""
    if not is_storable(key_id):
        return None
    row = await tx.row(select(api_keys).where(api_keys.c.id == key_id))
    return None if row is None else _key(row)


async def list_page(
    tx: Reading, *, owner_id: str | None = None, after: str = "", limit: int = 100
) -> list[StoredApiKey]:
    """Return up to *limit* keys (of that owner) by their ids, from *after* on."""
    statement = select(api_keys).where(api_keys.c.id > after)
    if owner_id is not None:
        if not is_storable(owner_id):
            return []
        statement = statement.where(api_keys.c.owner_id == owner_id)
    found: Sequence[AnyRow] = await tx.rows(statement.order_by(api_keys.c.id).limit(limit))
    return [_key(row) for row in found]


async def revoke(tx: Writing, key_id: str, *, now_s: float) -> bool:
    """Let a key count no more; False where there is none that has not been revoked."""
    if not is_storable(key_id):
        return False
    chosen = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at_s.is_(None))
    return await tx.execute(chosen.values(revoked_at_s=now_s)) == 1


async def remove_of_owner(tx: Writing, owner_id: str) -> int:
    """Delete all keys of a user; return how many there were."""
    return await tx.execute(delete(api_keys).where(api_keys.c.owner_id == owner_id))


async def purge(tx: Writing, *, before_s: float) -> int:
    """Delete the keys that have expired or been revoked before *before_s*."""
    ended = or_(api_keys.c.expires_at_s < before_s, api_keys.c.revoked_at_s < before_s)
    return await tx.execute(delete(api_keys).where(ended))


def _key(row: AnyRow) -> StoredApiKey:
    values = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)
    values["scopes"] = tuple(values["scopes"])
    return StoredApiKey(**values)
