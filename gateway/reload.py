"""A changed configuration file, taken over while the gateway runs: all of it, or nothing.

The rule to keep in mind: what is not known to be changeable here is not. A new key of the file
needs a restart until it is named below.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from gateway.config.compile import compile_snapshot
from gateway.config.load import Config, in_order, load_config
from gateway.config.section import Section
from gateway.desk import make_file_users
from gateway.errors import ConfigError, ConfigErrors
from gateway.file_watch import LOOK_S, FileWatch
from gateway.news import ReloadNews
from gateway.policy.model import Snapshot
from gateway.tls import find_upstream_faults

_CHANGEABLE: Final = frozenset(
    (
        "access_log",
        "claim_headers",
        "credentials",
        "issuers",
        "limits",
        "reload_on_change",
        "routes",
        "trusted_proxies",
        "upstreams",
        "users",
    )
)
# Of these sections, what may change; not whether they are there.
_CHANGEABLE_WITHIN: Final = {
    "admin": frozenset(("token",)),
    "tokens": frozenset(
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
    ),
}
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
    changed: list[tuple[str, ...]] = []
    for name in _changes(old.settings, new.settings, _CHANGEABLE):
        before, after = getattr(old.settings, name), getattr(new.settings, name)
        changeable = _CHANGEABLE_WITHIN.get(name)
        if changeable is None or before is None or after is None:
            changed.append((name,))
        else:
            changed += [(name, each) for each in _changes(before, after, changeable)]
    return [
        ConfigError(new.place(*path), f"a reload cannot change '{'.'.join(path)}'", _CURE)
        for path in changed
    ]


class Reloader:
    """Reloads within one process, one reload at a time.

    Args:
        current: Returns the configuration as it is now.
        take_over: Uses another one from now on; it raises ConfigError before it has begun to.
        watch: Looks at the files.
        news: Tells of each reload.
    """

    def __init__(
        self,
        current: Callable[[], Config],
        take_over: Callable[[Config, Snapshot], Awaitable[None]],
        watch: FileWatch,
        news: ReloadNews,
    ) -> None:
        self._current = current
        self._take_over = take_over
        self._watch = watch
        self._news = news
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

    async def follow(self) -> None:
        """Reload when the files have changed; ends by being cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._current().settings.reload_on_change:
                async with self._lock:
                    has_changed = await asyncio.to_thread(self._watch.has_changed)
                if has_changed:
                    self.on_signal()

    async def _reload_or_tell(self) -> None:
        async with self._lock:
            self._waiting = None
            with suppress(ConfigErrors):  # they have been told
                await self._reload()

    async def _reload(self) -> None:
        self._news.begun()
        try:
            new, snapshot = await asyncio.to_thread(self._read)
            await self._take_over(new, snapshot)
        except ConfigErrors as error:
            self._news.refused(error)
            raise
        except ConfigError as error:
            self._news.refused(ConfigErrors([error]))
            raise ConfigErrors([error]) from None
        self._news.done(new)

    def _read(self) -> tuple[Config, Snapshot]:
        self._watch.take()
        return read_again(self._current())


@contextmanager
def hearing_hangups(on_hangup: Callable[[], None]) -> Iterator[None]:
    """Hear SIGHUP, which would end this process, in its loop; uvicorn leaves that to us."""
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGHUP, lambda *_: loop.call_soon_threadsafe(on_hangup))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the process drains, and ends


def _changes(old: Section, new: Section, changeable: frozenset[str]) -> list[str]:
    return [
        name
        for name in type(new).model_fields
        if name not in changeable and getattr(old, name) != getattr(new, name)
    ]
