"""Look at a store as it is: nothing is made, nothing is brought up to date, nothing is written.

The rule to keep in mind: who only looks can do so beside running gateways, before the first one and
after the last one, and nobody can tell afterwards.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import make_url

from gateway.store.engine import Store, StoreLimits
from gateway.store.faults import UnfitStoreError, translated
from gateway.store.migrate import check_known, find_revision
from gateway.store.sqlite import path_of
from gateway.store.tables import REVISION

_LIMITS: Final = StoreLimits(connections=1)


class OutdatedStoreError(UnfitStoreError):
    """The tables are of an older version, and the next gateway that starts sees to that."""


@asynccontextmanager
async def looked_at(url: str) -> AsyncIterator[Store | None]:
    """Open the store at *url* for reading; None where there is none, or no table in it.

    Raises:
        OutdatedStoreError: Its tables are of an older version.
        UnfitStoreError: The URL, the file or the tables in it cannot be used.
        StoreUnavailableError: The database cannot be reached.
    """
    if url.startswith("sqlite:"):
        with translated():
            is_there = path_of(make_url(url)).exists()
        if not is_there:
            yield None
            return
    async with Store(url, _LIMITS, is_read_only=True) as store:
        revision = await find_revision(store)
        if revision not in (None, REVISION):
            check_known(str(revision))
            raise OutdatedStoreError(
                "the tables of the store are of an older version",
                "start the gateway, which brings them up to date",
            )
        yield None if revision is None else store
