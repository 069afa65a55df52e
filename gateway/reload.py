"""A changed configuration file, taken over while the gateway runs: all of it, or nothing.

The rule to keep in mind: what is not known to be changeable here is not. A new key of the file
needs a restart until it is named below.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.config.compile import compile_snapshot
from gateway.config.load import Config, in_order, load_config
from gateway.config.section import Section
from gateway.desk import make_file_users
from gateway.errors import ConfigError, ConfigErrors
from gateway.policy.model import Snapshot
from gateway.tls import find_upstream_faults

log: Final = logging.getLogger(__name__)

_CHANGEABLE: Final = frozenset(
    ("trusted_proxies", "limits", "credentials", "claim_headers", "users", "upstreams", "routes")
)
_CHANGEABLE_OF_TOKENS: Final = frozenset(
    (
        "issuer",
        "audience",
        "access_lifetime",
        "refresh_lifetime",
        "session_lifetime",
        "leeway",
        "max_lifetime",
        "claims",
    )
)
_CURE: Final = "restart the gateway, or put the old value back"


def read_again(old: Config) -> tuple[Config, Snapshot]:
    """Read the file of *old* as it is now, and compile it, without any keys.

    It takes seconds for a file of the largest size, so that it has no place in an event loop.

    Raises:
        ConfigErrors: It has faults, or differs from *old* where only a restart helps; all of them.
    """
    new = load_config(Path(old.document.file), os.environ)
    faults = [*find_fixed(old, new), *find_upstream_faults(new)]
    try:
        snapshot = compile_snapshot(new, ())
        make_file_users(new)
    except ConfigErrors as error:
        raise in_order([*faults, *error.errors]) from None
    except ConfigError as error:
        raise in_order([*faults, error]) from None
    if faults:
        raise in_order(faults)
    return new, snapshot


def find_fixed(old: Config, new: Config) -> list[ConfigError]:
    """Return a fault for each key that differs and that a reload cannot change."""
    changed = [
        *((name,) for name in _changes(old.settings, new.settings, {*_CHANGEABLE, "tokens"})),
        *(
            ("tokens", name)
            for name in _changes(old.settings.tokens, new.settings.tokens, _CHANGEABLE_OF_TOKENS)
        ),
    ]
    return [
        ConfigError(new.place(*path), f"a reload cannot change '{'.'.join(path)}'", _CURE)
        for path in changed
    ]


class Reloader:
    """Reloads within one process, one reload at a time.

    Args:
        current: Returns the configuration as it is now.
        take_over: Uses another one from now on.
    """

    def __init__(
        self, current: Callable[[], Config], take_over: Callable[[Config, Snapshot], None]
    ) -> None:
        self._current = current
        self._take_over = take_over
        self._lock = asyncio.Lock()
        self._waiting: asyncio.Task[None] | None = None  # has not begun to read
        self._tasks: set[asyncio.Task[None]] = set()

    def on_signal(self) -> None:
        """Reload soon. A reload that has not begun to read yet will do for this one too."""
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_task(self._reload_or_tell())
            self._tasks.add(self._waiting)
            self._waiting.add_done_callback(self._tasks.discard)

    async def reload(self) -> None:
        """Read the file and take it over.

        Raises:
            ConfigErrors: It stays as it was.
        """
        async with self._lock:
            await self._reload()

    async def _reload_or_tell(self) -> None:
        async with self._lock:
            self._waiting = None
            try:
                await self._reload()
            except ConfigErrors as error:
                tell_refused(error)

    async def _reload(self) -> None:
        new, snapshot = await asyncio.to_thread(read_again, self._current())
        self._take_over(new, snapshot)
        tell_done(new)


@contextmanager
def hearing_hangups(on_hangup: Callable[[], None]) -> Iterator[None]:
    """Hear SIGHUP, which would end this process, in its loop; uvicorn leaves that to us."""
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGHUP, lambda *_: loop.call_soon_threadsafe(on_hangup))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the process drains, and ends


def tell_refused(error: ConfigErrors) -> None:
    """Log all that is wrong with a file that was not taken over."""
    log.error("not reloaded, the old configuration stays:\n%s", error)


def tell_done(config: Config) -> None:
    """Log that a file was taken over."""
    log.warning("reloaded %s", config.document.file)


def _changes(old: Section, new: Section, changeable: set[str] | frozenset[str]) -> list[str]:
    return [
        name
        for name in type(new).model_fields
        if name not in changeable and getattr(old, name) != getattr(new, name)
    ]
