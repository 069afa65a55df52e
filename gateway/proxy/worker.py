"""What all connections of one process share; built by ``gateway.server``, nothing is global."""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final
from weakref import WeakSet

from starlette.types import ASGIApp

from gateway.errors import Reason
from gateway.observe.access import Access
from gateway.policy.model import Snapshot, Upstream
from gateway.policy.revoked import Revocations
from gateway.policy.tokens import VerifiedToken
from gateway.proxy.admission import Admission, own_room
from gateway.proxy.answers import Fields
from gateway.proxy.checks import Checks
from gateway.proxy.end_watch import EndWatch, find_end
from gateway.proxy.endpoints import Endpoints
from gateway.proxy.pool import Pool
from gateway.proxy.rate_limiter import RateLimiter
from gateway.proxy.roles import Duplex
from gateway.proxy.shared_limits import SharedLimiter
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
        "_endpoints",
        "_id_numbers",
        "_id_prefix",
        "access",
        "admission",
        "checks",
        "clock",
        "connections",
        "control",
        "date",
        "draining",
        "end_watch",
        "on_keys_wanted",
        "rate_limiter",
        "revocations",
        "shared_limits",
        "snapshot",
        "sweeper",
        "tunnels",
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
        self.draining = False  # this process is about to end
        self.end_watch = EndWatch(sweeper, self._find_end)
        self.tunnels: WeakSet[Duplex] = WeakSet()  # some may be over
        self.unattended: set[asyncio.Task[None]] = set()  # of clients that have gone
        self.on_keys_wanted: Callable[[str], None] = _ignore
        self.rate_limiter = RateLimiter()
        self.admission = Admission(own_room())
        self.shared_limits: SharedLimiter | None = None  # set where they are shared
        self.checks = Checks()
        self._endpoints: dict[str, Endpoints] = {}  # by the name of their upstream
        self.access: Access | None = None  # set where requests are told of
        self.connections: Collection[Any] = ()  # of clients; set with the first of them
        prefix = secrets.token_hex(_PREFIX_BYTES)  # so that ids of two processes do not meet
        self._id_prefix = prefix.encode() + b"-"
        self._id_numbers = itertools.count()

    def use(self, snapshot: Snapshot, control: ASGIApp) -> None:
        """Decide and answer by others from now on; what has begun goes on as it began."""
        self.snapshot = snapshot
        self.control = control
        known = {upstream.name: upstream for upstream in snapshot.upstreams}
        for name in list(self._endpoints):
            if name in known:
                self.endpoints_of(known[name])
            else:
                self._endpoints.pop(name).retire()

    def _find_end(self, token: VerifiedToken) -> Reason | None:
        """Return why a token that was good counts no more, or None where it still does."""
        return find_end(token, self.clock(), self.revocations)

    def let_clients_go(self) -> None:
        """Let each connection, new ones too, take one more request at most: this process ends."""
        self.draining = True
        for connection in self.connections:
            connection.draining = True

    def new_request_id(self) -> bytes:
        """Return an id that no other request has; it is not a secret."""
        return self._id_prefix + b"%08x" % next(self._id_numbers)

    def pool_for(self, upstream: Upstream) -> Pool | None:
        """Return the connections that a request should use; None where no endpoint is healthy."""
        endpoints = self._endpoints.get(upstream.name)
        if endpoints is None or endpoints.upstream is not upstream:
            endpoints = self.endpoints_of(upstream)
        pool = endpoints.only
        return endpoints.choose() if pool is None else pool

    def endpoints_of(self, upstream: Upstream) -> Endpoints:
        """Return the endpoints of an upstream, made at first use.

        Where a reload has changed nothing about it, connections and what is known of it stay.
        """
        limits = self.snapshot.limits
        found = self._endpoints.get(upstream.name)
        if found is not None and found.upstream is upstream and found.limits == limits:
            return found
        if found is not None and found.upstream == upstream and found.limits == limits:
            found.upstream = upstream
            found.tls.look()
            return found
        if found is not None:
            found.retire()
        made = self._endpoints[upstream.name] = Endpoints(upstream, limits, self.sweeper)
        return made

    def pools(self) -> Iterable[tuple[str, tuple[Pool, ...]]]:
        """Return the connections to every service that was asked for, by the upstream's name."""
        return [(name, endpoints.pools) for name, endpoints in self._endpoints.items()]

    def close(self) -> None:
        """Close what is idle and cut the clients that the drain has not seen the end of."""
        for connection in tuple(self.connections):
            connection.abort()
        for endpoints in self._endpoints.values():
            endpoints.close()
        self.sweeper.stop()
