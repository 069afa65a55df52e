"""``gateway keys``."""

import asyncio
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.store import keys
from gateway.store.migrate import open_store
from tests.kit.commands import Finished, invoke
from tests.kit.gateway import configuration, write_configuration

HEADER = ["KID", "ALGORITHM", "STATE", "SINCE", "VERIFIES-UNTIL"]


def ask(path: str, *arguments: str) -> Finished:
    """Run ``gateway keys`` on the configuration at *path*."""
    return invoke("keys", *arguments, "--config", path)


def listed(path: str) -> list[dict[str, Any]]:
    """Return the keys as ``list --json`` tells them."""
    result = ask(path, "list", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_there_are_none_before_the_first_start(path: str, store_file: Path) -> None:
    """And looking makes none, nor a store."""
    assert listed(path) == []
    assert ask(path, "list").stdout.split() == HEADER
    assert not store_file.parent.exists()


def test_rotation_publishes_a_key_that_signs_later(path: str) -> None:
    """On a store without keys the first one is made on the way, and signs until then."""
    result = ask(path, "rotate")
    current, waiting = sorted(listed(path), key=lambda key: key["state"])

    assert (result.returncode, result.stderr) == (0, "")
    assert (current["state"], waiting["state"]) == ("current", "next")
    signs_from_s = waiting["created_at"] + 10 * 60 + 30  # access_lifetime and leeway
    assert _moment(signs_from_s) in result.stdout
    assert current["verifies_until"] is waiting["current_from"] is None
    rows = [line.split() for line in ask(path, "list").stdout.splitlines()]
    assert rows[0] == HEADER
    assert {(row[0], row[2], row[4]) for row in rows[1:]} == {
        (current["kid"], "current", "-"),
        (waiting["kid"], "next", "-"),
    }


def test_a_second_rotation_has_to_wait(path: str) -> None:
    """Exit code 1, which one waits and until when; nothing has changed."""
    told = ask(path, "rotate").stdout.split()[-2]
    before = listed(path)
    (kid,) = (key["kid"] for key in before if key["state"] == "next")
    result = ask(path, "rotate")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"the key {kid} waits already; it signs from {told} on\n"
    assert listed(path) == before


def test_a_key_that_is_overdue_needs_a_gateway(path: str, store_file: Path) -> None:
    """Commands move no keys on; the next gateway does."""
    ask(path, "rotate")
    _change(store_file, "UPDATE signing_keys SET created_at_s = created_at_s - 3600")
    result = ask(path, "rotate")

    assert result.returncode == 1
    assert result.stderr.endswith(" waits already; it signs as soon as a gateway runs\n")


def test_a_retiring_key_verifies_for_a_while(path: str, store_file: Path) -> None:
    """The list says until when."""
    ask(path, "rotate")
    kid = next(key["kid"] for key in listed(path) if key["state"] == "next")
    until_s = time.time() + 600

    async def promote() -> None:
        async with await open_store(f"sqlite:///{store_file}") as store, store.write() as tx:
            await keys.promote(tx, kid, now_s=time.time(), verifies_until_s=until_s)

    asyncio.run(promote())
    rows = [line.split() for line in ask(path, "list").stdout.splitlines()[1:]]

    assert {key["state"]: key["verifies_until"] for key in listed(path)} == {
        "retiring": int(until_s),
        "current": None,
    }
    assert [_moment(until_s) in row for row in rows if row[2] == "retiring"] == [True]


@pytest.fixture
def configured(tmp_path: Path) -> str:
    """A configuration that has the key."""
    store = f"sqlite:///{tmp_path / 'var' / 'gateway.db'}"
    return str(write_configuration(tmp_path, configuration(9, store=store)))


def test_a_configured_key_is_listed_alone(configured: str, store_file: Path) -> None:
    """It is marked, the store is not asked, and the secret is not told."""
    (key,) = listed(configured)
    row = ask(configured, "list").stdout.splitlines()[1].split()

    assert (key["algorithm"], key["state"]) == ("HS256", "configured")
    assert row == [key["kid"], "HS256", "configured", "-", "-"]
    assert not store_file.exists()


def test_a_configured_key_cannot_be_rotated(configured: str, store_file: Path) -> None:
    """Exit code 2, with its place; no store is made."""
    result = ask(configured, "rotate")

    assert (result.returncode, result.stdout) == (2, "")
    assert ": tokens.secret: the key stands in the configuration" in result.stderr
    assert not store_file.exists()


@pytest.mark.parametrize("verb", ["list", "rotate"])
def test_sealed_keys_need_their_store_key(
    tmp_path: Path, document: dict[str, Any], verb: str
) -> None:
    """Exit code 2; with the right one they are there."""
    sealed = str(write_configuration(tmp_path, document | {"store_key": "k" * 32}))
    assert ask(sealed, "rotate").returncode == 0
    assert len(listed(sealed)) == 2
    for changes in ({}, {"store_key": "x" * 32}):
        path = str(write_configuration(tmp_path, document | changes))
        result = ask(path, verb)
        assert (result.returncode, result.stdout) == (2, "")
        assert "store_key" in result.stderr


@pytest.mark.parametrize("verb", ["list", "rotate"])
def test_a_bad_configuration_exits_with_2(tmp_path: Path, verb: str) -> None:
    """Whatever is asked."""
    assert ask(str(tmp_path / "none.yaml"), verb).returncode == 2


def _moment(time_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_s))


def _change(store_file: Path, statement: str) -> None:
    database = sqlite3.connect(store_file)
    with database:
        database.execute(statement)
    database.close()
