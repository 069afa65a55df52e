"""Where the workers of a host lay their numbers open for one another: one file or more for each.

A sheet is a file in the gateway's runtime directory, mapped by the worker that writes it and read
by whichever is asked. It outlives its worker, so that a restart makes no counter smaller; its
lock says whether the worker lives. What a killed worker had not published yet is lost.

::

    8 bytes   magic
    entries:  u64  length of the key | numbers << 32; 0: no more entries
              key, filled up with spaces to a multiple of 8
              numbers, f64
"""

import fcntl
import logging
import mmap
import os
import secrets
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

SHEET_BYTES: Final = 64 * 1024  # some 300 series of one number, or 25 routes with all they count
_PREFIX: Final = "metrics-"
_MAGIC: Final = b"gwsheet1"
_WORD: Final = struct.Struct("=Q")
_NUMBER: Final = 8

# macOS has none; there, a full disk is what it is.
_reserve: Final[Callable[[int, int, int], None]] = getattr(
    os, "posix_fallocate", lambda descriptor, _, size: os.truncate(descriptor, size)
)

log = logging.getLogger(__name__)


class Spot:
    """The place of one series in a sheet."""

    __slots__ = ("_mapping", "_offset", "_struct")

    def __init__(self, mapping: mmap.mmap, offset: int, count: int) -> None:
        self._mapping = mapping
        self._offset = offset
        self._struct = struct.Struct(f"={count}d")

    def put(self, numbers: list[float]) -> None:
        """Write the numbers as they are now."""
        self._struct.pack_into(self._mapping, self._offset, *numbers)


class SheetWriter:
    """The sheets of this process; a new one is made when the last is full.

    Args:
        directory: The gateway's runtime directory; it exists.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._descriptors: list[int] = []  # each holds the lock of its file
        self._mapping: mmap.mmap | None = None
        self._end = 0

    def add(self, key: bytes, count: int) -> Spot:
        """Return the place for a new series; its numbers are 0."""
        key += b" " * (-len(key) % 8)
        size = _WORD.size + len(key) + count * _NUMBER
        mapping = self._mapping
        # Behind the last entry there is a word that is 0.
        if mapping is None or self._end + size + _WORD.size > len(mapping):
            mapping = self._mapping = self._make(size)
            self._end = len(_MAGIC)
        offset = self._end + _WORD.size
        mapping[offset : offset + len(key)] = key
        # Last, since others read at any time: an entry is there with its key or not at all.
        _WORD.pack_into(mapping, self._end, len(key) | count << 32)
        self._end += size
        return Spot(mapping, offset + len(key), count)

    def close(self) -> None:
        """Give up the locks: what was counted stays."""
        while self._descriptors:
            descriptor = self._descriptors.pop()
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # the mapping has a descriptor of its own
            os.close(descriptor)

    def _make(self, size: int) -> mmap.mmap:
        size = max(SHEET_BYTES, size + len(_MAGIC) + _WORD.size)
        path = self._directory / f"{_PREFIX}{secrets.token_hex(8)}"
        try:
            mapping = self._map(path, size)
        except OSError as error:  # no room: these series are then missing in what others tell
            log.error("metrics cannot be shared: %s", error.strerror)  # noqa: TRY400 (no bug)
            return mmap.mmap(-1, size)
        mapping[: len(_MAGIC)] = _MAGIC
        return mapping

    def _map(self, path: Path, size: int) -> mmap.mmap:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        try:
            # The file has its blocks first: a store into a page without would kill the process.
            _reserve(descriptor, 0, size)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mapping = mmap.mmap(descriptor, size)
        except OSError:
            path.unlink()
            os.close(descriptor)
            raise
        self._descriptors.append(descriptor)
        return mapping


def read_sheets(directory: Path) -> Iterator[tuple[bool, bytes, tuple[float, ...]]]:
    """Yield every entry of every sheet: whether its worker lives, its key and its numbers."""
    for path in sorted(directory.glob(f"{_PREFIX}*")):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:  # gone: the gateway ends
            continue
        try:
            is_live = _is_locked(descriptor)
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read()
        finally:
            os.close(descriptor)
        for key, numbers in _entries(content):
            yield is_live, key, numbers


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False  # closing it gives the lock back


def _entries(content: bytes) -> Iterator[tuple[bytes, tuple[float, ...]]]:
    if content[: len(_MAGIC)] != _MAGIC:  # just being made
        return
    offset = len(_MAGIC)
    while offset + _WORD.size <= len(content):
        (word,) = _WORD.unpack_from(content, offset)
        if not word:
            return
        length, count = word & 0xFFFFFFFF, word >> 32
        offset += _WORD.size
        key = content[offset : offset + length]
        offset += length
        yield key, struct.unpack_from(f"={count}d", content, offset)
        offset += count * _NUMBER
