"""One file of revocations: a log to which they are appended, and a hash index into it.

::

    64 bytes          magic, table, capacity, count
    32 * capacity     the log: digest (2 words), not-before, expiry (a word is 8 bytes)
    4 * 2 * capacity  the index: 0, or the number of an entry, counted from 1; linear probing

Readers take no lock. They may, since what is written is never changed: an entry is written, then
the index points to it, and when the same thing is revoked again, the index points to a new entry
that covers the old one. Every word is written and read by one machine instruction (``memoryview``
copies 8 aligned bytes, and 4 in the index), so that there is nothing half-written to see.

The rule to keep in mind: the last word of an entry is its expiry, and never 0. An entry that has it
is whole, even when its writer was killed before anything pointed to it.
"""

import mmap
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from gateway.errors import ConfigError, Place
from gateway.issuer.shared_file import make_file, opened

Digest: TypeAlias = tuple[int, int]  # of what is revoked: 128 bits
Times: TypeAlias = tuple[int, int]  # tokens issued until then are meant; when it expires

ALL_TOKENS: Final = 2**64 - 1  # a not-before that every token is from before

_MAGIC: Final = int.from_bytes(b"gwrevlog", sys.byteorder)
_HEADER_BYTES: Final = 64
_ENTRY_BYTES: Final = 32
_INDEX_BYTES: Final = 8  # per entry: two numbers of 4 bytes, so that half of the index stays empty
_MAGIC_WORD, _TABLE_WORD, _CAPACITY_WORD, _COUNT_WORD = range(4)
_FIRST_ENTRY: Final = _HEADER_BYTES // 8
_COPIED_ENTRIES: Final = 1024


class RevocationLog:
    """A mapped file of revocations; it stays mapped as long as somebody has it, deleted or not."""

    __slots__ = ("_index", "_mask", "_words", "capacity", "generation")

    def __init__(self, mapping: mmap.mmap, capacity: int, generation: int) -> None:
        view = memoryview(mapping)
        index_from = _HEADER_BYTES + capacity * _ENTRY_BYTES
        self._words = view[:index_from].cast("Q")
        self._index = view[index_from:].cast("I")
        self._mask = len(self._index) - 1
        self.capacity = capacity  # entries; a power of two
        self.generation = generation

    @classmethod
    def make(cls, path: Path, *, table: int, generation: int, entries: int) -> "RevocationLog":
        """Make an empty file at *path* with room for at least so many *entries*.

        Raises:
            OSError: The disk has no room for it.
        """
        capacity = 1 << (entries - 1).bit_length()
        log = cls(make_file(path, _size(capacity)), capacity, generation)
        log._words[_MAGIC_WORD] = _MAGIC
        log._words[_TABLE_WORD] = table
        log._words[_CAPACITY_WORD] = capacity
        return log

    @classmethod
    def open(cls, path: Path, *, table: int, generation: int) -> "RevocationLog":
        """Map the file at *path*.

        Raises:
            FileNotFoundError: There is none.
            ConfigError: It is not a log of this table, or not whole.
        """
        with opened(path) as descriptor:
            size = os.fstat(descriptor).st_size
            mapping = mmap.mmap(descriptor, size) if size >= _HEADER_BYTES else None
        if mapping is not None:
            header = memoryview(mapping)[:_HEADER_BYTES].cast("Q")
            capacity, count = header[_CAPACITY_WORD], header[_COUNT_WORD]
            is_ours = (header[_MAGIC_WORD], header[_TABLE_WORD]) == (_MAGIC, table)
            if is_ours and size == _size(capacity) and count <= capacity:
                return cls(mapping, capacity, generation)
        raise ConfigError(
            Place(str(path)),
            "this is not a whole log of revocations of this gateway",
            "remove the file and start the gateway anew: it is made from the store",
        )

    @property
    def count(self) -> int:
        """How many entries are done: written, pointed to and told."""
        return self._words[_COUNT_WORD]

    def end(self, count: int) -> None:
        """Say that so many entries are done."""
        self._words[_COUNT_WORD] = count

    def find(self, digest: Digest) -> Times | None:
        """Return the times of what has been revoked, or None."""
        _, number = self._find_slot(digest)
        if not number:
            return None
        at = _FIRST_ENTRY + (number - 1) * 4
        return self._words[at + 2], self._words[at + 3]

    def plan(self, batch: Mapping[Digest, Times]) -> list[tuple[Digest, Times]]:
        """Return the entries that tell what of *batch* is news, each covering what is known."""
        news = []
        for digest, times in batch.items():
            known = self.find(digest)
            covering = times if known is None else merge_times(known, times)
            if covering != known:
                news.append((digest, covering))
        return news

    def write(self, number: int, entries: Iterable[tuple[Digest, Times]]) -> int:
        """Write *entries* from *number* on; nothing points to them yet. Return the next number."""
        words = self._words
        at = _FIRST_ENTRY + number * 4
        for digest, times in entries:
            words[at], words[at + 1] = digest
            words[at + 2], words[at + 3] = times  # from left to right: the expiry comes last
            at += 4
        return (at - _FIRST_ENTRY) // 4

    def written(self) -> int:
        """Return the number after the last whole entry: beyond ``count`` where a writer died."""
        number = self.count
        while number < self.capacity and self._words[_FIRST_ENTRY + number * 4 + 3]:
            number += 1
        return number

    def point(self, numbers: Iterable[int]) -> None:
        """Let the index point to these entries, instead of those that they cover."""
        words, index = self._words, self._index
        for number in numbers:
            at = _FIRST_ENTRY + number * 4
            slot, _ = self._find_slot((words[at], words[at + 1]))
            index[slot] = number + 1

    def entries(self, first: int, end: int) -> Iterator[tuple[Digest, Times]]:
        """Give the entries from *first* up to, and without, *end*."""
        for start in range(first, end, _COPIED_ENTRIES):
            stop = min(end, start + _COPIED_ENTRIES)
            words = iter(self._words[_FIRST_ENTRY + start * 4 : _FIRST_ENTRY + stop * 4].tolist())
            for high, low, until_s, expires_at_s in zip(words, words, words, words, strict=True):
                yield (high, low), (until_s, expires_at_s)

    def count_living(self, end: int, since_s: float) -> int:
        """Count those of the first *end* entries that had not expired at *since_s*."""
        return sum(times[1] > since_s for _, times in self.entries(0, end))

    def take(self, entries: Iterable[tuple[Digest, Times]], since_s: float) -> None:
        """Add what had not expired at *since_s*. Only while nobody else has this file."""
        words, index = self._words, self._index
        count = self.count
        for digest, times in entries:
            if times[1] <= since_s:
                continue
            slot, number = self._find_slot(digest)
            if number:
                self.write(number - 1, [(digest, times)])  # the later entry covers the earlier
                continue
            at = _FIRST_ENTRY + count * 4
            words[at], words[at + 1] = digest
            words[at + 2], words[at + 3] = times
            count += 1
            index[slot] = count
        self.end(count)

    def _find_slot(self, digest: Digest) -> tuple[int, int]:
        """Return where in the index *digest* is or would be, and the number that was seen there.

        Both in one: a writer may fill the slot a moment later, with something else.
        """
        words, index, mask = self._words, self._index, self._mask
        high, low = digest
        home = low & mask
        for place in range(home, home + mask + 1):
            slot = place & mask
            number = index[slot]
            if not number:
                return slot, 0
            at = _FIRST_ENTRY + (number - 1) * 4
            if words[at] == high and words[at + 1] == low:
                return slot, number
        raise ValueError("the index of the revocations has no empty place: the file is damaged")


def merge_times(one: Times, other: Times) -> Times:
    """Return what covers both."""
    return max(one[0], other[0]), max(one[1], other[1])


def log_path(table: Path, generation: int) -> Path:
    """Return where the log of one generation stands: beside the table."""
    return table.with_name(f"{table.name}.log.{generation}")


def remove_logs(table: Path, before: int | None = None) -> None:
    """Remove the logs of the generations *before* one, or all; who has one open goes on reading it.

    Never a later one: another process may have made it the current one already.
    """
    for file in table.parent.iterdir():
        stem, _, number = file.name.rpartition(".")
        if stem != f"{table.name}.log" or not number.isdecimal():
            continue
        if before is None or int(number) < before:
            file.unlink(missing_ok=True)


def _size(capacity: int) -> int:
    return _HEADER_BYTES + capacity * (_ENTRY_BYTES + _INDEX_BYTES)
