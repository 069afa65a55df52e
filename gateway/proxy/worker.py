"""What all connections of one process share; built by ``gateway.server``, nothing is global."""

import asyncio
import itertools
import secrets
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp

from gateway.policy.model import Snapshot, Upstream
from gateway.policy.revoked import Revocations
from gateway.proxy.answers import Fields
from gateway.proxy.pool import Pool
from gateway.proxy.rate_limiter import RateLimiter
from gateway.proxy.sweeper import Sweeper

_PREFIX_BYTES: Final = 6


def _ignore(_: str) -> None:
    """Nobody can get keys here."""


class Worker:
    """One process's share of the data plane.

    Args:
        snapshot: The configuration that new requests are decided by.
        control: The ASGI application that answers for the gateway's own endpoints.
        clock: Seconds since the epoch.
        date: Gives the current ``Date`` field for the gateway's own answers.
        sweeper: Watches every deadline of this process.
        revocations: What this process knows of them.

    Attributes:
        on_keys_wanted: Told of an issuer whose keys were too few for a token; must not wait.
    """

    __slots__ = (
        "_id_numbers",
        "_id_prefix",
        "_pools",
        "clock",
        "control",
        "date",
        "on_keys_wanted",
        "rate_limiter",
        "revocations",
        "snapshot",
        "sweeper",
        "unattended",
    )

    def __init__(
        self,
        snapshot: Snapshot,
        control: ASGIApp,
        *,
        clock: Callable[[], float],
        date: Callable[[], Fields],
        sweeper: Sweeper,
        revocations: Revocations,
    ) -> None:
        self.snapshot = snapshot
        self.control = control
        self.clock = clock
        self.date = date
        self.sweeper = sweeper
        self.revocations = revocations
        self.unattended: set[asyncio.Task[None]] = set()  # of clients that have gone
        self.on_keys_wanted: Callable[[str], None] = _ignore
        self.rate_limiter = RateLimiter()
        self._pools: dict[str, Pool] = {}
        prefix = secrets.token_hex(_PREFIX_BYTES)  # so that ids of two processes do not meet
        self._id_prefix = prefix.encode() + b"-"
        self._id_numbers = itertools.count()

    def new_request_id(self) -> bytes:
        """Return an id that no other request has; it is not a secret."""
        return self._id_prefix + b"%08x" % next(self._id_numbers)

    def pool_for(self, upstream: Upstream) -> Pool:
        """Return the connections to an upstream's endpoint, made at first use."""
        pool = self._pools.get(upstream.name)
        if pool is None or pool.upstream is not upstream:
            pool = self._pools[upstream.name] = Pool(upstream, self.snapshot.limits, self.sweeper)
        return pool

    def close(self) -> None:
        """Close what is idle; what is in use ends with its exchange."""
        for pool in self._pools.values():
            pool.close()
        self.sweeper.stop()
