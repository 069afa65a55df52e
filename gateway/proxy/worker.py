"""What all connections of one process share; built by ``gateway.server``, nothing is global."""

import itertools
import secrets
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from starlette.types import ASGIApp

from gateway.observe.access import Access
from gateway.policy.model import Snapshot, Upstream
from gateway.policy.revoked import Revocations
from gateway.proxy.answers import Fields
from gateway.proxy.pool import Pool
from gateway.proxy.sweeper import Sweeper

_PREFIX_BYTES: Final = 6


class Worker:
    """One process's share of the data plane.

    Args:
        snapshot: The configuration that new requests are decided by.
        control: The ASGI application that answers for the gateway's own endpoints.
        clock: Seconds since the epoch.
        date: Gives the current ``Date`` field for the gateway's own answers.
        sweeper: Watches every deadline of this process.
        revocations: What this process knows of them.
    """

    __slots__ = (
        "_id_numbers",
        "_id_prefix",
        "_pools",
        "access",
        "clock",
        "connections",
        "control",
        "date",
        "revocations",
        "snapshot",
        "sweeper",
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
        self.access: Access | None = None  # set where requests are told of
        self.connections: Collection[Any] = ()  # of clients; set with the first of them
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

    def pools(self) -> Iterable[Pool]:
        """Return the connections to every service that was asked for."""
        return self._pools.values()

    def close(self) -> None:
        """Close what is idle and cut the clients that the drain has not seen the end of."""
        for connection in tuple(self.connections):
            connection.abort()
        for pool in self._pools.values():
            pool.close()
        self.sweeper.stop()
