"""Looks whether the configuration has changed on disk: the file, and those that it takes values of.

Looking is ``stat``, of what a name leads to: it sees a file that is written in place, one that is
put in another's place, and the links that Kubernetes swaps for a ConfigMap or a Secret.

The rule to keep in mind: what two looks find alike has been written; what only one has seen may be
half of a file.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.config.document import MAX_BYTES

LOOK_S: Final = 0.5  # between two looks; a change is taken up within two of them
_FILES: Final = re.compile(rb"\$\{file:([^}\n]+)\}")  # in comments too: they are only looked at
_MOST_FILES: Final = 1000

Stamp = tuple[tuple[int, ...] | None, ...]  # of each file; None: it is not there


@dataclass(slots=True)
class FileWatch:
    """Remembers what the files looked like when they were read last; it can be pickled."""

    path: Path
    _files: tuple[Path, ...] = ()
    _taken: Stamp = ()
    _seen: Stamp = field(default=())

    def take(self) -> None:
        """Note that the files are read now, by whoever asks for it: the last change is known."""
        self._files = (self.path, *_find_files(self.path))
        self._taken = self._seen = self._stamp()

    def has_changed(self) -> bool:
        """Look; whether the files differ from those that were read, and no longer change."""
        stamp = self._stamp()
        is_settled = stamp == self._seen
        self._seen = stamp
        return is_settled and stamp != self._taken

    def _stamp(self) -> Stamp:
        return tuple(_stamp_of(each) for each in self._files)


def _stamp_of(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def _find_files(path: Path) -> list[Path]:
    """Return the files that the configuration names, whether it is a good one or not.

    A file that is missing keeps a configuration from being taken up; it is waited for, too.
    """
    try:
        if not path.is_file():
            return []
        with path.open("rb") as file:
            content = file.read(MAX_BYTES)
    except (OSError, ValueError):
        return []
    names = dict.fromkeys(_FILES.findall(content))
    return [Path(name.decode("utf-8", "replace")) for name in list(names)[:_MOST_FILES]]
