"""The issuer on a real store, put together as a worker has it, with a hasher that costs nothing."""

import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.issuer.accounts import Accounts
from gateway.issuer.api_keys import ApiKeys
from gateway.issuer.grants import Grant, Granter, Lifetimes, Visitor
from gateway.issuer.login import Attempt, Login
from gateway.issuer.mint import Minter, TokenSettings
from gateway.issuer.passwords import PasswordChecker
from gateway.issuer.revocation_table import RevocationTable
from gateway.issuer.revocations import RevocationView
from gateway.issuer.revoker import Revoker
from gateway.issuer.sessions import Sessions
from gateway.issuer.throttle import Wait
from gateway.issuer.user_admin import NewUser, UserAdmin
from gateway.issuer.users import FileUsers, User
from gateway.policy.tokens import Issuer, VerifiedToken
from gateway.store.engine import Store
from gateway.store.users import StoredUser
from tests.kit.stores import DAY_S
from tests.unit.issuer.fakes import NOW_S, CountingHasher, key_for

PASSWORD: Final = "canary-password"
ADDRESS: Final = "203.0.113.7"
ACCESS_S: Final = 60
LEEWAY_S: Final = 30
LIFETIMES: Final = Lifetimes(idle_s=int(DAY_S), absolute_s=int(30 * DAY_S))
SETTINGS: Final = TokenSettings(
    issuer="https://gw.test", audience=("gateway",), access_lifetime_s=ACCESS_S
)
ISSUER: Final = Issuer(name="https://gw.test", audiences=frozenset(("gateway",)), keys=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuing:
    """One process's issuer; aymen is a user of the file."""

    store: Store
    table: RevocationTable
    view: RevocationView
    hasher: CountingHasher
    passwords: PasswordChecker
    revoker: Revoker
    granter: Granter
    sessions: Sessions
    users: UserAdmin
    api_keys: ApiKeys
    login: Login

    async def try_login(
        self,
        username: str = "aymen",
        password: str = PASSWORD,
        *,
        now_s: float = NOW_S,
        address: str = ADDRESS,
    ) -> Grant | Wait | None:
        """Log in, or be told why not."""
        visitor = Visitor(address=address, user_agent="tests")
        attempt = Attempt(username=username, password=password, visitor=visitor)
        return await self.login.authenticate(attempt, now_s)

    async def log_in(
        self, username: str = "aymen", password: str = PASSWORD, *, now_s: float = NOW_S
    ) -> Grant:
        """Log in; it must work."""
        grant = await self.try_login(username, password, now_s=now_s)
        assert isinstance(grant, Grant)
        return grant

    async def add_user(self, username: str = "zoe", password: str = PASSWORD) -> StoredUser:
        """Keep a user in the store."""
        new = NewUser(
            username=username, password_hash=self.hasher.hash_of(password), roles=("customer",)
        )
        return await self.users.add(new, NOW_S)

    def counts(self, grant: Grant, now_s: float = NOW_S) -> bool:
        """Whether the access token of *grant* is let in, as far as revocations are concerned."""
        return not self.view.is_revoked(verified(grant), now_s)


def claims_of(grant: Grant) -> dict[str, Any]:
    """Return what the access token says."""
    payload = grant.access_token.text.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=="))
    return claims


def verified(grant: Grant) -> VerifiedToken:
    """Return the access token as the data plane has verified it."""
    return VerifiedToken(claims_of(grant), ISSUER)


@asynccontextmanager
async def issuing(
    store: Store, folder: Path, *, threads: int = 2, waiting: int = 32
) -> AsyncIterator[Issuing]:
    """Put an issuer together on *store*, with a table of revocations below *folder*."""
    hasher = CountingHasher()
    aymen = User(
        username="aymen",
        password_hash=hasher.hash_of(PASSWORD),
        roles=("customer",),
        scopes=("a:b",),
    )
    file_users = FileUsers([aymen])
    accounts = Accounts(file_users)
    table = RevocationTable.create(folder / "revocations", 64)
    table.stamp_contact(NOW_S)
    revoker = Revoker(store, table, token_lifetime_s=ACCESS_S + LEEWAY_S)
    granter = Granter(store, accounts, Minter(key_for("HS256"), SETTINGS), revoker, LIFETIMES)
    passwords = PasswordChecker(hasher, threads=threads, waiting=waiting)
    try:
        yield Issuing(
            store=store,
            table=table,
            view=RevocationView(table),
            hasher=hasher,
            passwords=passwords,
            revoker=revoker,
            granter=granter,
            sessions=Sessions(store, revoker),
            users=UserAdmin(store, revoker, file_users),
            api_keys=ApiKeys(store, accounts, revoker),
            login=Login(store, accounts, passwords, granter),
        )
    finally:
        passwords.close()
        table.close()
