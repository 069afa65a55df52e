"""A start is as short as what it loads: what few gateways use is loaded where it is used."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import yaml

from tests.kit.gateway import configuration

# Each would be a twentieth of a start, or more.
_NOT_FOR_ALL: Final = {
    "alembic": "there is something to migrate",
    "asyncpg": "the store is PostgreSQL",
    "opentelemetry": "there is tracing",
    "httpx": "there are issuers or health checks, and for the demo",
    "rich": "there is a terminal",
    "sqlalchemy.dialects.postgresql": "the store is PostgreSQL",
    "sqlalchemy.orm": "never",
}
_IMPORTED: Final = re.compile(r"import time:[ 0-9]+\|[ 0-9]+\| *(\S+)")


def test_a_plain_start_loads_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    """Up to where it listens, with a store that is there; in the form ``module: when``."""
    file = tmp_path / "routes.yaml"
    document = configuration(1) | {"store": f"sqlite:///{tmp_path}/store.db"}
    file.write_text(yaml.safe_dump(document | {"runtime_dir": str(tmp_path / "run")}), "utf-8")
    _start(file)  # makes the store

    loaded = _start(file)

    assert "gateway.server" in loaded
    assert [f"{name}: {when}" for name, when in _NOT_FOR_ALL.items() if name in loaded] == []


def _start(file: Path) -> set[str]:
    """Return what a gateway has loaded when it listens."""
    command = [sys.executable, "-X", "importtime", "-m", "gateway", "run", "--config", str(file)]
    loaded = set()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("gateway: listening"):
                break
            if (found := _IMPORTED.fullmatch(line.rstrip())) is not None:
                loaded.add(found[1])
        process.terminate()
        process.stderr.read()
    return loaded
