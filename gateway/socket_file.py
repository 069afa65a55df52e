"""Listening on a Unix socket: who may connect, and what becomes of its file."""

import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

_UMASK: Final = 0o117  # the file gets 0660: whoever may write to it may connect
_LOOK_S: Final = 1.0


def listen_on(path: Path, backlog: int) -> socket.socket:
    """Listen at *path*; the file of a process that is no more gives way.

    Raises:
        OSError: Somebody else listens there, there is another kind of file, or it cannot be made.
    """
    if _is_left_behind(path):
        path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(_UMASK)
    try:
        listener.bind(str(path))
        listener.listen(backlog)  # at once: whoever starts meanwhile must not take it for dead
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def remove(path: Path, made: os.stat_result) -> None:
    """Remove the file, unless it is no longer the one that was *made*."""
    with suppress(OSError):
        if os.path.samestat(path.lstat(), made):
            path.unlink()


def _is_left_behind(path: Path) -> bool:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return False
    except OSError:
        return False
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_LOOK_S)
        try:
            asking.connect(str(path))
        except OSError as error:
            return error.errno == errno.ECONNREFUSED
    return False
