"""From ``--config`` to a snapshot, the way the gateway itself gets there, but without side effects.

A command that only looks must leave nothing behind: where no signing key has been made yet, one is
made in memory and thrown away, and the command says so.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from gateway.cli.output import print_error
from gateway.config.compile import compile_snapshot
from gateway.config.load import Config, load_config
from gateway.config.token_settings import TokensSettings
from gateway.errors import ConfigError, ConfigErrors
from gateway.issuer.keys import make_signing_key
from gateway.policy.model import Snapshot
from gateway.server import KEY_FILE, build_key

DEFAULT_CONFIG: Final = Path("config/routes.yaml")
EXIT_CHECK_FAILED: Final = 1
EXIT_BAD_CONFIG: Final = 2

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
    key_is_ephemeral: bool  # no token that the live gateway made can verify


def load(path: Path) -> Loaded:
    """Read and compile a configuration.

    Raises:
        ConfigErrors: It has faults.
        ConfigError: Its signing key has one.
    """
    config = load_config(path, os.environ)
    tokens = config.settings.tokens
    ephemeral = _lacks_key(tokens)
    key = make_signing_key(tokens.algorithm) if ephemeral else build_key(config)
    return Loaded(config, compile_snapshot(config, (key.verification_key(),)), ephemeral)


def _lacks_key(tokens: TokensSettings) -> bool:
    """Whether the gateway would make a signing key at its next start."""
    configured = tokens.secret is not None or tokens.signing_key is not None
    return not configured and not KEY_FILE.exists()


@contextmanager
def exit_on_config_errors() -> Iterator[None]:
    """Print the faults of a configuration as they render themselves, and exit with 2."""
    try:
        yield
    except (ConfigErrors, ConfigError) as error:
        print_error(str(error))
        raise typer.Exit(EXIT_BAD_CONFIG) from None
