"""The keys of one other issuer, kept up to date by one task of a worker.

Requests never wait for it: they are decided with the keys that are here. What is read elsewhere
replaces them as a whole; where nothing can be read, they stay, for a day. There is one task, so
there is never more than one reading at a time, however many tokens ask for a key that is not here.

The rule to keep in mind: an error never takes a key away; only a good set does, or the day.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.issuer.jwks import MAX_SET_BYTES, KeySet, UnfitKeySetError, parse_key_set
from gateway.policy.signature import VerificationKey

FRESH_S: Final = 300.0  # between two readings; the document can say otherwise within limits
MIN_FRESH_S: Final = 60.0
MAX_FRESH_S: Final = 3600.0
FILE_FRESH_S: Final = 5.0
STALE_S: Final = 24 * 3600.0  # keys that nobody has confirmed for so long count no more
COOL_DOWN_S: Final = 30.0  # between two readings that unknown key ids cause
FIRST_RETRY_S: Final = 1.0
MAX_RETRY_S: Final = 60.0
MAX_RETRY_WITHOUT_KEYS_S: Final = 2.0  # requests are refused meanwhile
_MOST_DOUBLINGS: Final = 10
_JITTER: Final = 0.2  # of each pause, so that workers and hosts do not ask in step

log = logging.getLogger(__name__)


class UnreadableKeysError(Exception):
    """The keys cannot be read; says why in a few words, with nothing from outside."""


@dataclass(frozen=True, slots=True)
class KeyDocument:
    """A JWK Set as it was read."""

    data: bytes
    fresh_s: float = FRESH_S  # how long it need not be read again


ReadKeys = Callable[[], Awaitable[KeyDocument]]  # raises UnreadableKeysError


class KeySource:
    """Follows the keys of one issuer.

    Args:
        issuer: Whose keys they are.
        algorithms: Those that it may sign with.
        read: Reads its JWK Set.
        on_change: Told that ``keys`` are others than before.
        clock: Gives seconds that only ever grow.
    """

    def __init__(
        self,
        issuer: str,
        algorithms: frozenset[str],
        read: ReadKeys,
        on_change: Callable[[], None],
        *,
        clock: Callable[[], float],
    ) -> None:
        self.issuer = issuer
        self.keys: tuple[VerificationKey, ...] = ()  # none: nobody knows them
        self.tried = asyncio.Event()  # the first reading has come to its end, good or bad
        self._algorithms = algorithms
        self._read = read
        self._on_change = on_change
        self._clock = clock
        self._data = b""
        self._confirmed_at_s = 0.0
        self._failures = 0
        self._wanted = asyncio.Event()
        self._cool_at_s = 0.0  # from then on an unknown key id may cause a reading

    def want(self) -> None:
        """Note that a token named a key that is not here; costs next to nothing."""
        if self.keys:  # without, they are asked for all the time
            self._wanted.set()

    async def run(self) -> None:
        """Follow the keys until cancelled."""
        while True:
            pause_s = await self.refresh()
            self.tried.set()
            await self._pause(pause_s * (1 - _JITTER * secrets.randbelow(1000) / 1000))

    async def refresh(self) -> float:
        """Read the keys once; return for how many seconds that will do."""
        try:
            document = await self._read()
            if document.data != self._data:
                key_set = await asyncio.to_thread(parse_key_set, document.data, self._algorithms)
                self._take(key_set)
                self._data = document.data
        except (UnreadableKeysError, UnfitKeySetError) as error:
            return self._fail(error)
        if self._failures:
            log.warning("the keys of issuer %s can be read again", self.issuer)
        self._failures = 0
        self._confirmed_at_s = self._clock()
        return document.fresh_s

    def _take(self, key_set: KeySet) -> None:
        for ignored in key_set.ignored:
            log.warning("a key of issuer %s is not used: %s", self.issuer, ignored)
        if _identities(key_set.keys) != _identities(self.keys):
            self.keys = key_set.keys
            log.info("the keys of issuer %s are new: %d", self.issuer, len(self.keys))
            self._on_change()

    def _fail(self, error: Exception) -> float:
        if not self._failures:
            stand = "known ones stand" if self.keys else "its tokens are refused"
            log.error("the keys of issuer %s cannot be read, %s: %s", self.issuer, stand, error)
        self._failures = min(self._failures + 1, _MOST_DOUBLINGS)
        if self.keys and self._clock() - self._confirmed_at_s >= STALE_S:
            log.error("the keys of issuer %s are too old: its tokens are refused", self.issuer)
            self.keys, self._data = (), b""
            self._on_change()
        longest_s = MAX_RETRY_S if self.keys else MAX_RETRY_WITHOUT_KEYS_S
        return min(FIRST_RETRY_S * (1 << self._failures - 1), longest_s)

    async def _pause(self, pause_s: float) -> None:
        """Wait, but not for the whole of it where an unknown key id asks for a reading."""
        cooling_s = min(pause_s, max(0.0, self._cool_at_s - self._clock()))
        await asyncio.sleep(cooling_s)  # who asks meanwhile is heard at its end
        try:
            async with asyncio.timeout(pause_s - cooling_s):
                await self._wanted.wait()
        except TimeoutError:
            return
        self._wanted.clear()
        self._cool_at_s = self._clock() + COOL_DOWN_S


def _identities(keys: tuple[VerificationKey, ...]) -> set[tuple[str, str, bytes]]:
    return {(key.kid, key.algorithm, key.material) for key in keys}


def file_reader(path: Path) -> ReadKeys:
    """Return what reads a JWK Set from a file; it is read whole each time, which is cheap."""

    async def read() -> KeyDocument:
        return KeyDocument(await asyncio.to_thread(read_key_file, path), FILE_FRESH_S)

    return read


def read_key_file(path: Path) -> bytes:
    """Return what a file holds, up to one byte more than a set may have.

    Raises:
        UnreadableKeysError: It cannot be read, or is a pipe or a device.
    """
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            raise UnreadableKeysError("there is no such file")
        with path.open("rb") as file:
            return file.read(MAX_SET_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = getattr(error, "strerror", None) or "not a path"
        raise UnreadableKeysError(f"the file cannot be read ({why})") from None
