"""Stores of both kinds, and an issuer put together on one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.store.engine import Store
from tests.kit.issuing import Issuing, issuing
from tests.kit.stores import (  # noqa: F401 (fixtures are found by their names)
    anyio_backend,
    postgres_server,
    postgres_url,
    sqlite_url,
    store,
    store_url,
)


@pytest.fixture
async def issuer(store: Store, tmp_path: Path) -> AsyncIterator[Issuing]:  # noqa: F811
    """An issuer on a store of either kind."""
    async with issuing(store, tmp_path) as made:
        yield made
