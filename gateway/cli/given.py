"""What is given on the command line, held to the same rules as in the configuration file.

The rule to keep in mind: what the file would refuse, a command refuses too, in the same words.
"""

import json
from collections.abc import Iterable
from typing import Annotated, Any, Final, NoReturn, TypeAlias

import typer
from pydantic import TypeAdapter, ValidationError

from gateway.cli.passwords import read_line, read_password_hash
from gateway.config.fields import Scope, Text, WholeSeconds
from gateway.config.secret_values import PasswordHash

Roles: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--role", metavar="ROLE", help="A role; may be repeated. '' is none."),
]
Scopes: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--scope", metavar="SCOPE", help="A scope; may be repeated. '' is none."),
]
Attributes: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        metavar="KEY=VALUE",
        help="Anything else; may be repeated. KEY=VALUE is text, KEY:=VALUE is JSON.",
    ),
]
HashOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--password-hash",
        metavar="HASH",
        help="Instead of a password; - reads it from standard input, which no one else sees.",
    ),
]

_TEXT: Final[TypeAdapter[Any]] = TypeAdapter(Text)
_SCOPE: Final[TypeAdapter[Any]] = TypeAdapter(Scope)
_LIFETIME: Final[TypeAdapter[Any]] = TypeAdapter(WholeSeconds)
_HASH: Final[TypeAdapter[Any]] = TypeAdapter(PasswordHash)


def parse_roles(given: Iterable[str]) -> tuple[str, ...]:
    """Return the roles, each once, in their order."""
    return _parse_list(_TEXT, given, "--role")


def parse_scopes(given: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes, each once, in their order."""
    return _parse_list(_SCOPE, given, "--scope")


def parse_attributes(given: Iterable[str]) -> dict[str, Any]:
    """Return the attributes; the last value of a key counts."""
    return dict(_parse_attribute(text) for text in given if text)


def parse_lifetime(given: str, option: str = "--lifetime") -> int:
    """Return a duration as the file writes it, in seconds."""
    seconds: int = _parse(_LIFETIME, given, option)
    return seconds


def read_hash(given: str) -> str:
    """Return the hash that is given, or that of a password that is asked for."""
    if not given:
        return read_password_hash()
    text = read_line("hash").strip() if given == "-" else given
    password_hash: str = _parse(_HASH, text, "--password-hash").get_secret_value()
    return password_hash


def _parse_list(adapter: TypeAdapter[Any], given: Iterable[str], option: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_parse(adapter, text, option) for text in given if text))


def _parse_attribute(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator:
        _refuse("an attribute is KEY=VALUE, or KEY:=VALUE with JSON", "--attribute")
    is_json = key.endswith(":")
    key = _parse(_TEXT, key.removesuffix(":"), "--attribute")
    return key, _parse_json(value) if is_json else _check_unicode(value)


def _parse_json(text: str) -> Any:  # noqa: ANN401 (any JSON value)
    try:
        return _check_unicode(json.loads(text, parse_constant=_refuse_constant))
    except (ValueError, RecursionError):
        _refuse("the value after := is not JSON; text is KEY=VALUE", "--attribute")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and the infinities are not JSON (RFC 8259 section 6)


def _check_unicode(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """Return *value* if a token can carry it: no lone surrogate in it."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        _refuse("the value is not valid Unicode", "--attribute")
    return value


def _parse(adapter: TypeAdapter[Any], text: str, option: str) -> Any:  # noqa: ANN401 (the adapter's)
    try:
        return adapter.validate_python(text)
    except ValidationError as error:
        context = error.errors(include_url=False, include_input=False)[0].get("ctx", {})
        fault = str(context.get("fault", "")).replace("{value}", f"'{text}'")
        _refuse(f"{fault}; {context.get('cure', '')}".removesuffix("; "), option)


def _refuse(fault: str, option: str) -> NoReturn:
    raise typer.BadParameter(fault, param_hint=option)
