"""What the commands say of tokens of other issuers."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.commands import invoke
from tests.kit.foreign import foreign_issuer, foreign_token
from tests.kit.gateway import configuration, write_configuration
from tests.kit.key_server import key_set
from tests.kit.tokens import signing_key

KEY: Final = signing_key("RS256", kid="theirs")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the other issuer's keys are."""
    path = tmp_path / "jwks.json"
    path.write_bytes(key_set(KEY, {"kty": "oct", "k": "c2VjcmV0"}))
    return path


@pytest.fixture
def path(tmp_path: Path, file: Path) -> str:
    """A configuration that names it."""
    document = configuration(9, issuers=[foreign_issuer(jwks_file=str(file))])
    return str(write_configuration(tmp_path, document))


def _explain(path: str) -> dict[str, Any]:
    result = invoke("explain", "GET", "/p", "--token", foreign_token(KEY), "-c", path, "--json")
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def test_a_foreign_token_is_explained(path: str, file: Path) -> None:
    """With the issuer's keys as they are now; without them it is the live gateway's 503."""
    assert _explain(path)["decision"] == "forward"
    file.write_bytes(b"{}")
    told = _explain(path)
    assert (told["status"], told["reason"]) == (503, "keys_unavailable")
    assert told["checks"][-1]["name"] == "token key"
    shown = invoke("explain", "GET", "/p", "--token", foreign_token(KEY), "-c", path).stdout
    assert "the keys of this issuer cannot be read: it has no list of keys" in shown


def test_a_foreign_token_is_inspected(path: str, file: Path) -> None:
    """It is verified like any other; where nobody can say, nothing is claimed."""
    command = ("token", "inspect", "--json", "--config", path, foreign_token(KEY))
    assert json.loads(invoke(*command).stdout)["verified"] is True
    file.unlink()
    told = json.loads(invoke(*command).stdout)
    assert told["verified"] is None


def test_keys_that_are_not_used_or_not_there_are_warnings(path: str, file: Path) -> None:
    """At the place of the issuer."""
    assert "issuers[0]: warning: a key of this issuer is not used: key 2" in _check(path)
    file.unlink()
    assert "issuers[0]: warning: the keys of this issuer cannot be read: there is" in _check(path)


def _check(path: str) -> str:
    result = invoke("check", "--config", path)
    assert result.returncode == 0
    return result.stdout
