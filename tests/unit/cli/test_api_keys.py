"""``gateway api-keys``."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.policy.checked import parse_api_key
from tests.kit.commands import Finished, invoke


def ask(path: str, *arguments: str) -> Finished:
    """Run ``gateway api-keys`` on the configuration at *path*."""
    return invoke("api-keys", *arguments, "--config", path)


def listed(path: str, *arguments: str) -> list[dict[str, Any]]:
    """Return the keys as ``list --json`` tells them."""
    result = ask(path, "list", "--json", *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_a_key_is_printed_once(path: str, store_file: Path) -> None:
    """Alone on its line, so that a script can take it; what else there is to say is on stderr."""
    result = ask(path, "create", "--owner", "AYMEN", "--name", "ci", "--expires-in", "90d")
    assert result.returncode == 0
    key = parse_api_key(result.stdout.strip().encode())

    assert "cannot be shown again" in result.stderr
    assert key.secret.encode() not in b"".join(
        each.read_bytes() for each in store_file.parent.iterdir()
    )
    [found] = listed(path)
    assert (found["id"], found["username"], found["name"]) == (key.id, "Aymen", "ci")
    assert found["expires_at"] - found["created_at"] == 90 * 86400
    assert key.secret not in json.dumps(found)


def test_json_has_the_key_and_what_is_known_of_it(path: str) -> None:
    """For programs."""
    made = json.loads(ask(path, "create", "--owner", "aymen", "--json").stdout)
    assert parse_api_key(made["key"].encode()).id == made["id"]
    assert (made["user_id"], made["expires_at"], made["scopes"]) == ("aymen", None, [])


def test_keys_are_listed_and_revoked(path: str, password_hash: str) -> None:
    """As a table; of all, or of one owner."""
    arguments = ("--password-hash", password_hash, "--scope", "a", "--scope", "b")
    assert invoke("users", "add", "Zoe", *arguments, "--config", path).returncode == 0
    for owner, more in (("aymen", ()), ("zoe", ("--scope", "a", "--scope", "b"))):
        assert ask(path, "create", "--owner", owner, *more).returncode == 0
    [hers] = listed(path, "--owner", "zoe")
    result = ask(path, "revoke", hers["id"])

    assert result.returncode == 0
    assert "counts no more; a running gateway hears of it within a second" in result.stdout
    lines = [line.split() for line in ask(path, "list").stdout.splitlines()]
    assert lines[0] == ["ID", "OWNER", "NAME", "SCOPES", "CREATED", "EXPIRES", "REVOKED"]
    assert sorted((line[1], line[3], line[6] == "-") for line in lines[1:]) == [
        ("Aymen", "-", True),
        ("Zoe", "a,b", False),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "fault"),
    [
        pytest.param(("create", "--owner", "aymn"), 1, "did you mean 'Aymen'?", id="owner"),
        pytest.param(("create", "--owner", "aymen", "--scope", "x"), 1, "scope 'x'", id="scope"),
        pytest.param(("create", "--owner", "aymen", "--expires-in", "9"), 2, "expires-in", id="9"),
        pytest.param(("create",), 2, "--owner", id="no-owner"),
        pytest.param(("revoke", "x"), 1, "there is no API key of that id", id="revoke"),
        pytest.param(("list", "--owner", "nobody"), 1, "there is no user", id="list"),
    ],
)
def test_what_cannot_be_done_says_why(
    path: str, arguments: tuple[str, ...], code: int, fault: str
) -> None:
    """Exit codes: DESIGN.md section 7."""
    result = ask(path, *arguments)
    assert result.returncode == code
    assert fault in result.stderr


def test_without_a_store_there_are_no_keys(path: str, store_file: Path) -> None:
    """And looking makes none."""
    assert listed(path) == listed(path, "--owner", "aymen") == []
    assert not store_file.exists()
