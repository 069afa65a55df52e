"""How signing keys follow one another: published first, signing later, verifying to the last token.

=========  ==========================================  ==========================================
state      what it does                                until
=========  ==========================================  ==========================================
next       is published, verifies                      it has been published for ``ahead_s``
current    signs                                       the next one is promoted
retiring   verifies                                    its last token has expired
=========  ==========================================  ==========================================

The rule to keep in mind: every gateway on a database does these steps, and the database sees to it
that each happens once.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from gateway.issuer.key_ring import KeyRing, ring_of
from gateway.issuer.keys import UnfitKeyError, make_signing_key, private_pem
from gateway.store import keys
from gateway.store.engine import Reading, Store
from gateway.store.faults import UnfitStoreError
from gateway.store.keys import KeyBox, KeyMark, KeyState, NewKey, StoredKey

# A key is published for as long as an access token lives before it signs, and no shorter than this:
# every worker of every host has read it twice by then (``sync`` looks each second).
MIN_AHEAD_S: Final = 5.0
# How much longer than its last token a key is kept: clocks differ, and so do hosts' looks.
_MARGIN_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPolicy:
    """Which keys, and how long they wait."""

    algorithm: str  # asymmetric
    token_lifetime_s: float  # of an access token, with the leeway

    @property
    def ahead_s(self) -> float:
        """How long a key is published before it signs."""
        return max(MIN_AHEAD_S, self.token_lifetime_s)


class KeyKeeper:
    """The keys that the store keeps: reads them, and moves them on when it is time."""

    __slots__ = ("_box", "_policy", "_store")

    def __init__(self, store: Store, box: KeyBox, policy: KeyPolicy) -> None:
        self._store = store
        self._box = box
        self._policy = policy

    async def open(self, now_s: float) -> KeyRing:
        """Return the ring; the first gateway on a database makes the first key.

        Raises:
            UnfitStoreError: A key is sealed with another store key.
            StoreUnavailableError: The store cannot be reached.
        """
        algorithm = self._policy.algorithm
        await keys.ensure_current(self._store, algorithm, self._make, box=self._box, now_s=now_s)
        async with self._store.read() as tx:
            return await self.read(tx)

    async def read(self, tx: Reading) -> KeyRing:
        """Return the ring as it is now.

        Raises:
            UnfitStoreError: No key signs (any more), or one cannot be opened.
        """
        kept = await keys.list_keys(tx, self._box)
        try:
            ring = ring_of(kept, self._policy.algorithm)
        except UnfitKeyError as error:
            raise UnfitStoreError(
                f"the store holds a key that is none: {error.fault}", error.cure
            ) from None
        if ring is None:
            raise UnfitStoreError(
                f"the store has no key that signs with {self._policy.algorithm}",
                "start a gateway on it, which makes one",
            )
        return ring

    async def list_keys(self) -> list[StoredKey]:
        """Return all keys, the oldest first."""
        async with self._store.read() as tx:
            return await keys.list_keys(tx, self._box)

    async def rotate(self, now_s: float) -> float | None:
        """Publish a new key; return when it will sign, or None where one is published already.

        Raises:
            StoreUnavailableError: The store cannot be reached.
        """
        made = await asyncio.to_thread(self._make)
        async with self._store.write() as tx:
            if not await keys.add_next(tx, made, box=self._box, now_s=now_s):
                return None
        return now_s + self._policy.ahead_s

    def signs_from_s(self, waiting: KeyMark | StoredKey) -> float:
        """Return when a key that waits will sign, if a gateway runs then."""
        return waiting.created_at_s + self._policy.ahead_s

    async def advance(self, marks: list[KeyMark], now_s: float) -> bool:
        """Do what is due by now; return whether anything was.

        Args:
            marks: The keys as they were last seen.
            now_s: The time.
        """
        due = [mark for mark in marks if self._is_due(mark, now_s)]
        if not due:
            return False
        verifies_until_s = now_s + self._policy.token_lifetime_s + _MARGIN_S
        async with self._store.write() as tx:
            for mark in due:
                if mark.state is KeyState.NEXT:
                    await keys.promote(tx, mark.kid, now_s=now_s, verifies_until_s=verifies_until_s)
            await keys.purge(tx, now_s=now_s)
        return True

    def _is_due(self, mark: KeyMark, now_s: float) -> bool:
        if mark.state is KeyState.NEXT:
            is_ours = mark.algorithm == self._policy.algorithm
            return is_ours and now_s >= self.signs_from_s(mark)
        return mark.verifies_until_s is not None and now_s >= mark.verifies_until_s

    def _make(self) -> NewKey:
        key = make_signing_key(self._policy.algorithm)
        return NewKey(key.kid, key.algorithm, private_pem(key))
