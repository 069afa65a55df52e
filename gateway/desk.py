"""What acts on the store, built from the configuration: by each worker, and by each command.

The rule to keep in mind: who opens a desk closes it, and a command's desk has no table of
revocations: what it revokes, the workers hear within a second.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.config.load import Config
from gateway.errors import ConfigError
from gateway.issuer.accounts import Accounts
from gateway.issuer.api_keys import ApiKeys
from gateway.issuer.credential_check import CredentialCheck
from gateway.issuer.key_ring import KeyRing
from gateway.issuer.key_rotation import KeyKeeper, KeyPolicy
from gateway.issuer.keys import SigningKey, UnfitKeyError, parse_signing_key, secret_key
from gateway.issuer.login import Login
from gateway.issuer.mint import TokenSettings, claims_of
from gateway.issuer.revocation_table import RevocationTable
from gateway.issuer.revoker import Revoker
from gateway.issuer.sessions import Sessions
from gateway.issuer.user_admin import UserAdmin
from gateway.issuer.users import FileUsers, User
from gateway.policy.tokens import Issuer
from gateway.store.engine import Store
from gateway.store.faults import StoreUnavailableError, UnfitStoreError
from gateway.store.keys import KeyBox
from gateway.store.look import looked_at
from gateway.store.migrate import open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The store, and what acts on it."""

    store: Store
    accounts: Accounts
    revoker: Revoker
    sessions: Sessions
    users: UserAdmin
    api_keys: ApiKeys
    keeper: KeyKeeper | None  # None: the configuration has the key

    def check_keeper(self, config: Config) -> KeyKeeper:
        """Return what keeps the keys.

        Raises:
            ConfigError: They are not kept in the store.
        """
        if self.keeper is None:
            raise key_is_configured(config)
        return self.keeper


def make_desk(config: Config, store: Store, table: RevocationTable | None = None) -> Desk:
    """Build a desk on an open store.

    Args:
        config: The configuration.
        store: The store; it stays its owner's to close.
        table: Of the process's host; None for a command.

    Raises:
        ConfigError: The store key is unfit, or the users of the file cannot be told apart.
    """
    file_users = make_file_users(config)
    revoker = Revoker(store, table, token_lifetime_s=token_lifetime_s(config))
    keeper = None
    if configured_key(config) is None:
        policy = KeyPolicy(
            algorithm=config.settings.tokens.algorithm, token_lifetime_s=token_lifetime_s(config)
        )
        keeper = KeyKeeper(store, _key_box(config), policy)
    accounts = Accounts(file_users)
    return Desk(
        store=store,
        accounts=accounts,
        revoker=revoker,
        sessions=Sessions(store, revoker),
        users=UserAdmin(store, revoker, file_users),
        api_keys=ApiKeys(store, accounts, revoker),
        keeper=keeper,
    )


@asynccontextmanager
async def open_desk(config: Config) -> AsyncIterator[Desk]:
    """Open the store, made or brought up to date first, and a command's desk on it.

    Raises:
        ConfigError: The store cannot be used or reached, now or while the desk is open.
    """
    with store_faults(config):
        async with await open_store(store_url(config)) as store:
            yield make_desk(config, store)


@asynccontextmanager
async def look_at_desk(config: Config) -> AsyncIterator[Desk | None]:
    """Open the store for reading, as it is, and a desk on it; None where there is no store yet.

    Raises:
        ConfigError: As ``open_desk``.
    """
    with store_faults(config):
        async with looked_at(store_url(config)) as store:
            yield None if store is None else make_desk(config, store)


@contextmanager
def store_faults(config: Config) -> Iterator[None]:
    """Turn the faults of the store into errors that say where it is configured.

    Raises:
        ConfigError: The store cannot be used, or cannot be reached.
    """
    try:
        yield
    except UnfitStoreError as error:
        raise ConfigError(config.place("store"), error.fault, error.cure) from None
    except StoreUnavailableError as error:
        raise ConfigError(
            config.place("store"),
            f"the store cannot be reached: {error}",
            "start the database, or mend the URL",
        ) from None


def store_url(config: Config) -> str:
    """Return where the store is."""
    return config.settings.store.get_secret_value()


def token_lifetime_s(config: Config) -> float:
    """Return how long an access token can count after it was issued."""
    tokens = config.settings.tokens
    return float(tokens.access_lifetime + tokens.leeway)


def token_settings(config: Config) -> TokenSettings:
    """Return what every token of ours says."""
    tokens = config.settings.tokens
    return TokenSettings(
        issuer=tokens.issuer,
        audience=tokens.audience,
        access_lifetime_s=tokens.access_lifetime,
        claims=tokens.claims,
    )


def make_credential_check(
    config: Config, desk: Desk, login: Login, epoch: Callable[[], int], clock: Callable[[], float]
) -> CredentialCheck:
    """Return what looks up API keys and passwords for one worker; *epoch* as it knows it."""
    settings = token_settings(config)
    issuer = Issuer(name=settings.issuer, audiences=frozenset(settings.audience), keys=())
    return CredentialCheck(
        api_keys=desk.api_keys,
        login=login,
        claims_of=partial(_claims_of, settings),
        issuer=issuer,
        epoch=epoch,
        clock=clock,
    )


def _claims_of(settings: TokenSettings, user: User, now_s: int) -> dict[str, Any]:
    return claims_of(user, settings, now_s)


def configured_key(config: Config) -> SigningKey | None:
    """Return the key that the configuration has; None where the gateway makes and keeps keys.

    Raises:
        ConfigError: It cannot be used.
    """
    tokens = config.settings.tokens
    try:
        if tokens.secret is not None:
            return secret_key(tokens.algorithm, tokens.secret.get_secret_value().encode())
        if tokens.signing_key is not None:
            pem = tokens.signing_key.get_secret_value().encode()
            return parse_signing_key(tokens.algorithm, pem)
    except UnfitKeyError as error:
        place = config.place("tokens", "secret" if tokens.secret else "signing_key")
        raise ConfigError(place, error.fault, error.cure) from None
    return None


def key_is_configured(config: Config) -> ConfigError:
    """Return what to raise where keys are to be kept, and the configuration has one."""
    name = "secret" if config.settings.tokens.secret is not None else "signing_key"
    return ConfigError(
        config.place("tokens", name),
        "the key stands in the configuration, not in the store",
        f"remove '{name}' to let the gateway keep keys, or change it there",
    )


async def open_ring(config: Config, desk: Desk, now_s: float) -> KeyRing:
    """Return the keys as they are now; the first gateway on a database makes the first one.

    Raises:
        ConfigError: The configured key cannot be used.
        UnfitStoreError: The keys of the store cannot be used.
        StoreUnavailableError: They cannot be read.
    """
    key = configured_key(config)
    if key is not None:
        return KeyRing(key)
    return await desk.check_keeper(config).open(now_s)


def make_file_users(config: Config) -> FileUsers:
    """Return the users of the configuration file.

    Raises:
        ConfigError: They cannot be told apart.
    """
    try:
        return FileUsers(
            User(
                id=user.id or "",
                username=user.username,
                password_hash=user.password_hash.get_secret_value(),
                roles=user.roles,
                scopes=user.scopes,
                attributes=user.attributes,
            )
            for user in config.settings.users
        )
    except ValueError as error:
        cure = "give each user a name and an id of its own"
        raise ConfigError(config.place("users"), str(error), cure) from None


def _key_box(config: Config) -> KeyBox:
    store_key = config.settings.store_key
    try:
        return KeyBox(None if store_key is None else store_key.get_secret_value().encode())
    except UnfitStoreError as error:
        raise ConfigError(config.place("store_key"), error.fault, error.cure) from None
