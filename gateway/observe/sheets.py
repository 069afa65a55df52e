"""Where the workers of a host lay their numbers open for one another: one file or more for each.

A sheet is a file in the gateway's runtime directory, mapped by the worker that writes it and read
by whichever is asked. It outlives its worker, so that a restart makes no counter smaller; its
lock says whether the worker lives. What a killed worker had not published yet is lost. The sheets
of many that have ended are put together into one (``fold_ended``), so that workers that crash again
and again do not fill the disk.

::

    8 bytes   magic
    entries:  u64  length of the key | numbers << 32; 0: no more entries
              key, filled up with spaces to a multiple of 8
              numbers, f64

Who reads all of them, or puts some together, holds the lock of the directory, so that each number
is there once. The sheet that others went into names them: where their removal was cut short, they
no longer count.
"""

import fcntl
import logging
import mmap
import os
import secrets
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

SHEET_BYTES: Final = 64 * 1024  # some 300 series of one number, or 25 routes with all they count
_PREFIX: Final = "metrics-"
_MAGIC: Final = b"gwsheet1"
_WORD: Final = struct.Struct("=Q")
_NUMBER: Final = 8
MAX_ENDED: Final = 16  # sheets of ended workers that are left as they are
_FAULTS: Final = (OSError, ValueError, struct.error)  # no room; a file that is no sheet
_ENDED: Final = "metrics-ended"  # what the others went into
_LOCK: Final = "metrics.lock"
_STEPS: Final = 2.0**20  # to a second: then sums are exact in any order, and no counter goes back

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
        fold_ended(directory)
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
        try:
            mapping = self._map(f"{_PREFIX}{secrets.token_hex(8)}", size)
        except OSError as error:  # no room: these series are then missing in what others tell
            log.error("metrics cannot be shared: %s", error.strerror)  # noqa: TRY400 (no bug)
            return mmap.mmap(-1, size)
        return mapping

    def _map(self, name: str, size: int) -> mmap.mmap:
        # It appears under its name with the lock held: nobody takes it for that of an ended worker.
        path = self._directory / f".{name}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        try:
            # The file has its blocks first: a store into a page without would kill the process.
            _reserve(descriptor, 0, size)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mapping = mmap.mmap(descriptor, size)
            mapping[: len(_MAGIC)] = _MAGIC
            path.rename(self._directory / name)
        except OSError:
            path.unlink()
            os.close(descriptor)
            raise
        self._descriptors.append(descriptor)
        return mapping


class _Sheet:
    """A file as it was read."""

    __slots__ = ("entries", "is_live", "path")

    def __init__(self, path: Path, content: bytes, *, is_live: bool) -> None:
        self.path = path
        self.is_live = is_live
        self.entries = list(_entries(content))


def read_sheets(directory: Path) -> Iterator[tuple[bool, bytes, tuple[float, ...]]]:
    """Yield every entry of every sheet: whether its worker lives, its key and its numbers."""
    with _locked(directory, fcntl.LOCK_SH):
        sheets, _ = _read_all(directory)
    for sheet in sheets:
        for key, numbers in sheet.entries:
            yield sheet.is_live, key, numbers


def fold_ended(directory: Path, *, most: int = MAX_ENDED) -> None:
    """Put the sheets of ended workers together where there are more than *most*.

    Metrics are never a reason not to start: what cannot be put together stays as it is.
    """
    with _locked(directory, fcntl.LOCK_EX | fcntl.LOCK_NB) as is_ours, suppress(*_FAULTS):
        if not is_ours:  # somebody reads, or does the same
            return
        sheets, folded = _read_all(directory)
        for name in folded:  # of a time when this was cut short
            (directory / name).unlink(missing_ok=True)
        ended = [sheet for sheet in sheets if not sheet.is_live]
        gone = [sheet.path for sheet in ended if sheet.path.name != _ENDED]
        if len(gone) <= most:
            return
        content = _fold(ended, [path.name for path in gone])
        hidden = directory / f".{_ENDED}"
        hidden.unlink(missing_ok=True)
        with open(hidden, "xb", opener=_open_private) as file:
            file.write(content)
        hidden.rename(directory / _ENDED)
        for path in gone:
            path.unlink()


def _fold(ended: list[_Sheet], names: list[str]) -> bytes:
    totals: dict[bytes, list[float]] = {}
    for sheet in ended:
        for key, numbers in sheet.entries:
            known = totals.get(key) or [0.0] * len(numbers)
            totals[key] = [a + b for a, b in zip(known, numbers, strict=True)]
    for name in names:
        totals[name.encode("ascii").ljust(-(-len(name) // 8) * 8)] = []
    parts = [_MAGIC]
    for key, total in totals.items():
        packed = struct.pack(f"={len(total)}d", *total)
        parts += [_WORD.pack(len(key) | len(total) << 32), key, packed]
    return b"".join(parts)


def _read_all(directory: Path) -> tuple[list[_Sheet], set[str]]:
    """Return the sheets that count, and the names of those that went into another one."""
    sheets = []
    folded: set[str] = set()
    for path in sorted(directory.glob(f"{_PREFIX}*")):
        sheet = _read(path)
        if sheet is None:
            continue
        if path.name == _ENDED:
            folded = {key.decode().rstrip() for key, numbers in sheet.entries if not numbers}
            sheet.entries = [entry for entry in sheet.entries if entry[1]]
        sheets.append(sheet)
    return [sheet for sheet in sheets if sheet.path.name not in folded], folded


def _read(path: Path) -> _Sheet | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:  # gone: the gateway ends
        return None
    try:
        is_live = _is_locked(descriptor)
        with open(descriptor, "rb", closefd=False) as file:
            return _Sheet(path, file.read(), is_live=is_live)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(directory: Path, how: int) -> Iterator[bool]:
    """Hold the lock of the directory; False where that cannot be."""
    try:
        descriptor = _open_private(str(directory / _LOCK), os.O_RDWR | os.O_CREAT)
    except OSError:  # the gateway ends
        yield False
        return
    try:
        fcntl.flock(descriptor, how)
        is_held = True
    except OSError:  # another has it
        is_held = False
    try:
        yield is_held
    finally:
        os.close(descriptor)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


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
        numbers = struct.unpack_from(f"={count}d", content, offset)
        yield key, tuple(number * _STEPS // 1 / _STEPS for number in numbers)
        offset += count * _NUMBER
