"""Looking credentials up, off the loop: one look-up for all who present the same.

The rule to keep in mind: a look-up is nobody's. Who goes away does not stop it, and whatever goes
wrong in it refuses those who wait for it.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from gateway.errors import Reason
from gateway.policy.checked import CheckedCredential, Refused, UncheckedError

Outcome: TypeAlias = CheckedCredential | Refused
# Looks up a credential that comes from an address.
Check: TypeAlias = Callable[[UncheckedError, str], Awaitable[Outcome]]

MAX_CHECKS: Final = 512  # at once, in one process; the store and the pool of passwords take fewer
_OVERLOADED: Final = Refused(Reason.STORE_UNAVAILABLE, retry_after_s=1)
_FAILED: Final = Refused(Reason.INTERNAL_ERROR)

log = logging.getLogger(__name__)


async def _refuse(_: UncheckedError, __: str) -> Outcome:
    """Nobody can look anything up here."""
    return Refused(Reason.STORE_UNAVAILABLE)


class Checks:
    """The look-ups that are under way in one process."""

    __slots__ = ("_under_way", "check")

    def __init__(self) -> None:
        self.check: Check = _refuse  # set where there is a store
        self._under_way: dict[tuple[bytes, str], asyncio.Task[Outcome]] = {}

    @property
    def count(self) -> int:
        """How many are under way."""
        return len(self._under_way)

    async def look_up(self, unchecked: UncheckedError, address: str) -> Outcome:
        """Return what looking a credential up has come to; never raises but for the loop's end."""
        # By address too, since a throttle may refuse the one and not the other.
        key = unchecked.digest, address
        task = self._under_way.get(key)
        if task is None:
            if len(self._under_way) >= MAX_CHECKS:
                return _OVERLOADED
            task = asyncio.get_running_loop().create_task(_run(self.check(unchecked, address)))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        await asyncio.wait([task])  # to await it would cancel it with whoever waits
        return _outcome_of(task)


async def _run(check: Awaitable[Outcome]) -> Outcome:
    return await check


def _outcome_of(task: asyncio.Task[Outcome]) -> Outcome:
    """Return what came of it; the text of an error may quote the credential, and is not logged."""
    if task.cancelled():
        return _FAILED
    error = task.exception()
    if error is None:
        return task.result()
    log.error(
        "%s while a credential was looked up; refusing the request\n%s",
        type(error).__qualname__,
        "".join(traceback.format_tb(error.__traceback__)).rstrip(),
    )
    return _FAILED
