"""``gateway sessions``."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.store import revocations, sessions
from gateway.store.migrate import open_store
from gateway.store.revocations import Revocation, RevocationKind
from tests.kit.commands import Finished, invoke
from tests.kit.gateway import write_configuration
from tests.kit.stores import DAY_S, session


def ask(path: str, *arguments: str) -> Finished:
    """Run ``gateway sessions`` on the configuration at *path*."""
    return invoke("sessions", *arguments, "--config", path)


def listed(path: str, *arguments: str) -> dict[str, dict[str, Any]]:
    """Return the sessions as ``list --json`` tells them, by their ids."""
    result = ask(path, "list", "--json", *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    return {found["id"]: found for found in json.loads(result.stdout)}


def begin(store_file: Path, **owners: str) -> None:
    """Begin sessions: ids and whose they are."""

    async def work() -> None:
        now_s = time.time()
        times = {"created_at_s": now_s - 60, "refreshed_at_s": now_s}
        ends = {"idle_expires_at_s": now_s + DAY_S, "expires_at_s": now_s + 2 * DAY_S}
        async with await open_store(f"sqlite:///{store_file}") as store, store.write() as tx:
            for name, owner in owners.items():
                begun = session(name, user_id=owner, **times, **ends)
                await sessions.start(tx, begun, f"token of {name}")

    asyncio.run(work())


def revoked(store_file: Path) -> list[Revocation]:
    """Return what the store has of revocations."""

    async def work() -> list[Revocation]:
        async with await open_store(f"sqlite:///{store_file}") as store, store.read() as tx:
            return await revocations.since(tx, 0)

    return asyncio.run(work())


@pytest.fixture
def zoe(path: str, password_hash: str) -> str:
    """Zoe is in the store; her id."""
    result = invoke("users", "add", "Zoe", "--password-hash", password_hash, "--config", path)
    return result.stdout.strip()


def test_all_live_sessions_are_listed(path: str, store_file: Path, zoe: str) -> None:
    """Of users of the store, of the file and of those who have gone; names where there are any."""
    begin(store_file, a=zoe, b="aymen", c="gone")
    lines = [line.split() for line in ask(path, "list").stdout.splitlines()]

    assert lines[0] == [
        *("ID", "USER", "ADDRESS", "SINCE", "REFRESHED", "EXPIRES", "USER", "AGENT"),
    ]
    assert [line[:3] for line in lines[1:]] == [
        ["a", "Zoe", "203.0.113.7"],
        ["b", "Aymen", "203.0.113.7"],
        ["c", "gone", "203.0.113.7"],
    ]
    found = listed(path)
    assert [found[name]["username"] for name in "abc"] == ["Zoe", "Aymen", None]
    assert [found[name]["user_id"] for name in "abc"] == [zoe, "aymen", "gone"]
    assert found["a"]["refreshed_at"] - found["a"]["created_at"] == 60


def test_more_sessions_than_a_page_has(
    path: str, store_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list goes on to the last."""
    monkeypatch.setattr("gateway.cli.sessions._PAGE", 2)
    begin(store_file, **dict.fromkeys("abcde", "aymen"))

    assert list(listed(path)) == [*"abcde"]


def test_the_sessions_of_one_user(path: str, store_file: Path, zoe: str) -> None:
    """Of the store or of the file, in whatever spelling."""
    begin(store_file, a=zoe, b="aymen", c=zoe)

    assert set(listed(path, "--user", "ZOE")) == {"a", "c"}
    assert set(listed(path, "--user", "aymen")) == {"b"}


def test_a_list_makes_no_store(path: str, store_file: Path) -> None:
    """Who only looks leaves nothing behind."""
    assert listed(path) == {}
    assert listed(path, "--user", "aymen") == {}
    assert ask(path, "list", "--user", "amen").returncode == 1
    assert ask(path, "list").stdout.split() == [
        *("ID", "USER", "ADDRESS", "SINCE", "REFRESHED", "EXPIRES", "USER", "AGENT"),
    ]
    assert not store_file.parent.exists()


def test_a_session_is_ended(path: str, store_file: Path, zoe: str) -> None:
    """That one, for good: a second time there is none."""
    begin(store_file, a=zoe, b=zoe)
    result = ask(path, "revoke", "a")

    assert (result.returncode, result.stderr) == (0, "")
    assert "within a second" in result.stdout
    assert list(listed(path)) == ["b"]
    assert [(r.kind, r.key) for r in revoked(store_file)] == [(RevocationKind.SESSION, "a")]
    result = ask(path, "revoke", "a")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("there is no session 'a', or it has ended\n  ")


@pytest.mark.parametrize("name", ["nonsense", "\udcff", "a" * 10_000])
def test_a_session_that_is_not_there_exits_with_1(path: str, name: str) -> None:
    """Whatever its name."""
    assert ask(path, "revoke", name).returncode == 1


def test_all_sessions_of_a_user_are_ended(path: str, store_file: Path, zoe: str) -> None:
    """And tokens without a session too, since the user is named."""
    begin(store_file, a=zoe, b="aymen", c=zoe)
    result = ask(path, "revoke", "--user", "zoe")

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("2 sessions of 'Zoe' ended, ")
    assert "within a second" in result.stdout
    assert list(listed(path)) == ["b"]
    assert {(r.kind, r.key) for r in revoked(store_file)} == {
        (RevocationKind.SESSION, "a"),
        (RevocationKind.SESSION, "c"),
        (RevocationKind.USER, zoe),
    }
    assert ask(path, "revoke", "--user", "aymen").stdout.startswith("1 session of 'Aymen' ended")
    assert ask(path, "revoke", "--user", "aymen").stdout.startswith("0 sessions of ")


@pytest.mark.usefixtures("zoe")
@pytest.mark.parametrize("verb", ["list", "revoke"])
def test_a_user_that_is_not_there_exits_with_1(path: str, verb: str) -> None:
    """A name that is like it is offered."""
    result = ask(path, verb, "--user", "zoey")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "there is no user 'zoey'\n  did you mean 'Zoe'?\n"


@pytest.mark.parametrize("arguments", [(), ("a", "--user", "zoe"), ("",), ("a", "b")])
def test_one_thing_is_revoked(path: str, store_file: Path, arguments: tuple[str, ...]) -> None:
    """A session or a user: neither, or both, is bad usage."""
    result = ask(path, "revoke", *arguments)

    assert (result.returncode, result.stdout) == (2, "")
    assert not store_file.exists()


def test_the_help_says_when_it_is_heard() -> None:
    """So that nobody waits for a restart."""
    assert "within a second" in " ".join(invoke("sessions", "revoke", "--help").stdout.split())


@pytest.mark.parametrize("arguments", [("list",), ("revoke", "a"), ("revoke", "--user", "a")])
def test_a_bad_configuration_exits_with_2(
    tmp_path: Path, document: dict[str, Any], arguments: tuple[str, ...]
) -> None:
    """Also where the database does not answer."""
    document["store"] = "postgresql://gateway:hunter2@127.0.0.1:1/gateway"
    for path in (tmp_path / "none.yaml", write_configuration(tmp_path, document)):
        result = ask(str(path), *arguments)
        assert (result.returncode, result.stdout) == (2, "")
        assert "hunter2" not in result.stderr
