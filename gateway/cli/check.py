"""``gateway check``."""

from typing import Annotated

import typer

from gateway.cli.loading import (
    DEFAULT_CONFIG,
    EXIT_CHECK_FAILED,
    ConfigPath,
    exit_on_config_errors,
    load,
)
from gateway.cli.output import print_line
from gateway.config.compile import find_warnings


def check(
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on warnings too.")] = False,
) -> None:
    """Check the configuration as start-up does, and warn of what is allowed but unwise.

    Exit codes: 0, 1 (--strict and there are warnings), 2 (the configuration has errors).
    """
    with exit_on_config_errors():
        loaded = load(config)
    warnings = find_warnings(loaded.config, loaded.snapshot)
    for warning in warnings:
        print_line(str(warning), style="yellow")
    if loaded.key_is_ephemeral:
        print_line("note: there is no signing key yet; the first start makes one")
    snapshot = loaded.snapshot
    counts = f"routes: {len(snapshot.routes)}, upstreams: {len(snapshot.upstreams)}"
    noun = "warning" if len(warnings) == 1 else "warnings"
    print_line(f"{config}: ok ({counts}, {len(warnings)} {noun})", style="green")
    if strict and warnings:
        raise typer.Exit(EXIT_CHECK_FAILED)
