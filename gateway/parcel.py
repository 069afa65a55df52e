"""What a process gives to those that it starts, however large it is: in a file without a name.

``multiprocessing`` sends what it is given down a pipe, which holds 64 KiB (pipe(7)). Beyond that,
the parent waits for its child to read; and as it has a copy of the reading end itself, it waits for
ever where the child has been killed by then, starts no other, and does not hear SIGTERM.
"""

import os
import pickle
import tempfile
import weakref
from multiprocessing import reduction
from typing import Any, BinaryIO, Final, Generic, Protocol, TypeVar

_Content = TypeVar("_Content")

# macOS has none; there, it is a file in the temporary folder that is removed as soon as it is made.
_make_memfd: Final = getattr(os, "memfd_create", None)


class Parcel(Generic[_Content]):
    """Something that can be pickled; what travels down the pipe is a descriptor.

    It is pickled once for all who are given it, and its file is open as long as the parcel lives.

    Args:
        content: What is given; it does not change.
    """

    def __init__(self, content: _Content) -> None:
        self.content: Final = content
        self._file: BinaryIO | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        if self._file is None:
            file = _nameless_file()
            weakref.finalize(self, file.close)
            reduction.dump(self.content, file)
            file.flush()
            self._file = file
        return _unpack, (reduction.DupFd(self._file.fileno()),)


class _Inherited(Protocol):
    """A descriptor, in the process that was started with it."""

    def detach(self) -> int: ...


def _nameless_file() -> BinaryIO:
    if _make_memfd is not None:
        return open(_make_memfd("gateway-parcel"), "w+b")  # noqa: PTH123 (a descriptor)
    return tempfile.TemporaryFile()


def _unpack(inherited: _Inherited) -> Parcel[Any]:
    descriptor = inherited.detach()
    try:
        size = os.fstat(descriptor).st_size
        pickled = os.pread(descriptor, size, 0)  # the position belongs to all who have the file
        return Parcel(pickle.loads(pickled))  # noqa: S301 (from our parent, as all of us is)
    finally:
        os.close(descriptor)
