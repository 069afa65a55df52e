"""Throwing away what no longer says anything, in the store and in the table.

The rule to keep in mind: nothing here is needed for an answer to be right. What has expired counts
no more, whether it is still there or not.
"""

import asyncio
import logging
from typing import Final, Protocol

from gateway.issuer import throttle
from gateway.issuer.revocation_table import KEPT_AFTER_EXPIRY_S, RevocationTable
from gateway.issuer.shared_file import SharedFileError
from gateway.store import api_keys, revocations, rotation, sessions, throttles
from gateway.store.engine import Store
from gateway.store.faults import StoreUnavailableError

STORE_PERIOD_S: Final = 600.0
TABLE_PERIOD_S: Final = 5.0
_DAY_S: Final = 86_400.0
SPENT_KEPT_S: Final = 30 * _DAY_S  # a spent token is known as stolen for so long
API_KEYS_KEPT_S: Final = 30 * _DAY_S  # beyond their end: who presents one is told that it ended
SESSIONS_KEPT_S: Final = 7 * _DAY_S  # beyond their absolute end, for who looks into what happened

log = logging.getLogger(__name__)


class Clock(Protocol):
    """Gives seconds since the epoch."""

    def __call__(self) -> float:
        """Return the time."""
        ...


async def tidy_store(store: Store, now_s: float) -> None:
    """Delete what is over, each kind in a transaction of its own: none may hold others up.

    Raises:
        StoreUnavailableError: Some of it may be left.
    """
    async with store.write() as tx:
        await rotation.purge_spent(tx, before_s=now_s - SPENT_KEPT_S)
    async with store.write() as tx:
        await sessions.purge(tx, before_s=now_s - SESSIONS_KEPT_S)
    async with store.write() as tx:
        await api_keys.purge(tx, before_s=now_s - API_KEYS_KEPT_S)
    async with store.write() as tx:
        await throttles.purge(tx, before_s=now_s - throttle.WINDOW_S)
        await throttles.purge_addresses(tx, before_s=now_s - throttle.KNOWN_ADDRESS_S)
    async with store.write() as tx:
        await revocations.purge(tx, now_s=now_s - KEPT_AFTER_EXPIRY_S)


async def keep_store_tidy(store: Store, clock: Clock, *, period_s: float = STORE_PERIOD_S) -> None:
    """Tidy the store every now and then, until cancelled; every process of every host does."""
    while True:
        await asyncio.sleep(period_s)
        try:
            await tidy_store(store, clock())
        except StoreUnavailableError as error:
            log.warning("the store could not be tidied; the next try will do: %s", error)


async def keep_table_tidy(
    table: RevocationTable, clock: Clock, *, period_s: float = TABLE_PERIOD_S
) -> None:
    """Let the table grow ahead of time and drop what has expired, until cancelled."""
    while True:
        await asyncio.sleep(period_s)
        try:
            await asyncio.to_thread(table.purge, clock())
        except SharedFileError as error:
            log.warning("the revocations could not be tidied; the next try will do: %s", error)
