"""From ``--config`` to a snapshot, the way the gateway itself gets there, but without side effects.

A command that only looks must leave nothing behind and must not need the database. Where the
configuration has no key, what verifies tokens are the keys of the store as they are now; where they
are not asked for, or cannot be had, a key that is made in memory and thrown away stands in, and the
command says so.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from gateway.cli.output import print_error
from gateway.config.compile import compile_snapshot
from gateway.config.load import Config, load_config
from gateway.config.secrets import ConfigWarning
from gateway.desk import configured_key, make_desk, store_url
from gateway.errors import ConfigError, ConfigErrors
from gateway.issuer.keys import UnfitKeyError, make_signing_key, parse_signing_key
from gateway.policy.model import Snapshot
from gateway.policy.signature import VerificationKey
from gateway.store.engine import Store
from gateway.store.faults import StoreUnavailableError, UnfitStoreError
from gateway.store.look import OutdatedStoreError, looked_at
from gateway.trust import look_at_keys

DEFAULT_CONFIG: Final = Path("config/routes.yaml")
EXIT_CHECK_FAILED: Final = 1
EXIT_BAD_CONFIG: Final = 2

_NO_KEY: Final = "there is no signing key yet; the first start makes one"

ConfigPath: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        envvar="GATEWAY_CONFIG",
        metavar="PATH",
        help="The configuration file.",
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a command works with."""

    config: Config
    snapshot: Snapshot
    keys: tuple[VerificationKey, ...] = field(repr=False)  # what verifies our own tokens
    why_no_key: str = ""  # why no token that the live gateway made can verify; empty where one can
    key_warnings: tuple[ConfigWarning, ...] = ()  # about those of other issuers

    @property
    def key_is_ephemeral(self) -> bool:
        """Whether the key of the snapshot is one that was made for the occasion."""
        return bool(self.why_no_key)


@dataclass(frozen=True, slots=True)
class StoreLook:
    """What a look at the store found."""

    keys: tuple[VerificationKey, ...] = ()  # none where the configuration has the key
    note: str = ""  # about a store that is not in use yet
    outage: str = ""  # why it could not be looked at


def load(path: Path) -> Loaded:
    """Read and compile a configuration, without a look at the store.

    Raises:
        ConfigErrors: It has faults.
        ConfigError: Its signing key has one.
    """
    config = load_config(path, os.environ)
    key = configured_key(config)
    keys = _stand_in(config) if key is None else (key.verification_key(),)
    why_no_key = "the store was not asked" if key is None else ""
    return Loaded(config, compile_snapshot(config, keys), keys, why_no_key)


def load_with_keys(path: Path) -> Loaded:
    """Read and compile a configuration, to verify tokens as the live gateway does.

    Raises:
        ConfigErrors: It has faults.
        ConfigError: Its signing key or its store has one.
    """
    loaded = load(path)
    config = loaded.config
    if loaded.key_is_ephemeral:
        found = look_at_store(config)
        why_no_key = "" if found.keys else found.outage or found.note or _NO_KEY
        loaded = replace(loaded, keys=found.keys or loaded.keys, why_no_key=why_no_key)
    others, warnings = look_at_others(config)
    return replace(
        loaded,
        snapshot=compile_snapshot(config, loaded.keys, others),
        key_warnings=tuple(warnings),
    )


def look_at_others(
    config: Config,
) -> tuple[dict[str, tuple[VerificationKey, ...]], list[ConfigWarning]]:
    """Read the keys of other issuers where they are, and say what is wrong with them."""
    return asyncio.run(look_at_keys(config)) if config.settings.issuers else ({}, [])


def look_at_store(config: Config) -> StoreLook:
    """Look at the store without changing it.

    Raises:
        ConfigError: It cannot be used as it is configured.
    """
    try:
        return asyncio.run(_look(config))
    except OutdatedStoreError as error:
        return StoreLook(note=str(error))
    except UnfitStoreError as error:
        raise ConfigError(config.place("store"), error.fault, error.cure) from None
    except StoreUnavailableError as error:
        return StoreLook(outage=f"the store cannot be reached: {error}")


@contextmanager
def exit_on_config_errors() -> Iterator[None]:
    """Print the faults of a configuration as they render themselves, and exit with 2."""
    try:
        yield
    except (ConfigErrors, ConfigError) as error:
        print_error(str(error))
        raise typer.Exit(EXIT_BAD_CONFIG) from None


async def _look(config: Config) -> StoreLook:
    async with looked_at(store_url(config)) as store:
        if configured_key(config) is not None:
            return StoreLook()
        keys = () if store is None else await _keys_of(config, store)
        return StoreLook(keys, note="" if keys else _NO_KEY)


async def _keys_of(config: Config, store: Store) -> tuple[VerificationKey, ...]:
    keeper = make_desk(config, store).check_keeper(config)
    try:
        return tuple(
            parse_signing_key(kept.algorithm, kept.private_pem).verification_key()
            for kept in await keeper.list_keys()
        )
    except UnfitKeyError as error:
        fault = f"the store holds a key that is none: {error.fault}"
        raise UnfitStoreError(fault, error.cure) from None


def _stand_in(config: Config) -> tuple[VerificationKey, ...]:
    return (make_signing_key(config.settings.tokens.algorithm).verification_key(),)
