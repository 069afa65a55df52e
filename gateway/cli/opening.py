"""From ``--config`` to the store, for the commands that act on it or look into it.

The rule to keep in mind: one act is one run of an event loop. What a person is asked, they are
asked between two of them: inside, Ctrl-C would wait for the answer.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import typer

from gateway.cli.loading import EXIT_CHECK_FAILED, exit_on_config_errors
from gateway.cli.output import print_error
from gateway.config.load import Config, load_config
from gateway.desk import Desk, look_at_desk, open_desk
from gateway.issuer.user_admin import UnfitUserError

T = TypeVar("T")

HEARD: Final = "a running gateway hears of it within a second"


class RefusalError(Exception):
    """What was asked for cannot be done; the text says why, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What an act works with."""

    config: Config
    desk: Desk
    now_s: float


Work: TypeAlias = Callable[[Opened], Awaitable[T]]


def act(path: Path, work: Work[T]) -> T:
    """Do *work* on the store, which is made or brought up to date first.

    Exits with 1 where it cannot be done, and with 2 where the configuration has errors, or the
    store cannot be used or reached.
    """

    async def run(config: Config) -> T:
        async with open_desk(config) as desk:
            return await work(Opened(config, desk, _now_s()))

    with _exit_on_faults():
        return asyncio.run(run(_load(path)))


def look(path: Path, work: Work[T]) -> tuple[Config, T | None]:
    """Do *work* that only reads; the store is left as it is. None where there is no store yet.

    Exits as ``act`` does.
    """

    async def run(config: Config) -> T | None:
        async with look_at_desk(config) as desk:
            return None if desk is None else await work(Opened(config, desk, _now_s()))

    with _exit_on_faults():
        config = _load(path)
        return config, asyncio.run(run(config))


def ask(path: Path, question: Callable[[Config], T]) -> T:
    """Ask the configuration something; exits with 2 where it has errors."""
    with exit_on_config_errors():
        return question(_load(path))


def refused(error: Exception) -> typer.Exit:
    """Say why something cannot be done, and return what to raise."""
    print_error(str(error))
    return typer.Exit(EXIT_CHECK_FAILED)


def _load(path: Path) -> Config:
    return load_config(path, os.environ)


def _now_s() -> float:
    return time.time()  # noqa: TID251 (the edge of the process: read here once, passed on)


@contextmanager
def _exit_on_faults() -> Iterator[None]:
    with exit_on_config_errors():
        try:
            yield
        except (RefusalError, UnfitUserError) as error:
            raise refused(error) from None
