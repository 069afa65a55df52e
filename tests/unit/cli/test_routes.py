"""``gateway routes``."""

import json
from pathlib import Path

import pytest

from tests.kit.commands import invoke
from tests.kit.gateway import configuration, write_configuration


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A configuration with all kinds of requirement."""
    document = configuration(9)
    document["routes"][1]["require"] = {
        "roles": ["admin", "root"],
        "scopes": ["a:b", "c"],
        "claims": {"org.plan": ["pro", 1]},
    }
    return str(write_configuration(tmp_path, document))


def test_routes_are_a_plain_table_in_a_pipe(path: str) -> None:
    """One line each, columns aligned, in the order of the file."""
    lines = invoke("routes", "--config", path).stdout.splitlines()

    assert lines[0].split()[:5] == ["NAME", "HOSTS", "METHODS", "PATH", "AUTH"]
    assert [line.split()[0] for line in lines[1:4]] == ["p", "admin", "public"]
    assert lines[1].index("/p/**") == lines[2].index("/admin/**") == lines[0].index("PATH")
    assert "role:admin|root scope:a:b+c org.plan:pro|1" in lines[2]


def test_routes_as_json(path: str) -> None:
    """What is inherited stands in each route."""
    first, second, *_ = json.loads(invoke("routes", "--config", path, "--json").stdout)

    assert (first["name"], first["auth"], first["require"]) == ("p", "required", {})
    assert first["endpoints"] == ["127.0.0.1:9"]
    assert first["claim_headers"]["X-User"] == "sub"
    assert second["require"]["scopes"] == ["a:b", "c"]
