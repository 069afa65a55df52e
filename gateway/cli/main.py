"""The ``gateway`` command: its table of subcommands, and how it ends."""

import os
import sys
from typing import Annotated, Final, Literal

import typer

from gateway.cli.api_keys import api_keys_app
from gateway.cli.check import check
from gateway.cli.demo import demo
from gateway.cli.explain import explain
from gateway.cli.keys import keys_app
from gateway.cli.passwords import hash_password
from gateway.cli.routes import routes
from gateway.cli.run import run
from gateway.cli.schema import schema
from gateway.cli.sessions import sessions_app
from gateway.cli.token import token_app
from gateway.cli.users import users_app

_DISTRIBUTION: Final = "auth-gateway"

# In a pipe Typer's own boxes would be in the way as well.
_ON_TERMINAL: Final = sys.stdout.isatty() and sys.stderr.isatty()
_MARKUP: Final[Literal["rich"] | None] = "rich" if _ON_TERMINAL else None

app = typer.Typer(
    name="gateway",
    help="An authentication gateway for HTTP services that know nothing of tokens.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=_MARKUP,
)
app.command(short_help="Run the gateway.")(run)
app.command(short_help="Check the configuration.")(check)
app.command(short_help="List the routes.")(routes)
app.command(short_help="Tell what would become of a request, and why.")(explain)
app.command(short_help="Print the configuration's JSON Schema.")(schema)
app.command("hash-password", short_help="Make a hash for password_hash.")(hash_password)
app.add_typer(users_app, name="users")
app.add_typer(sessions_app, name="sessions")
app.add_typer(api_keys_app, name="api-keys")
app.add_typer(keys_app, name="keys")
app.add_typer(token_app, name="token")
app.command(short_help="Show it all at work.")(demo)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 (Typer calls it so)
    if not wanted:
        return
    import importlib.metadata  # noqa: PLC0415 (it takes as long to load as Typer does)

    try:
        version = importlib.metadata.version(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that is not installed
        version = "(not installed)"
    print(f"gateway {version}")
    raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line and exit; a closed pipe and Ctrl-C end it without a word."""
    try:
        try:
            app(prog_name="gateway")
        finally:
            sys.stdout.flush()  # here and not at exit, where nobody could catch what it raises
    except BrokenPipeError:
        # What is still buffered has nowhere to go; let the interpreter's last flush find a sink.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
