"""Files that the processes of one host share as memory: made, opened, locked.

Each is its owner's alone (0600), and has its blocks before anybody maps it: a store into a mapped
page for which the disk has no room would kill the process (SIGBUS), and not raise.

The rule to keep in mind: a lock may be waited for, but never for ever. Its holder can have been
stopped, and here an event loop waits.
"""

import errno
import fcntl
import mmap
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Final

from gateway.errors import ConfigError, GatewayError, Place

_FORBIDDEN_MODE: Final = stat.S_IRWXG | stat.S_IRWXO
_CURE: Final = "remove it; the gateway makes it at its start"
_LOCK_PAUSE_S: Final = (
    0.001  # a lock is held for microseconds, by a page of revocations for some ms
)
_LOCK_TRIES: Final = 2000  # some 2 s in all

# macOS has none; there, a full disk is what it is.
_reserve: Final[Callable[[int, int, int], None]] = getattr(
    os, "posix_fallocate", lambda descriptor, _, size: os.truncate(descriptor, size)
)


class SharedFileError(GatewayError):
    """A shared file did not do what was asked of it now: locked for too long, no room on the disk.

    What was asked is not done; asking again is right.
    """


def make_file(path: Path, size: int) -> mmap.mmap:
    """Make a file of *size* zero bytes, its owner's alone, in the place of any other; map it.

    Raises:
        OSError: There is no room, or no right to.
    """
    path.unlink(missing_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        _reserve(descriptor, 0, size)
        return mmap.mmap(descriptor, size)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)


def open_file(path: Path) -> int:
    """Return a descriptor of a file that is its owner's alone.

    ``O_NONBLOCK`` so that a FIFO of that name holds nobody.

    Raises:
        OSError: It is not there, or cannot be opened.
        ConfigError: It is no file, or not its owner's alone.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):
            raise ConfigError(Place(str(path)), "this is not a file", _CURE) from None
        raise
    status = os.fstat(descriptor)
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        fault = "this is not a file"
    elif mode & _FORBIDDEN_MODE:
        fault = f"others than its owner may use it (mode {mode:04o})"
    else:
        return descriptor
    os.close(descriptor)
    raise ConfigError(Place(str(path)), fault, _CURE)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Give what ``open_file`` returns, and close it."""
    descriptor = open_file(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class Fence:
    """Keeps loads and stores of shared memory in their order, on machines that would change it.

    Python has no such thing, but a lock has half of it: what is before its release stays before,
    what is after its taking stays after. Two rounds are a whole one; they take 0.8 us.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def stand(self) -> None:
        """Let nothing before this happen after it, nor the other way round."""
        with self._lock:
            pass
        with self._lock:
            pass


@contextmanager
def held(descriptor: int) -> Iterator[None]:
    """Hold the one lock of an open file; the kernel gives it back for those who are killed.

    The lock is the open file's, so that it holds off whoever has opened it another time, in this
    process too, and not whoever has inherited it through a fork.

    Raises:
        SharedFileError: Somebody has held it for some 2 s.
    """
    for _ in range(_LOCK_TRIES):
        if _try_lock(descriptor):
            break
        sleep(_LOCK_PAUSE_S)
    else:
        raise SharedFileError("a lock was not given back in time")
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
