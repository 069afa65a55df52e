"""What a host knows of revocations: one table in memory that all its processes share.

Two kinds of file: the table itself, one page with the epoch, which never moves; and the log of the
current generation (``revocation_log``). A log that is full, or full of what has expired, is copied
into a new one, and one store of the new generation's number puts it in the old one's place.

The rule to keep in mind is the order of a writer's steps: entries, index, epoch, count. What a
reader misses has an epoch that it has not seen; what a killed writer has left undone stands behind
the count, and the next writer does it. Between the steps stands a fence, for machines that would
let stores overtake one another (arm64).
"""

import mmap
import os
import secrets
import struct
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from itertools import islice
from math import ceil, floor, inf
from pathlib import Path
from typing import Final

from gateway.errors import ConfigError, Place
from gateway.issuer.revocation_log import (
    ALL_TOKENS,
    Digest,
    RevocationLog,
    Times,
    log_path,
    merge_times,
    remove_logs,
)
from gateway.issuer.shared_file import Fence, SharedFileError, held, make_file, open_file, opened
from gateway.store.revocations import Revocation, RevocationKind

CAPACITY: Final = 2**16  # some 2.6 MB; doubled as needed
# Kept beyond its expiry, so that a clock set forward by an hour, and back, revives no token.
KEPT_AFTER_EXPIRY_S: Final = 3600.0

_MAGIC: Final = int.from_bytes(b"gwrevoke", sys.byteorder)
_VERSION: Final = 1
_SIZE: Final = 4096
_MAGIC_WORD, _VERSION_WORD, _TABLE_WORD, _LEAST_WORD, _GENERATION_WORD = range(5)
_STORE_EPOCH_WORD = 5
_EPOCH_WORD, _CONTACT_WORD = 6, 7  # what every request reads
_KEY: Final = slice(64, 96)  # in bytes
_TWO_WORDS: Final = struct.Struct("=QQ")
_PAGE: Final = 1024  # revocations written under one lock
_OPENINGS: Final = 100
_CURE: Final = "remove the file and start the gateway anew: it is made from the store"


class RevocationTable:
    """The revocations of one host, for all its processes; open one per process.

    A thing is revoked as long as its revocation has not expired. Revoked twice, the later expiry
    and the later not-before stand. The table grows as it must, and forgets nothing.

    Raises:
        ConfigError: The file is not a whole table, or not its owner's alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = threading.Lock()
        self.fence = Fence()
        try:
            with ExitStack() as at_failure:
                self._descriptor = open_file(path)
                at_failure.callback(os.close, self._descriptor)
                mapping = self._map()
                self._words = memoryview(mapping).cast("Q")
                self.epochs = self._words[_EPOCH_WORD : _EPOCH_WORD + 1]
                self.contacts = memoryview(mapping).cast("d")[_CONTACT_WORD : _CONTACT_WORD + 1]
                self._hash = blake2b(digest_size=16, key=mapping[_KEY])
                self._log = self._open_log()
                at_failure.pop_all()
        except OSError as error:
            fault = f"the revocations cannot be opened: {error.strerror}"
            raise ConfigError(Place(str(path)), fault, _CURE) from None

    @classmethod
    def create(cls, path: Path, capacity: int = CAPACITY) -> "RevocationTable":
        """Make an empty table at *path*, in the place of any other, and open it.

        For one process, before those start that will use it: who has an older table open goes on
        with that one. An older one is not taken over, since a power cut can have torn it.

        Args:
            path: The file; its directory exists. The logs stand beside it, under longer names.
            capacity: For how many revocations there is room before the table must grow, and after
                it has shrunk.

        Raises:
            ConfigError: The file cannot be made.
        """
        table = secrets.randbits(64)
        new = path.with_name(f"{path.name}.new")
        try:
            log = path.with_name(f"{path.name}.log")
            RevocationLog.make(log, table=table, generation=1, entries=capacity)
            mapping = make_file(new, _SIZE)
            mapping[_KEY] = secrets.token_bytes(_KEY.stop - _KEY.start)
            words = memoryview(mapping).cast("Q")
            words[_MAGIC_WORD], words[_VERSION_WORD] = _MAGIC, _VERSION
            words[_TABLE_WORD], words[_LEAST_WORD], words[_GENERATION_WORD] = table, capacity, 1
            memoryview(mapping).cast("d")[_CONTACT_WORD] = -inf
            remove_logs(path)
            log.replace(log_path(path, 1))
            new.replace(path)
        except OSError as error:
            fault = f"the revocations cannot be kept there: {error.strerror}"
            cure = "give the gateway a directory that it may write to, with room on its disk"
            raise ConfigError(Place(str(path)), fault, cure) from None
        return cls(path)

    def close(self) -> None:
        """Write no more. The memory is given back when nobody reads it."""
        os.close(self._descriptor)

    @property
    def epoch(self) -> int:
        """How many changes there have been."""
        return self._words[_EPOCH_WORD]

    @property
    def generation(self) -> int:
        """Which log is current."""
        return self._words[_GENERATION_WORD]

    @property
    def count(self) -> int:
        """How many revocations are held; some may have expired."""
        return self._current().count

    @property
    def capacity(self) -> int:
        """For how many revocations there is room before the table grows."""
        return self._current().capacity

    @property
    def store_epoch(self) -> int:
        """Up to which of the store's own epochs all revocations are here; 0 is before the first.

        Set it after ``add`` only. Two processes that follow the store may set it back to what both
        have added: then something is added twice, which is harmless.
        """
        return self._words[_STORE_EPOCH_WORD]

    @store_epoch.setter
    def store_epoch(self, epoch: int) -> None:
        self._words[_STORE_EPOCH_WORD] = epoch

    def revoked_until(self, user_id: str) -> int | None:
        """Return the last second whose tokens of this user are revoked, or None."""
        times = self._current().find(self.digest(RevocationKind.USER.value, user_id))
        return None if times is None else times[0]

    def stamp_contact(self, now_s: float) -> None:
        """Remember when the store was last reached, and all that it had to tell is here."""
        self.contacts[0] = now_s

    def add(self, revocations: Iterable[Revocation]) -> None:
        """Revoke; when this returns, no process finds any of them good. Doing it twice is harmless.

        Of a user there is a new epoch each time: of two changes within a second the second is no
        news to tokens, but is to an API key that was looked up in between.

        Never waits for the disk, but at times for another writer; and once in a while, for each
        doubling of the table, for the copying of it (``purge`` does that ahead of time).

        Raises:
            SharedFileError: Another process keeps the lock, or the disk is full. Some of them may
                not be revoked; those that were stay so.
        """
        remaining = iter(revocations)
        while page := list(islice(remaining, _PAGE)):
            batch: dict[Digest, Times] = {}
            for revocation in page:
                digest = self.digest(revocation.kind.value, revocation.key)
                times = _times_of(revocation)
                batch[digest] = merge_times(batch.get(digest, times), times)
            of_user = any(revocation.kind is RevocationKind.USER for revocation in page)
            while not self._append(batch, tell=of_user):
                self._rebuild(-inf, len(batch))

    def purge(self, now_s: float) -> bool:
        """Copy a log that is three quarters full into one of the right size, without what expired.

        Best called every few seconds, by a process that serves no requests: a million revocations
        take seconds to copy. Writers go on meanwhile.

        Returns:
            Whether it was done.

        Raises:
            SharedFileError: Another process keeps a lock, or the disk is full.
        """
        log = self._current()
        if log.count < log.capacity * 3 // 4:
            return False
        self._rebuild(now_s - KEPT_AFTER_EXPIRY_S, 0)
        return True

    def is_revoked(self, claims: Iterable[tuple[str, str]], issued_at_s: int, now_s: float) -> bool:
        """Whether a token with these *claims*, issued then, has been revoked in any of them.

        Raises:
            ConfigError: The log is gone or damaged.
        """
        log = self._current()
        for name, value in claims:
            times = log.find(self.digest(name, value))
            if times is not None and issued_at_s <= times[0] and now_s < times[1]:
                return True
        return False

    def digest(self, name: str, value: str) -> Digest:
        """Return what the table knows *value* by. Keyed, so that nobody can aim at one place."""
        state = self._hash.copy()
        state.update(f"{name}={value}".encode("utf-8", "surrogatepass"))
        high, low = _TWO_WORDS.unpack(state.digest())
        return high, low

    def _map(self) -> mmap.mmap:
        if os.fstat(self._descriptor).st_size == _SIZE:
            mapping = mmap.mmap(self._descriptor, _SIZE)
            words = memoryview(mapping).cast("Q")
            if (words[_MAGIC_WORD], words[_VERSION_WORD]) == (_MAGIC, _VERSION):
                return mapping
        raise ConfigError(Place(str(self._path)), "this is not a table of revocations", _CURE)

    def _current(self) -> RevocationLog:
        log = self._log
        if log.generation != self.generation:
            self._log = log = self._open_log()
        return log

    def _open_log(self) -> RevocationLog:
        for _ in range(_OPENINGS):
            generation = self.generation
            try:
                path = log_path(self._path, generation)
                return RevocationLog.open(
                    path, table=self._words[_TABLE_WORD], generation=generation
                )
            except FileNotFoundError:
                continue  # replaced between the two steps
        raise ConfigError(Place(str(self._path)), "the log of the revocations is gone", _CURE)

    @contextmanager
    def _writing(self) -> Iterator[RevocationLog]:
        """Hold everybody else from writing, and end what a killed writer has begun."""
        with self._writer, held(self._descriptor):
            log = self._current()
            if log.written() != log.count:
                self._publish(log, log.written())
            yield log

    def _append(self, batch: dict[Digest, Times], *, tell: bool) -> bool:
        """Write what is news, and *tell* even without; False where the log has no room for it."""
        with self._writing() as log:
            news = log.plan(batch)
            if len(news) > log.capacity - log.count:
                return False
            if news or tell:
                self._publish(log, log.write(log.count, news))
            return True

    def _publish(self, log: RevocationLog, end: int) -> None:
        self.fence.stand()
        log.point(range(log.count, end))
        self.fence.stand()
        self._words[_EPOCH_WORD] += 1
        self.fence.stand()
        log.end(end)

    def _rebuild(self, since_s: float, room: int) -> None:
        """Put a new log in the old one's place, without what had expired at *since_s*.

        The copying is done beside the writers; only what they have added meanwhile is copied while
        they wait.
        """
        old = self._current()
        try:
            with opened(log_path(self._path, old.generation)) as descriptor, held(descriptor):
                if self.generation == old.generation:
                    self._replace(old, since_s, room)
        except OSError as error:
            if self.generation == old.generation:  # else it is done, by us or by another process
                fault = f"the revocations cannot grow: {error.strerror}"
                raise SharedFileError(fault) from error

    def _replace(self, old: RevocationLog, since_s: float, room: int) -> None:
        seen = old.count
        living = old.count_living(seen, since_s)
        needed = max(2 * living, living + old.capacity - seen + room)
        entries = max(needed, self._words[_LEAST_WORD])
        generation = old.generation + 1
        path = self._path.with_name(f"{self._path.name}.log")
        new = RevocationLog.make(
            path, table=self._words[_TABLE_WORD], generation=generation, entries=entries
        )
        new.take(old.entries(0, seen), since_s)
        with self._writing() as current:
            new.take(current.entries(seen, current.count), since_s)
            path.replace(log_path(self._path, generation))
            self.fence.stand()
            self._words[_GENERATION_WORD] = generation
            self._log = new
        remove_logs(self._path, before=generation)


def _times_of(revocation: Revocation) -> Times:
    """Return whole seconds, as claims have them; in doubt more is revoked, and for longer."""
    not_before_s = ALL_TOKENS
    if revocation.kind is RevocationKind.USER and revocation.not_before_s is not None:
        not_before_s = max(0, floor(revocation.not_before_s))
    return not_before_s, max(1, ceil(revocation.expires_at_s))
