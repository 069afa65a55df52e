"""Where tests keep their files: in memory, where there is room for them.

What they write is never read again, and gigabytes of it: databases of a test each, and an ``fsync``
for each transaction. A slow disk made minutes of that, and timeouts.
"""

import shutil
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 (each makes a folder of its own in it)
_ENOUGH_BYTES: Final = 2 * 1024**3


def find_memory() -> Path | None:
    """Return a file system in memory with room for the tests; None is the usual place."""
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES:
        return _MEMORY
    return None
