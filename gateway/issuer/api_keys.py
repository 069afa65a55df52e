"""API keys: made, listed, revoked, and looked up when one is presented.

The rule to keep in mind: a key never says more of its owner, nor allows more, than the owner has at
this moment; and of the owner's scopes only those that the key was made with.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from typing import Any, Final

from gateway.errors import Reason
from gateway.issuer.accounts import Accounts
from gateway.issuer.revoker import Revoker
from gateway.issuer.users import User
from gateway.policy.checked import ApiKey, Refused
from gateway.store import api_keys
from gateway.store.api_keys import StoredApiKey, digest_secret
from gateway.store.engine import Store, Writing
from gateway.store.revocations import Revocation

_ID_BYTES: Final = 16  # THREATS OPS-22: 128 random bits or more
_SECRET_BYTES: Final = 32
# Longer than any worker goes on with what it has looked up (``policy.checked``), and than clocks of
# hosts may differ by.
_REVOKED_FOR_S: Final = 3600.0
MAX_NAME_CHARS: Final = 255
MAX_LIFETIME_S: Final = 3650 * 86_400  # ten years, as the longest duration of the file

# From a user and an instant to the claims that a token of that user would have.
ClaimsOf = Callable[[User, int], dict[str, Any]]


class UnfitApiKeyError(ValueError):
    """There cannot be such a key; says why, for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey:
    """A key that is not kept yet."""

    owner_id: str
    name: str = ""
    scopes: tuple[str, ...] = ()
    lifetime_s: int | None = None  # None: it does not expire


class ApiKeys:
    """Makes, lists, revokes and looks up API keys.

    Args:
        store: Where they are.
        accounts: Their owners.
        revoker: Tells all workers of those that count no more.
    """

    __slots__ = ("_accounts", "_revoker", "_store")

    def __init__(self, store: Store, accounts: Accounts, revoker: Revoker) -> None:
        self._store = store
        self._accounts = accounts
        self._revoker = revoker

    async def create(self, new: NewApiKey, now_s: float) -> tuple[StoredApiKey, str]:
        """Keep a new key; return it and its text, which nobody can be told again.

        Raises:
            UnfitApiKeyError: There is no such owner, or the owner does not have a scope.
            StoreUnavailableError: See ``gateway.store.faults``.
        """
        made = ApiKey(secrets.token_hex(_ID_BYTES), secrets.token_hex(_SECRET_BYTES))
        key = StoredApiKey(
            id=made.id,
            secret_hash=digest_secret(made.secret),
            owner_id=new.owner_id,
            name=_check_name(new.name),
            scopes=new.scopes,
            created_at_s=now_s,
            expires_at_s=None if new.lifetime_s is None else floor(now_s) + new.lifetime_s,
        )
        async with self._store.write() as tx:
            owner = await self._accounts.find_by_id(tx, new.owner_id)
            if owner is None:
                raise UnfitApiKeyError("there is no such owner")
            lacking = [scope for scope in new.scopes if scope not in owner.scopes]
            if lacking:
                raise UnfitApiKeyError(f"the owner does not have the scope '{lacking[0]}'")
            await api_keys.add(tx, key)
        return key, made.compose()

    async def list_page(
        self, *, owner_id: str | None = None, after: str = "", limit: int = 100
    ) -> list[StoredApiKey]:
        """Return up to *limit* keys (of that owner) by their ids, from *after* on."""
        async with self._store.read() as tx:
            return await api_keys.list_page(tx, owner_id=owner_id, after=after, limit=limit)

    async def revoke(self, key_id: str, now_s: float) -> bool:
        """Let a key count no more; False where there is none.

        One that has been revoked is revoked once more: who asks again had no answer.

        Raises:
            StoreUnavailableError: See ``Revoker.carry_out``.
        """

        async def work(tx: Writing) -> tuple[bool, list[Revocation]]:
            if await api_keys.find(tx, key_id) is None:
                return False, []
            await api_keys.revoke(tx, key_id, now_s=now_s)
            return True, [self._revoker.of_token(key_id, now_s + _REVOKED_FOR_S)]

        return await self._revoker.carry_out(work)

    async def look_up(
        self, presented: ApiKey, claims_of: ClaimsOf, now_s: float
    ) -> dict[str, Any] | Refused:
        """Return the claims of a key that counts at *now_s*, or why it does not.

        Only who knows the secret is told whether there is such a key, and what has become of it.

        Raises:
            StoreUnavailableError: Nobody can say.
        """
        async with self._store.read() as tx:
            key = await api_keys.find(tx, presented.id)
            if key is None or not key.has_secret(presented.secret):
                return Refused(Reason.API_KEY_INVALID)
            if key.revoked_at_s is not None:
                return Refused(Reason.TOKEN_REVOKED, "The API key has been revoked.")
            if key.expires_at_s is not None and now_s >= key.expires_at_s:
                return Refused(Reason.TOKEN_EXPIRED, "The API key has expired.")
            owner = await self._accounts.find_by_id(tx, key.owner_id)
        if owner is None or owner.disabled:
            return Refused(Reason.API_KEY_INVALID)
        return _claims(key, owner, claims_of, now_s)


def _claims(key: StoredApiKey, owner: User, claims_of: ClaimsOf, now_s: float) -> dict[str, Any]:
    claims = claims_of(owner, floor(now_s)) | {"jti": key.id}
    scopes = [scope for scope in key.scopes if scope in owner.scopes]
    claims.pop("scope", None)
    if scopes:
        claims["scope"] = " ".join(scopes)
    if key.expires_at_s is not None:
        claims["exp"] = floor(key.expires_at_s)
    return claims


def _check_name(name: str) -> str:
    if len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise UnfitApiKeyError(f"a name has up to {MAX_NAME_CHARS} printable characters")
    return name
