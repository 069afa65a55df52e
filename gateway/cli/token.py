"""``gateway token``: what a token says, whether this gateway would believe it, and new ones."""

import binascii
import json
import sys
import time
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.cli.finding import find_user
from gateway.cli.given import parse_lifetime
from gateway.cli.loading import (
    DEFAULT_CONFIG,
    EXIT_CHECK_FAILED,
    AsJson,
    ConfigPath,
    load_with_keys,
)
from gateway.cli.opening import Opened, RefusalError, act, ask
from gateway.cli.output import print_error, print_heading, print_json, print_line, print_rows
from gateway.config.fields import format_duration
from gateway.desk import open_ring, token_settings
from gateway.errors import ConfigError, ConfigErrors, CredentialError, Reason
from gateway.issuer.mint import Minter, make_id
from gateway.policy.tokens import parse_json_object

_TIMES: Final[tuple[str, ...]] = ("iat", "nbf", "exp")
_LAST_READABLE_S: Final = 253_402_300_799  # 9999-12-31, where ``datetime`` ends
_PARTS_COUNT: Final = 3

token_app = typer.Typer(help="Look at tokens, and make them.", no_args_is_help=True)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a token was verified: True, False with a reason, or None: it was not tried."""

    verified: bool | None
    detail: str


@token_app.command("inspect", short_help="Show what a token says.")
def inspect(
    token: Annotated[
        str, typer.Argument(help="The token; better from standard input, which no one else sees.")
    ] = "",
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Show a token's header and claims, and whether it verifies under the configuration.

    Of the store only the keys are read: a token that has been revoked verifies here.

    Exit codes: 0, 1 (it is no token, or the configuration can be read and it does not verify).
    """
    text = (token or sys.stdin.readline()).strip().removeprefix("Bearer ").strip()
    try:
        header, claims = decode_unverified(text)
    except CredentialError as error:
        print_error(f"{error.reason}: {error.detail}")
        raise typer.Exit(EXIT_CHECK_FAILED) from None
    now_s = time.time()  # noqa: TID251 (the edge of the process: read here once, passed on)
    verdict = judge(text, config, now_s)
    times = {name: tell_time(claims[name], now_s) for name in _TIMES if name in claims}
    if as_json:
        shown = {"verified": verdict.verified, "detail": verdict.detail}
        print_json({**shown, "header": header, "claims": claims, "times": times})
    else:
        _print(header, claims, times, verdict)
    if verdict.verified is False:
        raise typer.Exit(EXIT_CHECK_FAILED)


@token_app.command("issue", short_help="Print a token for a user.")
def issue(
    name: Annotated[str, typer.Argument(help="Of the store or the file.")],
    lifetime: Annotated[
        str, typer.Option(metavar="DURATION", help="At most access_lifetime, its default.")
    ] = "",
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Print an access token for a user, without a password, a session or a running gateway.

    Whoever has it is the user until it expires: nothing refreshes it. `POST /logout` with it ends
    it, and so does `gateway sessions revoke --user NAME`.

    Exit codes: 0, 1 (there is no such user, or it is disabled), 2 (bad usage or configuration).
    """
    longest_s = ask(config, lambda read: read.settings.tokens.access_lifetime)
    lifetime_s = parse_lifetime(lifetime) if lifetime else longest_s
    if lifetime_s > longest_s:
        # What revokes a token is forgotten once any token of the usual lifetime has expired.
        fault = f"a token counts no longer than access_lifetime ({format_duration(longest_s)})"
        raise typer.BadParameter(fault, param_hint="--lifetime")

    async def work(opened: Opened) -> str:
        user = await find_user(opened, name)
        if user.disabled:
            raise RefusalError(
                f"'{user.username}' is disabled\n  `gateway users enable` lets the user in again"
            )
        ring = await open_ring(opened.config, opened.desk, opened.now_s)
        minter = Minter(ring.signing, token_settings(opened.config))
        now_s, session_id = opened.now_s, make_id()
        try:
            token = minter.mint(user, session_id=session_id, now_s=now_s, lifetime_s=lifetime_s)
        except ValueError as error:
            raise RefusalError(str(error)) from None
        return token.text

    print(act(config, work))


def decode_unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a token's header and claims, whoever signed it.

    Raises:
        CredentialError: ``token_malformed``: it has no such parts.
    """
    parts = token.encode("utf-8", "surrogateescape").split(b".")
    if len(parts) != _PARTS_COUNT:
        raise CredentialError(Reason.TOKEN_MALFORMED, "A token has three parts between two dots.")
    try:
        header, claims = (urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in parts[:2])
    except binascii.Error:
        raise CredentialError(Reason.TOKEN_MALFORMED, "A part is not base64url.") from None
    return parse_json_object(header), parse_json_object(claims)


def judge(token: str, config: Path, now_s: float) -> Verdict:
    """Verify a token as the gateway does, where there is a configuration to do it with."""
    try:
        loaded = load_with_keys(config)
    except (ConfigError, ConfigErrors) as error:
        first_line = str(error).partition("\n")[0]
        return Verdict(None, f"there is no configuration to verify it with ({first_line})")
    if loaded.key_is_ephemeral:
        return Verdict(None, loaded.why_no_key)
    try:
        loaded.snapshot.verifier.verify(token.encode("utf-8", "surrogateescape"), now_s)
    except CredentialError as error:
        unknown = error.reason is Reason.KEYS_UNAVAILABLE
        return Verdict(None if unknown else False, f"{error.reason}: {error.detail}")
    return Verdict(verified=True, detail=f"it counts under {config}, unless it was revoked")


def tell_time(value: object, now_s: float) -> str:
    """Return a NumericDate (seconds since the epoch) as people read it."""
    if type(value) is not int or not 0 <= value <= _LAST_READABLE_S:
        return "not a time"
    moment = datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    distance = timedelta(seconds=abs(round(value - now_s)))
    return f"{moment}, {distance} ago" if value <= now_s else f"{moment}, in {distance}"


def _print(
    header: dict[str, Any], claims: dict[str, Any], times: dict[str, str], verdict: Verdict
) -> None:
    match verdict.verified:
        case True:
            print_line(f"verified: {verdict.detail}", style="green")
        case False:
            print_line(f"refused: {verdict.detail}", style="red")
        case None:
            print_line(f"not verified: {verdict.detail}", style="yellow")
    for title, members in (("header", header), ("claims", claims)):
        print_heading(title)
        print_rows([(f"  {n}", _text(v), times.get(n, "")) for n, v in members.items()])


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
