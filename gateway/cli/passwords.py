"""``gateway hash-password``."""

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
    try:
        password = _ask() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
        print(make_hash(password))
    except UnicodeDecodeError:
        print_error("the password is not UTF-8")
        raise typer.Exit(_EXIT_BAD_USAGE) from None
    except UnfitPasswordError as error:
        print_error(str(error))
        raise typer.Exit(_EXIT_BAD_USAGE) from None


def _ask() -> str:
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise UnfitPasswordError("the two passwords differ")
    return password
