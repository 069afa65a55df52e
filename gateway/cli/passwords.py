"""``gateway hash-password``, and how every command comes by a password: never as an argument."""

import getpass
import sys

import typer

from gateway.cli.output import print_error
from gateway.issuer.passwords import UnfitPasswordError
from gateway.issuer.passwords import hash_password as make_hash

_EXIT_BAD_USAGE = 2


def hash_password() -> None:
    """Read a password, one line of standard input, and print its hash for `password_hash`.

    On a terminal it is asked for twice and not shown.
    """
    print(read_password_hash())


def read_password_hash() -> str:
    """Read a password as ``hash_password`` does and return its hash; exit with 2 where it is none.

    Not inside of a running event loop, which would keep Ctrl-C from ending the wait.
    """
    try:
        return make_hash(_ask() if sys.stdin.isatty() else read_line("password"))
    except UnfitPasswordError as error:
        print_error(str(error))
        raise typer.Exit(_EXIT_BAD_USAGE) from None


def read_line(what: str) -> str:
    """Return a line of standard input without its end; exit with 2 where it is not UTF-8."""
    try:
        return sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError:
        print_error(f"the {what} is not UTF-8")
        raise typer.Exit(_EXIT_BAD_USAGE) from None


def _ask() -> str:
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise UnfitPasswordError("the two passwords differ")
    return password
