"""The endpoints of one upstream: which of them takes the next request, and which may try again.

An upstream with one endpoint and no health check has nothing to choose; its requests go to ``only``
and pass by all that stands here.
"""

import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Final

from gateway.errors import Reason, UpstreamError
from gateway.policy.model import Limits, Upstream
from gateway.proxy.balance import RetryBudget, choose
from gateway.proxy.client_tls import ClientTls
from gateway.proxy.pool import Pool
from gateway.proxy.standing import FAILED_STATUSES
from gateway.proxy.sweeper import Sweeper

log: Final = logging.getLogger(__name__)


class Endpoints:
    """One worker's pools to the endpoints of an upstream.

    Args:
        upstream: Whose they are.
        limits: What may wait for a connection, at each of them, and for how long.
        sweeper: The worker's.
        draw: Returns a number below its argument, each as likely as any other.
    """

    __slots__ = ("_budget", "_draw", "_sweeper", "limits", "only", "pools", "tls", "upstream")

    def __init__(
        self,
        upstream: Upstream,
        limits: Limits,
        sweeper: Sweeper,
        draw: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        self.upstream = upstream
        self.limits = limits
        self._sweeper = sweeper
        self._draw = draw
        self._budget = RetryBudget()
        self.tls = tls = ClientTls(upstream)
        self.pools = tuple(
            Pool(upstream, each, limits, sweeper, tls) for each in upstream.endpoints
        )
        self.only: Pool | None = None
        if len(self.pools) == 1 and upstream.health is None:
            self.only = self.pools[0]
        else:
            for pool in self.pools:
                pool.group = self

    def choose(self) -> Pool | None:
        """Return where the next request goes; None where no endpoint passes its health checks."""
        now_s = self._sweeper.now_s
        self._budget.count_request(now_s)
        return self._choose(self.pools, now_s)

    def choose_other(self, tried: Sequence[Pool]) -> Pool | None:
        """Return where a request goes that failed at *tried*; None where it should not go on."""
        now_s = self._sweeper.now_s
        others = [
            pool for pool in self.pools if pool not in tried and pool.standing.can_take(now_s)
        ]
        if not others or len(tried) > self.upstream.retries or not self._budget.take(now_s):
            return None
        return self._choose(others, now_s)

    def on_answer(self, pool: Pool, status: int) -> None:
        """Note how an endpoint answered."""
        if status in FAILED_STATUSES:
            self._on_failure(pool)
        elif pool.standing.on_success(self._sweeper.now_s):
            log.warning("upstream %s: %s answers again", self.upstream.name, pool.endpoint)

    def on_failure(self, pool: Pool, error: UpstreamError) -> None:
        """Note that an endpoint did not answer; that it is busy is no failure."""
        if error.reason is not Reason.UPSTREAM_OVERLOADED:
            self._on_failure(pool)

    def retire(self) -> None:
        """Take no new requests: a reload has brought others in their place."""
        for pool in self.pools:
            pool.retire()

    def close(self) -> None:
        """Close what is idle; what is in use ends with its exchange."""
        for pool in self.pools:
            pool.close()

    def _choose(self, pools: Sequence[Pool], now_s: float) -> Pool | None:
        able = [pool for pool in pools if pool.standing.can_take(now_s)]
        if not able:  # health checks have the last word; what requests have told is a guess
            able = [pool for pool in pools if pool.standing.fit]
        chosen = choose(self.upstream.balance, able, self._draw)
        if chosen is not None:
            chosen.standing.on_chosen(now_s)
        return chosen

    def _on_failure(self, pool: Pool) -> None:
        """Eject an endpoint that fails, but never so that less than half of them is left."""
        now_s = self._sweeper.now_s
        out = sum(each.standing.is_ejected or not each.standing.fit for each in self.pools)
        may_eject = out < len(self.pools) // 2
        seconds = pool.standing.on_failure(now_s, may_eject=may_eject)
        if seconds:
            name, endpoint = self.upstream.name, pool.endpoint
            log.warning("upstream %s: %s fails, no requests for %ds", name, endpoint, seconds)
