"""A bounded memory of what pure functions have returned. Forgetting costs time and nothing else."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Maps keys to results, in two generations: finding is one look-up, and nothing is ever sorted.

    When the recent generation is full it becomes the older one, and what was there is forgotten;
    what is asked for again moves back. So at most twice *entries* are held, and those in use stay.

    What is forgotten is given back one by one, as others come: thousands at once were a pause that
    clients felt, and their memory was cold before it was used again.
    """

    __slots__ = ("_entries", "_forgotten", "_older", "_recent")

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._recent: dict[K, V] = {}
        self._older: dict[K, V] = {}
        self._forgotten: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._recent) + len(self._older)

    def find(self, key: K) -> V | None:
        """Return what is remembered of *key*, or None."""
        value = self._recent.get(key)
        if value is None and self._older:
            value = self._older.pop(key, None)
            if value is not None:
                self.add(key, value)
        return value

    def add(self, key: K, value: V) -> None:
        """Remember *value*."""
        if len(self._recent) >= self._entries:
            self._forgotten = self._older
            self._older = self._recent
            self._recent = {}
        if self._forgotten:
            self._forgotten.popitem()
        self._recent[key] = value
