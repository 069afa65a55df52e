"""What a process hears of its store: revocations and keys, each second and whenever it is told.

The table of revocations is shared by all processes of the host, and each of them follows the store:
whoever is first adds what is new, for all. So there is no process whose death would make the others
deaf.

The rule to keep in mind: contact is stamped last. "The store was reached" means that all it had to
tell then is in the table.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from gateway.issuer.key_ring import KeyRing
from gateway.issuer.key_rotation import KeyKeeper
from gateway.issuer.revocation_table import RevocationTable
from gateway.issuer.shared_file import SharedFileError
from gateway.store import keys, revocations
from gateway.store.engine import Store
from gateway.store.faults import StoreUnavailableError, UnfitStoreError
from gateway.store.keys import KeyMark

PERIOD_S: Final = 0.5  # a revocation of another host counts within 1 s even if no word of it came

log = logging.getLogger(__name__)


class StoreSync:
    """Follows the store for one process.

    Args:
        store: What to follow.
        table: Where revocations go.
        keeper: Reads the keys; None where the configuration has the key.
        on_keys: Told of a new ring.
        clock: Gives seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        table: RevocationTable,
        keeper: KeyKeeper | None,
        on_keys: Callable[[KeyRing], None],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._table = table
        self._keeper = keeper
        self._on_keys = on_keys
        self._clock = clock
        self._marks: list[KeyMark] | None = None
        self._news = asyncio.Event()
        self._is_deaf = False

    async def run(self) -> None:
        """Follow the store until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(revocations.listen(self._store, self._news.set))
            group.create_task(self._follow())

    def use_keeper(self, keeper: KeyKeeper | None) -> None:
        """Read and move keys with another one from now on."""
        self._keeper = keeper

    async def catch_up(self) -> None:
        """Take in all that the store has to tell.

        Raises:
            StoreUnavailableError: It cannot be reached, or the table cannot be written to.
            UnfitStoreError: Its keys cannot be used.
        """
        begun_s = self._clock()
        await self._take_revocations()
        marks = await self._take_keys(self._keeper) if self._keeper is not None else []
        self._table.stamp_contact(begun_s)
        # Last: a database that can be read and not written to has told all that it has to tell.
        if self._keeper is not None and await self._keeper.advance(marks, begun_s):
            self._news.set()

    async def _follow(self) -> None:
        while True:
            self._news.clear()  # before the look: what is told during it may have been missed by it
            try:
                await self.catch_up()
            except (StoreUnavailableError, UnfitStoreError) as error:
                self._complain(error)
            else:
                self._rejoice()
            try:
                async with asyncio.timeout(PERIOD_S):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _take_revocations(self) -> None:
        async with self._store.read() as tx:
            latest = await revocations.latest_epoch(tx)
        if latest < self._table.store_epoch:
            # The database is another one than it was: restored from a backup, say. What was
            # revoked meanwhile stays revoked here; all that it knows is read again.
            log.warning("the store knows fewer revocations than before: reading all of them")
            self._table.store_epoch = 0
        while await self._take_page():
            pass

    async def _take_page(self) -> bool:
        """Take in the next revocations; whether there may be more."""
        async with self._store.read() as tx:
            page = await revocations.since(tx, self._table.store_epoch)
        if not page:
            return False
        try:
            await asyncio.to_thread(self._table.add, page)
        except SharedFileError as error:
            raise StoreUnavailableError(str(error)) from error
        self._table.store_epoch = page[-1].epoch
        return len(page) == revocations.PAGE_ROWS

    async def _take_keys(self, keeper: KeyKeeper) -> list[KeyMark]:
        async with self._store.read() as tx:
            marks = await keys.list_marks(tx)
            if marks != self._marks:
                self._on_keys(await keeper.read(tx))
                self._marks = marks
        return marks

    def _complain(self, error: Exception) -> None:
        if not self._is_deaf:
            log.error("the store cannot be followed, known revocations stand: %s", error)
        self._is_deaf = True

    def _rejoice(self) -> None:
        if self._is_deaf:
            log.warning("the store can be followed again")
        self._is_deaf = False
