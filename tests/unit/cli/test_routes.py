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
    assert first["endpoints"] == [{"address": "127.0.0.1:9", "weight": 1}]
    assert "health" not in first
    assert first["claim_headers"]["X-User"] == "sub"
    assert second["require"]["scopes"] == ["a:b", "c"]


def test_upstreams_are_a_second_table(path: str, tmp_path: Path) -> None:
    """Where each leads, how requests are spread, and whether endpoints are asked if they are well.

    Weights are told where they differ from one another's default.
    """
    document = configuration(9)
    document["upstreams"]["shop"] = {
        "endpoints": [{"url": "http://127.0.0.1:1", "weight": 3}, "http://127.0.0.1:2"],
        "balance": "random",
        "retries": 2,
        "health": {"path": "/ready", "interval": "10s"},
    }
    weighted = str(write_configuration(tmp_path / "b", document))

    _, plain = invoke("routes", "--config", path).stdout.split("\n\n")
    _, table = invoke("routes", "--config", weighted).stdout.split("\n\n")
    assert plain.split() == [
        *("UPSTREAM", "ENDPOINTS", "BALANCE", "RETRIES", "HEALTH"),
        *("raw", "127.0.0.1:9", "round_robin", "1", "-"),
    ]
    assert table.splitlines()[2].split("  ")[0] == "shop"
    assert "127.0.0.1:1 (weight 3), 127.0.0.1:2 (weight 1)" in table
    assert table.splitlines()[2].split()[-5:] == ["random", "2", "/ready", "every", "10s"]
