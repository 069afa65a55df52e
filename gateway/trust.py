"""Whom a worker trusts besides itself: the keys of other issuers, from the configuration on."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

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
        make_reader = _reader_maker(config.settings.issuers)
        self._sources = {
            each.issuer: KeySource(
                each.issuer,
                frozenset(each.algorithms),
                make_reader(each),
                on_change,
                clock=clock,
            )
            for each in config.settings.issuers
        }

    def keys(self) -> dict[str, tuple[VerificationKey, ...]]:
        """Return the keys as they are now, by issuer."""
        return {name: source.keys for name, source in self._sources.items()}

    def want(self, issuer: str) -> None:
        """Note that a token of *issuer* named a key that is not here."""
        source = self._sources.get(issuer)
        if source is not None:  # else it is our own: its keys come from the store
            source.want()

    def duties(self) -> list[Coroutine[Any, Any, None]]:
        """Return the coroutines that run as long as the worker does."""
        return [source.run() for source in self._sources.values()]

    def lacks_keys(self) -> bool:
        """Whether there is an issuer whose tokens must be refused, since nobody knows its keys."""
        return not all(source.keys for source in self._sources.values())

    async def settle(self) -> None:
        """Wait until the keys of all have been read for the first time, but not for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PREFETCH_S):
                for source in self._sources.values():
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
