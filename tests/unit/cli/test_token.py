"""``gateway token inspect``."""

import json
from pathlib import Path

import pytest

from gateway.cli.token import tell_time
from tests.kit.commands import invoke
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
