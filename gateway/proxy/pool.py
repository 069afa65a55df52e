"""The connections to one endpoint: who may use which, who waits, and who is told that it failed.

A connection comes back only when its exchange left it clean (``upstream.UpstreamConnection``); one
that had any doubt about it is closed and never seen here again.
"""

import asyncio
from collections import deque
from typing import Final, Protocol

from gateway.errors import Reason, UpstreamError
from gateway.policy.model import Limits, Upstream
from gateway.proxy.sweeper import NEVER, Sweeper
from gateway.proxy.upstream import UpstreamConnection

IDLE_S: Final = 60.0  # unused and kept; nginx: keepalive_timeout 60


class Leaseholder(Protocol):
    """Who asks for a connection and may have to wait for it."""

    def on_lease(self, connection: UpstreamConnection) -> None:
        """Use *connection* for one exchange."""
        ...

    def on_lease_failed(self, error: UpstreamError) -> None:
        """There will be none."""
        ...


class _Waiter:
    """One leaseholder in the queue."""

    __slots__ = ("deadline_s", "holder")

    def __init__(self, holder: Leaseholder, deadline_s: float) -> None:
        self.holder = holder
        self.deadline_s = deadline_s


class Pool:
    """Connections to an upstream's endpoint, at most ``max_connections`` of them."""

    def __init__(self, upstream: Upstream, limits: Limits, sweeper: Sweeper) -> None:
        self.upstream = upstream
        self.endpoint = upstream.endpoints[0]
        self.limits = limits
        self.sweeper = sweeper
        self.deadline_s = NEVER  # of the first waiter that gives up
        self._idle: list[UpstreamConnection] = []
        self._waiting: deque[_Waiter] = deque()
        self._open_count = 0  # idle, leased and being connected
        self._attempts_count = 0  # connections being made
        self._tasks: set[asyncio.Task[None]] = set()  # of those attempts
        self._closed = False
        sweeper.watch(self)

    def lease(self, holder: Leaseholder, *, fresh: bool = False) -> UpstreamConnection | None:
        """Return a connection at once, or None and tell *holder* later.

        Args:
            holder: Who will use it.
            fresh: Take none that is idle now: the one before was, and turned out to be dead.

        Raises:
            UpstreamError: ``upstream_overloaded``: too many are waiting already.
        """
        # The one used last is the least likely to have been closed by the service meanwhile.
        while self._idle and not fresh:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return connection
        if len(self._waiting) >= self.limits.upstream_pending:
            raise UpstreamError(Reason.UPSTREAM_OVERLOADED)
        if self._open_count < self.upstream.max_connections:
            self._waiting.append(_Waiter(holder, NEVER))  # its connection has a deadline of its own
            self._connect()
        else:
            deadline_s = self.sweeper.now_s + self.limits.upstream_wait_s
            self._waiting.append(_Waiter(holder, deadline_s))
            self.deadline_s = min(self.deadline_s, deadline_s)
        return None

    @property
    def idle_count(self) -> int:
        """How many connections nobody uses."""
        return len(self._idle)

    @property
    def busy_count(self) -> int:
        """How many are used or being made."""
        return self._open_count - len(self._idle)

    @property
    def waiting_count(self) -> int:
        """How many requests wait for one."""
        return len(self._waiting)

    def cancel(self, holder: Leaseholder) -> None:
        """Forget a waiting *holder*; a connection that is being made for it goes to another."""
        self._waiting = deque(waiter for waiter in self._waiting if waiter.holder is not holder)

    def release(self, connection: UpstreamConnection) -> None:
        """Take back a connection that is clean: for the next waiter, or idle."""
        if self._closed:
            connection.close()
        elif self._waiting:
            self._waiting.popleft().holder.on_lease(connection)
        else:
            connection.deadline_s = self.sweeper.now_s + IDLE_S
            self._idle.append(connection)

    def on_connection_lost(self, connection: UpstreamConnection) -> None:
        """Count a connection out; called exactly once for each that was made."""
        self._open_count -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        self._connect_for_waiters()

    def on_deadline(self) -> None:
        """Refuse those that have waited long enough."""
        due_s = self.sweeper.due_s
        late = [waiter for waiter in self._waiting if waiter.deadline_s <= due_s]
        self._waiting = deque(waiter for waiter in self._waiting if waiter.deadline_s > due_s)
        self.deadline_s = min((waiter.deadline_s for waiter in self._waiting), default=NEVER)
        for waiter in late:
            waiter.holder.on_lease_failed(UpstreamError(Reason.UPSTREAM_OVERLOADED))

    def close(self) -> None:
        """Close every idle connection, and every other one when it comes back."""
        self._closed = True
        self.sweeper.forget(self)
        for connection in self._idle.copy():
            connection.close()
        for task in self._tasks:
            task.cancel()

    def _connect_for_waiters(self) -> None:
        room = self.upstream.max_connections - self._open_count
        for _ in range(min(room, len(self._waiting) - self._attempts_count)):
            self._connect()

    def _connect(self) -> None:
        self._open_count += 1
        self._attempts_count += 1
        task = asyncio.get_running_loop().create_task(self._open_connection())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open_connection(self) -> None:
        loop = asyncio.get_running_loop()
        endpoint = self.endpoint
        try:
            async with asyncio.timeout(self.upstream.connect_timeout_s):
                _, connection = await loop.create_connection(
                    lambda: UpstreamConnection(self), endpoint.host, endpoint.port
                )
        except TimeoutError:
            self._on_connect_failed(UpstreamError(Reason.UPSTREAM_TIMEOUT))
        except (OSError, UnicodeError):  # the latter from a name that DNS cannot encode
            self._on_connect_failed(UpstreamError(Reason.UPSTREAM_UNREACHABLE))
        else:
            self._attempts_count -= 1
            self.release(connection)

    def _on_connect_failed(self, error: UpstreamError) -> None:
        self._open_count -= 1
        self._attempts_count -= 1
        if self._waiting:
            self._waiting.popleft().holder.on_lease_failed(error)
        self._connect_for_waiters()
