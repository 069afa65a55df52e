"""Writes lines without ever waiting for who reads them.

All lines of one turn of the loop go out in one write, so that none waits for a batch to fill, and
no batch is large enough to be felt. What a full pipe does not take now is kept, up to a bound; what
comes above it is dropped and counted.
"""

import asyncio
import logging
import os
import select
import stat
from collections import deque
from pathlib import Path
from typing import Final

MAX_WAITING_BYTES: Final = 1024 * 1024  # some 3,000 lines
# A pipe takes so many bytes whole or not at all, so that lines of several workers do not mix.
CHUNK_BYTES: Final = 4096  # pipe(7): PIPE_BUF on Linux
_RETRY_S: Final = 0.02
_LAST_WORDS_MS: Final = 500  # for a slow reader, when the process ends

STDOUT: Final = "stdout"

log = logging.getLogger(__name__)


def open_target(target: str) -> int:
    """Open what the lines are written to and return its descriptor; a write to it never waits.

    Args:
        target: ``stdout``, or the name of a file, which is made if need be and appended to.

    Raises:
        OSError: It cannot be opened.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
    if target != STDOUT:
        return os.open(Path(target), flags | os.O_CREAT, 0o640)
    kind = stat.S_IFMT(os.fstat(1).st_mode)
    if kind in (stat.S_IFIFO, stat.S_IFCHR):
        # Opened anew: not to wait is a property of the open file, which is shared with whoever
        # started us, and with standard error.
        try:
            return os.open("/dev/stdout", flags)
        except OSError:  # somebody else's terminal, or no /dev
            pass
    return os.dup(1)


class LineWriter:
    """Writes lines to one open file.

    Args:
        descriptor: The file; closed by ``close``.
        dropped: A list of one number, to which each line is added that is not written.
    """

    def __init__(self, descriptor: int, dropped: list[float]) -> None:
        self._descriptor = descriptor
        self._dropped = dropped
        self._lines: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._is_scheduled = False
        self._has_failed = False
        self._is_closed = False
        poller = select.poll()
        poller.register(descriptor, select.POLLOUT)
        self._poller = poller
        # A file is always ready; a pipe, a terminal or a socket is asked before each write.
        self._is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)

    def write(self, line: bytes) -> None:
        """Write a line at the end of this turn of the loop, or as soon as it can be."""
        if self._is_closed or self._waiting_bytes + len(line) > MAX_WAITING_BYTES:
            self._dropped[0] += 1.0
            return
        self._lines.append(line)
        self._waiting_bytes += len(line)
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def close(self) -> None:
        """Write what is left, as far as it is taken within half a second, and close."""
        while self._write_chunks() and self._poller.poll(_LAST_WORDS_MS):
            pass
        self._dropped[0] += sum(line.count(b"\n") for line in self._lines)
        self._lines.clear()
        self._is_closed = True
        os.close(self._descriptor)

    def _flush(self) -> None:
        self._is_scheduled = False
        if self._write_chunks():
            self._is_scheduled = True
            asyncio.get_running_loop().call_later(_RETRY_S, self._flush)

    def _write_chunks(self) -> bool:
        """Write as much as is taken now; return whether something is left."""
        while self._lines:
            if not self._is_file and not self._poller.poll(0):
                return True
            count, chunk = self._take_chunk()
            try:
                written = os.write(self._descriptor, chunk)
            except BlockingIOError:
                written = 0
            except OSError as error:
                self._complain(error)
                self._dropped[0] += count
                continue
            self._has_failed = False
            if written < len(chunk):  # what is left of it goes first next time
                self._lines.appendleft(chunk[written:])
                self._waiting_bytes += len(chunk) - written
                return True
        return False

    def _take_chunk(self) -> tuple[int, bytes]:
        """Return how many lines, at least one, and their bytes."""
        lines = [self._lines.popleft()]
        size = len(lines[0])
        while self._lines and size + len(self._lines[0]) <= CHUNK_BYTES:
            lines.append(self._lines.popleft())
            size += len(lines[-1])
        self._waiting_bytes -= size
        return len(lines), b"".join(lines)

    def _complain(self, error: OSError) -> None:
        """Say once that nothing is written any more."""
        if not self._has_failed:
            log.error("the access log cannot be written: %s", error.strerror)
        self._has_failed = True
