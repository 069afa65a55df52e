"""Whom a worker trusts besides itself: the keys of other issuers, from the configuration on."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.config.issuer_settings import IssuerSettings
from gateway.config.load import Config
from gateway.config.secrets import ConfigWarning
from gateway.issuer.jwks import UnfitKeySetError, parse_key_set
from gateway.issuer.key_source import (
    KeySource,
    ReadKeys,
    UnreadableKeysError,
    file_reader,
)
from gateway.policy.signature import VerificationKey

PREFETCH_S: Final = 1.0  # a start waits no longer for the keys of others


class Trust:
    """The keys of other issuers, as one worker has them.

    Args:
        config: The configuration.
        on_change: Told that ``keys`` are others than before.
        clock: Gives seconds that only ever grow.
    """

    def __init__(
        self, config: Config, on_change: Callable[[], None], *, clock: Callable[[], float]
    ) -> None:
        self._on_change = on_change
        self._clock = clock
        self._settings: dict[str, IssuerSettings] = {}
        self._sources: dict[str, KeySource] = {}
        self._tasks: dict[KeySource, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None  # while they are followed
        self.use(self._plan(config.settings.issuers), config)

    def _plan(self, issuers: tuple[IssuerSettings, ...]) -> dict[str, KeySource]:
        """Return a source for each issuer; one that has not changed is the one that is here."""
        new = [each for each in issuers if self._settings.get(each.issuer) != each]
        make_reader = _reader_maker(tuple(new))
        return {
            each.issuer: KeySource(
                each.issuer,
                frozenset(each.algorithms),
                make_reader(each),
                self._on_change,
                clock=self._clock,
            )
            if each in new
            else self._sources[each.issuer]
            for each in issuers
        }

    async def prepare(self, config: Config) -> dict[str, KeySource]:
        """Begin to follow the issuers of another configuration, for ``use``; waits a little."""
        sources = self._plan(config.settings.issuers)
        for source in sources.values():
            self._follow(source)
        await _settle(sources)
        return sources

    def use(self, sources: dict[str, KeySource], config: Config) -> None:
        """Believe these issuers from now on, and no others."""
        self._settings = {each.issuer: each for each in config.settings.issuers}
        self._sources = sources
        for source in [each for each in self._tasks if each not in sources.values()]:
            self._tasks.pop(source).cancel()

    def _follow(self, source: KeySource) -> None:
        if self._group is not None and source not in self._tasks:
            self._tasks[source] = self._group.create_task(source.run())

    def keys(self) -> dict[str, tuple[VerificationKey, ...]]:
        """Return the keys as they are now, by issuer."""
        return keys_of(self._sources)

    def want(self, issuer: str) -> None:
        """Note that a token of *issuer* named a key that is not here."""
        source = self._sources.get(issuer)
        if source is not None:  # else it is our own: its keys come from the store
            source.want()

    async def run(self) -> None:
        """Follow the keys of all, those of later configurations too; ends by being cancelled."""
        try:
            async with asyncio.TaskGroup() as self._group:
                for source in self._sources.values():
                    self._follow(source)
                await asyncio.Event().wait()
        finally:
            self._group = None

    def lacks_keys(self) -> bool:
        """Whether there is an issuer whose tokens must be refused, since nobody knows its keys."""
        return not all(source.keys for source in self._sources.values())

    async def settle(self) -> None:
        """Wait until the keys of all have been read for the first time, but not for long."""
        await _settle(self._sources)


def keys_of(sources: Mapping[str, KeySource]) -> dict[str, tuple[VerificationKey, ...]]:
    """Return the keys that these issuers have now, by issuer."""
    return {name: source.keys for name, source in sources.items()}


async def _settle(sources: Mapping[str, KeySource]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(PREFETCH_S):
            for source in sources.values():
                await source.tried.wait()


def _reader_maker(issuers: tuple[IssuerSettings, ...]) -> Callable[[IssuerSettings], ReadKeys]:
    """Return what makes an issuer's reader; HTTP is loaded only where one needs it."""
    if all(each.jwks_file for each in issuers):
        return lambda each: file_reader(Path(each.jwks_file or ""))
    from gateway.issuer.key_fetch import (  # noqa: PLC0415 (half a second for those who need it)
        Fetcher,
        discovery_reader,
        url_reader,
    )

    fetcher = Fetcher()

    def make(each: IssuerSettings) -> ReadKeys:
        if each.jwks_file:
            return file_reader(Path(each.jwks_file))
        if each.jwks_url:
            return url_reader(fetcher, each.jwks_url)
        return discovery_reader(fetcher, each.issuer)

    return make


async def look_at_keys(
    config: Config,
) -> tuple[dict[str, tuple[VerificationKey, ...]], list[ConfigWarning]]:
    """Read the keys of other issuers once, for commands.

    Returns:
        The keys by issuer, and what is wrong with issuers or keys.
    """
    issuers = config.settings.issuers
    make_reader = _reader_maker(issuers)
    found = await asyncio.gather(*(_look(each, make_reader(each)) for each in issuers))
    warnings = [
        ConfigWarning(config.place("issuers", index), warning)
        for index, (_, said) in enumerate(found)
        for warning in said
    ]
    keys = zip(issuers, found, strict=True)
    return {each.issuer: read for each, (read, _) in keys}, warnings


async def _look(
    settings: IssuerSettings, read: ReadKeys
) -> tuple[tuple[VerificationKey, ...], list[str]]:
    try:
        document = await read()
        found = parse_key_set(document.data, frozenset(settings.algorithms))
    except (UnreadableKeysError, UnfitKeySetError) as error:
        return (), [f"the keys of this issuer cannot be read: {error}"]
    return found.keys, [f"a key of this issuer is not used: {each}" for each in found.ignored]
