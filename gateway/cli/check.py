"""``gateway check``."""

import time
from typing import Annotated

import typer

from gateway.cli.loading import (
    DEFAULT_CONFIG,
    EXIT_CHECK_FAILED,
    ConfigPath,
    exit_on_config_errors,
    load,
    look_at_others,
    look_at_store,
)
from gateway.cli.output import print_line
from gateway.config.compile import find_warnings
from gateway.config.secrets import ConfigWarning
from gateway.tls import check_tls


def check(
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on warnings too.")] = False,
) -> None:
    """Check the configuration as start-up does, and warn of what is allowed but unwise.

    The store is looked at, and left as it is: one that cannot be reached now is a warning. So is an
    issuer whose keys cannot be read.

    Exit codes: 0, 1 (--strict and there are warnings), 2 (the configuration has errors, or the
    store cannot be used with it).
    """
    with exit_on_config_errors():
        loaded = load(config)
        now_s = time.time()  # noqa: TID251 (the edge of the process: read here once, passed on)
        tls_warnings = check_tls(loaded.config, now_s)
        store = look_at_store(loaded.config)
        _, key_warnings = look_at_others(loaded.config)
    warnings = [*tls_warnings, *find_warnings(loaded.config, loaded.snapshot)]
    if store.outage:
        warnings.append(ConfigWarning(loaded.config.place("store"), store.outage))
    warnings += key_warnings
    for warning in warnings:
        print_line(str(warning), style="yellow")
    if store.note:
        print_line(f"note: {store.note}")
    snapshot = loaded.snapshot
    counts = f"routes: {len(snapshot.routes)}, upstreams: {len(snapshot.upstreams)}"
    noun = "warning" if len(warnings) == 1 else "warnings"
    print_line(f"{config}: ok ({counts}, {len(warnings)} {noun})", style="green")
    if strict and warnings:
        raise typer.Exit(EXIT_CHECK_FAILED)
