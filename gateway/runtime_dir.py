"""A directory for as long as one gateway runs: what its processes share, and nobody else's.

The rule to keep in mind: a directory whose lock nobody holds belongs to a gateway that was killed,
and is removed by the next one that starts.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from gateway.errors import ConfigError, Place

_PREFIX: Final = "run-"
_LOCK: Final = "lock"


@contextmanager
def runtime_dir(parent: Path) -> Iterator[Path]:
    """Make a directory below *parent*, its owner's alone; it is gone when the context ends.

    Raises:
        ConfigError: It cannot be made.
    """
    directory = parent / f"{_PREFIX}{secrets.token_hex(8)}"
    try:
        _make_directory(parent)
        _remove_abandoned(parent)
        descriptor = _make_locked(directory)
    except OSError as error:
        raise ConfigError(
            Place(str(parent)),
            f"the runtime directory cannot be used: {error.strerror}",
            "give the gateway a directory that it may write to: 'runtime_dir' names it",
        ) from None
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(descriptor)


def _make_locked(directory: Path) -> int:
    """Make the directory, and return the descriptor that holds its lock.

    It appears under its name with the lock held: ``_remove_abandoned`` of another gateway never
    sees it without.
    """
    hidden = directory.with_name(f".{directory.name}")
    hidden.mkdir(mode=0o700)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(hidden / _LOCK, flags, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    hidden.rename(directory)
    return descriptor


def _remove_abandoned(parent: Path) -> None:
    for directory in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another starts too, and was faster; or it is somebody else's
            descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
            finally:
                os.close(descriptor)


def _make_directory(directory: Path) -> None:
    """Make a directory and those above it, each 0700: ``parents=True`` would mind only the last."""
    if not directory.is_dir():
        _make_directory(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)
