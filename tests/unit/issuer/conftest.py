"""The databases that the tests of throttling run on."""

from tests.kit.stores import (
    anyio_backend,
    postgres_server,
    postgres_url,
    sqlite_url,
    store,
    store_url,
)

__all__ = [
    "anyio_backend",
    "postgres_server",
    "postgres_url",
    "sqlite_url",
    "store",
    "store_url",
]
