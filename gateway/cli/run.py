"""``gateway run``."""

import typer

from gateway.cli.loading import DEFAULT_CONFIG, ConfigPath, exit_on_config_errors
from gateway.server import serve


def run(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Run the gateway until SIGINT or SIGTERM; what is in flight then is finished first.

    Exit codes: 0, 2 (the configuration has errors, or an address of it is taken), 3 (a worker could
    not start).
    """
    with exit_on_config_errors():
        raise typer.Exit(serve(config))
