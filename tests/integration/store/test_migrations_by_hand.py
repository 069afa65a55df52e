"""The migrations run by hand, with Alembic's own command, forwards and back."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import gateway.store
from gateway.store.engine import Store, StoreLimits
from gateway.store.migrate import find_revision, migrate
from gateway.store.tables import REVISION

pytestmark = pytest.mark.anyio

ROOT: Final = Path(__file__).parents[3]
INI: Final = Path(gateway.store.__file__).parent / "migrations" / "alembic.ini"


def _alembic(url: str, *arguments: str) -> str:
    command = [sys.executable, "-m", "alembic", "-c", str(INI), "-x", f"store={url}", *arguments]
    finished = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    return finished.stdout


async def test_an_operator_can_go_forwards_and_back(store_url: str) -> None:
    """Upgrade, ask, downgrade to nothing; then a gateway starts as on an empty database."""
    _alembic(store_url, "upgrade", "head")
    said = _alembic(store_url, "current")
    async with Store(store_url, StoreLimits()) as store:
        reached = await find_revision(store)
        _alembic(store_url, "downgrade", "base")
        async with store.read() as tx:
            left = [name for name in ("users", "sessions") if await tx.has_table(name)]
        await migrate(store_url)

        assert said.startswith(REVISION)
        assert (reached, left) == (REVISION, [])
        assert await find_revision(store) == REVISION
