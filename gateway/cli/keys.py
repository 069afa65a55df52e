"""``gateway keys``: what signs, what is to sign next, and what still verifies."""

from pathlib import Path
from typing import Any, Final

import typer

from gateway.cli.loading import DEFAULT_CONFIG, AsJson, ConfigPath
from gateway.cli.opening import Opened, RefusalError, act, ask, look
from gateway.cli.output import print_json, print_line, print_rows, tell_moment
from gateway.config.load import Config
from gateway.control.admin_keys import describe_key
from gateway.desk import configured_key, key_is_configured, open_ring
from gateway.issuer.key_rotation import KeyKeeper
from gateway.issuer.keys import SigningKey
from gateway.store.keys import KeyState, StoredKey

_HEADER: Final = ("KID", "ALGORITHM", "STATE", "SINCE", "VERIFIES-UNTIL")

keys_app = typer.Typer(help="The keys that sign tokens.", no_args_is_help=True)


@keys_app.command("list", short_help="List the signing keys.")
def list_all(config: ConfigPath = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """List the keys, the oldest first.

    States: next (published, and will sign), current (signs), retiring (verifies until its last
    token has expired), configured (it stands in the configuration, and none is kept).
    """
    configured = ask(config, configured_key)
    listed = _list_stored(config) if configured is None else [_describe_configured(configured)]
    if as_json:
        print_json(listed)
    else:
        print_rows((_row(key) for key in listed), header=_HEADER)


@keys_app.command("rotate", short_help="Publish a new key, which will sign soon.")
def rotate(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Make a new key and publish it. It signs once every verifier had the time to hear of it.

    That is when the last token has expired that was issued before. A running gateway sees to it;
    the old key verifies until its own last token has expired.

    Exit codes: 0, 1 (one waits already), 2 (bad configuration, or the key stands in it).
    """
    ask(config, _check_kept)  # before a store is made in vain

    async def work(opened: Opened) -> float:
        keeper = opened.desk.check_keeper(opened.config)
        await open_ring(opened.config, opened.desk, opened.now_s)  # the first key, if need be
        signs_from_s = await keeper.rotate(opened.now_s)
        if signs_from_s is None:
            raise await _one_waits(keeper, opened)
        return signs_from_s

    print_line(f"a new key is published; it signs from {tell_moment(act(config, work))} on")


def _check_kept(config: Config) -> None:
    if configured_key(config) is not None:
        raise key_is_configured(config)


async def _one_waits(keeper: KeyKeeper, opened: Opened) -> RefusalError:
    algorithm = opened.config.settings.tokens.algorithm
    for key in await keeper.list_keys():
        if key.state is KeyState.NEXT and key.algorithm == algorithm:
            signs_from_s = keeper.signs_from_s(key)
            when = (
                f"it signs from {tell_moment(signs_from_s)} on"
                if signs_from_s > opened.now_s
                else "it signs as soon as a gateway runs"
            )
            return RefusalError(f"the key {key.kid} waits already; {when}")
    return RefusalError("another gateway has just moved the keys on; try again")


def _list_stored(config: Path) -> list[dict[str, Any]]:
    async def work(opened: Opened) -> list[StoredKey]:
        return await opened.desk.check_keeper(opened.config).list_keys()

    _, kept = look(config, work)
    return [describe_key(key) for key in kept or ()]


def _describe_configured(key: SigningKey) -> dict[str, Any]:
    nothing = dict.fromkeys(("created_at", "current_from", "retiring_from", "verifies_until"))
    return {"kid": key.kid, "algorithm": key.algorithm, "state": "configured", **nothing}


def _row(key: dict[str, Any]) -> list[str]:
    return [
        key["kid"],
        key["algorithm"],
        key["state"],
        tell_moment(key["retiring_from"] or key["current_from"] or key["created_at"]),
        tell_moment(key["verifies_until"]),
    ]
