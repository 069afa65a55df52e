"""``gateway token``."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.token import tell_time
from tests.kit.commands import Finished, invoke
from tests.kit.gateway import configuration, mint, write_configuration
from tests.kit.keyless import write_keyless


@pytest.fixture
def path(tmp_path: Path) -> str:
    """The configuration that ``mint`` makes tokens for."""
    return str(write_configuration(tmp_path, configuration(9)))


def test_a_token_that_counts(path: str) -> None:
    """Header and claims are shown, times as people read them; exit code 0."""
    result = invoke("token", "inspect", mint(), "--config", path)

    assert result.returncode == 0
    assert result.stdout.startswith("verified: ")
    assert result.stdout.splitlines()[0].endswith(", unless it was revoked")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["sub", "alice"] in lines
    assert ["alg", "HS256"] in lines
    assert [line[-2] for line in lines if line[:1] == ["exp"]] == ["in"]


def test_a_token_from_standard_input_as_json(path: str) -> None:
    """A pasted ``Bearer`` in front of it is forgiven."""
    token = mint(expires_in_s=-3600)
    arguments = ("token", "inspect", "--json", "--config", path)
    result = invoke(*arguments, stdin=f"Bearer {token}\n".encode())
    told = json.loads(result.stdout)

    assert result.returncode == 1
    assert told["verified"] is False
    assert told["detail"].startswith("token_expired: ")
    assert told["claims"]["sub"] == "alice"
    assert told["times"]["exp"].endswith(" ago")


def test_without_a_configuration_it_is_not_verified(tmp_path: Path) -> None:
    """It says so clearly and why; exit code 0, since nothing failed."""
    result = invoke("token", "inspect", mint(), "--config", str(tmp_path / "none.yaml"))

    assert result.returncode == 0
    assert result.stdout.startswith("not verified: there is no configuration")


def test_without_a_signing_key_it_is_not_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key made for the occasion could only say no."""
    monkeypatch.chdir(tmp_path)
    result = invoke("token", "inspect", mint(), "--config", str(write_keyless(tmp_path)))

    assert result.returncode == 0
    assert result.stdout.startswith("not verified: there is no signing key yet")


@pytest.mark.parametrize("text", ["", "a.b", "!.!.!", "e30.W10.x", "e30.e30x.x", "\x1b.a.b"])
def test_what_is_no_token_exits_with_1(path: str, text: str) -> None:
    """The reason is the one that a request would get."""
    result = invoke("token", "inspect", text or " ", "--config", path)

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("token_malformed: ")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "1970-01-01 00:00:00 UTC, 0:01:40 ago"),
        (100, "1970-01-01 00:01:40 UTC, 0:00:00 ago"),
        (86_500, "1970-01-02 00:01:40 UTC, in 1 day, 0:00:00"),
        (-1, "not a time"),
        (10**15, "not a time"),
        ("100", "not a time"),
        (True, "not a time"),
    ],
)
def test_times_are_told_as_people_read_them(value: object, told: str) -> None:
    """Moment in UTC and distance from now."""
    assert told == tell_time(value, 100.0)


def issue(path: str, *arguments: str) -> Finished:
    """Run ``gateway token issue`` on the configuration at *path*."""
    return invoke("token", "issue", *arguments, "--config", path)


def inspected(path: str, token: str) -> dict[str, Any]:
    """Return what ``gateway token inspect --json`` says, with its exit code."""
    result = invoke("token", "inspect", "--json", "--config", path, stdin=token.encode())
    return {**json.loads(result.stdout), "returncode": result.returncode}


def test_a_token_is_issued_and_nothing_else_printed(path: str) -> None:
    """For a user of the file; a gateway with this configuration takes it."""
    path = _with_user(path)
    result = issue(path, "ALICE")
    told = inspected(path, result.stdout)

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1
    assert (told["returncode"], told["verified"]) == (0, True)
    claims = told["claims"]
    assert (claims["sub"], claims["username"], claims["roles"]) == ("alice", "Alice", ["admin"])
    assert claims["exp"] - claims["iat"] == 24 * 60
    assert claims["sid"]
    assert claims["jti"]


def test_the_keys_of_the_store_sign_and_verify(tmp_path: Path, document: dict[str, Any]) -> None:
    """The first key is made, if need be; a key that is published later verifies nothing else."""
    path = str(write_configuration(tmp_path, document))
    old = issue(path, "aymen").stdout
    assert invoke("keys", "rotate", "--config", path).returncode == 0
    told = inspected(path, old)
    assert (told["verified"], told["header"]["alg"]) == (True, "ES256")
    assert inspected(path, issue(path, "aymen").stdout)["header"]["kid"] == told["header"]["kid"]

    (tmp_path / "other").mkdir()
    store = f"sqlite:///{tmp_path / 'other' / 'gateway.db'}"
    other = str(write_configuration(tmp_path / "other", document | {"store": store}))
    assert inspected(other, old)["verified"] is None
    assert issue(other, "aymen").returncode == 0
    told = inspected(other, old)
    assert (told["returncode"], told["verified"]) == (1, False)
    assert told["detail"].startswith("token_key_unknown: ")


def test_a_token_for_a_user_of_the_store(
    tmp_path: Path, document: dict[str, Any], password_hash: str
) -> None:
    """The id is the subject; a user who is disabled gets none, nor one who is not there."""
    path = str(write_configuration(tmp_path, document))
    added = invoke("users", "add", "zoe", "--password-hash", password_hash, "--config", path)
    told = inspected(path, issue(path, "Zoe").stdout)
    assert (told["verified"], told["claims"]["sub"]) == (True, added.stdout.strip())

    assert invoke("users", "disable", "zoe", "--config", path).returncode == 0
    result = issue(path, "zoe")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("'zoe' is disabled\n")
    result = issue(path, "zoey")
    assert (result.returncode, result.stdout) == (1, "")
    assert "did you mean 'zoe'?" in result.stderr


@pytest.mark.parametrize(("lifetime", "seconds"), [("1s", 1), ("5m", 300), ("24m", 1440)])
def test_a_token_may_count_for_less_time(path: str, lifetime: str, seconds: int) -> None:
    """In the words of the file, up to what the file says."""
    path = _with_user(path)
    claims = inspected(path, issue(path, "alice", "--lifetime", lifetime).stdout)["claims"]

    assert claims["exp"] - claims["iat"] == seconds


@pytest.mark.parametrize("lifetime", ["25m", "1d", "0s", "-1s", "5", "500ms", "soon", "99999d"])
def test_a_lifetime_that_cannot_be_is_bad_usage(path: str, lifetime: str) -> None:
    """Longer than ``access_lifetime`` it would outlive its revocation."""
    result = issue(_with_user(path), "alice", f"--lifetime={lifetime}")

    assert (result.returncode, result.stdout) == (2, "")


def test_a_token_that_no_gateway_would_take_is_not_issued(
    tmp_path: Path, document: dict[str, Any], password_hash: str
) -> None:
    """A user with too many roles to name."""
    roles = [f"{number:0>100}" for number in range(100)]
    document["users"] = [{"username": "big", "password_hash": password_hash, "roles": roles}]
    result = issue(str(write_configuration(tmp_path, document)), "big")

    assert (result.returncode, result.stdout) == (1, "")
    assert "8192 bytes" in result.stderr


def test_a_store_that_does_not_answer_leaves_a_token_unverified(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    """Exit code 0, since nothing failed, and the reason; to issue one it is needed: 2."""
    document |= {"store": "postgresql://gateway:hunter2@127.0.0.1:1/gateway"}
    path = str(write_configuration(tmp_path, document))
    told = inspected(path, mint())

    assert (told["returncode"], told["verified"]) == (0, None)
    assert told["detail"].startswith("the store cannot be reached: ")
    assert "hunter2" not in told["detail"]
    assert issue(path, "aymen").returncode == 2


def test_to_issue_takes_a_configuration(tmp_path: Path) -> None:
    """Exit code 2 without one."""
    assert issue(str(tmp_path / "none.yaml"), "alice").returncode == 2


def _with_user(path: str) -> str:
    folder = Path(path).parent
    store = f"sqlite:///{folder / 'var' / 'gateway.db'}"
    hashed = "$2b$12$" + "a" * 53
    user = {"username": "Alice", "password_hash": hashed, "roles": ["admin"]}
    return str(write_configuration(folder, configuration(9, store=store, users=[user])))
