"""The connections to one endpoint: who may use which, who waits, and who is told that it failed.

A connection comes back only when its exchange left it clean (``upstream.UpstreamConnection``); one
that had any doubt about it is closed and never seen here again.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

from gateway.errors import Reason, UpstreamError
from gateway.policy.model import Endpoint, Limits, Upstream
from gateway.proxy.client_tls import ClientTls
from gateway.proxy.standing import Standing
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


class Group(Protocol):
    """The endpoints of an upstream that has several, or that watches the health of its only one."""

    def choose_other(self, tried: "Sequence[Pool]") -> "Pool | None":
        """Return where a request may go that failed at *tried*."""
        ...

    def on_answer(self, pool: "Pool", status: int) -> None:
        """Note how an endpoint answered."""
        ...

    def on_failure(self, pool: "Pool", error: UpstreamError) -> None:
        """Note that an endpoint did not answer."""
        ...


class _Waiter:
    """One leaseholder in the queue."""

    __slots__ = ("deadline_s", "holder")

    def __init__(self, holder: Leaseholder, deadline_s: float) -> None:
        self.holder = holder
        self.deadline_s = deadline_s


class Pool:
    """Connections to one endpoint of an upstream, at most ``max_connections`` of them."""

    def __init__(
        self,
        upstream: Upstream,
        endpoint: Endpoint,
        limits: Limits,
        sweeper: Sweeper,
        tls: ClientTls | None = None,
    ) -> None:
        self.upstream = upstream
        self.endpoint = endpoint
        self.tls = tls or ClientTls(upstream)
        self.group: Group | None = None  # None: the endpoint stands alone, and there is no choice
        self.standing = Standing()
        self.weight = endpoint.weight
        self.credit = 0  # of ``balance``
        self.addresses: tuple[str, ...] = ()  # of the endpoint's name; none: not resolved here
        self._turn = 0  # which of them was last
        self.limits = limits
        self.sweeper = sweeper
        self.deadline_s = NEVER  # of the first waiter that gives up
        self._idle: list[UpstreamConnection] = []
        self._connections: set[UpstreamConnection] = set()  # idle or leased
        self._waiting: deque[_Waiter] = deque()
        self._open_count = 0  # idle, leased and being connected
        self._attempts_count = 0  # connections being made
        self._tasks: set[asyncio.Task[None]] = set()  # of those attempts
        self._closed = False
        sweeper.watch(self)

    @property
    def busy_count(self) -> int:
        """Connections that are in use, and requests that wait for one."""
        in_use = self._open_count - self._attempts_count - len(self._idle)
        return in_use + len(self._waiting)

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
    def open_count(self) -> int:
        """How many there are, idle, used or being made."""
        return self._open_count

    @property
    def waiting_count(self) -> int:
        """How many requests wait for one."""
        return len(self._waiting)

    def cancel(self, holder: Leaseholder) -> None:
        """Forget a waiting *holder*; a connection that is being made for it goes to another."""
        self._waiting = deque(waiter for waiter in self._waiting if waiter.holder is not holder)

    def release(self, connection: UpstreamConnection) -> None:
        """Take back a connection that is clean: for the next waiter, or idle."""
        if self._waiting:
            self._waiting.popleft().holder.on_lease(connection)
        elif self._closed:
            connection.close()
        else:
            connection.deadline_s = self.sweeper.now_s + IDLE_S
            self._idle.append(connection)

    def on_connection_lost(self, connection: UpstreamConnection) -> None:
        """Count a connection out; called exactly once for each that was made."""
        self._open_count -= 1
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._connect_for_waiters()
        self._forget_when_done()

    def on_tls_failure(self, error: ssl.SSLError) -> None:
        """Say why in the log: clients are told no more than that the service is unreachable."""
        self.tls.tell(self.endpoint, error, self.sweeper.now_s)

    def on_deadline(self) -> None:
        """Refuse those that have waited long enough."""
        due_s = self.sweeper.due_s
        late = [waiter for waiter in self._waiting if waiter.deadline_s <= due_s]
        self._waiting = deque(waiter for waiter in self._waiting if waiter.deadline_s > due_s)
        self.deadline_s = min((waiter.deadline_s for waiter in self._waiting), default=NEVER)
        for waiter in late:
            waiter.holder.on_lease_failed(UpstreamError(Reason.UPSTREAM_OVERLOADED))

    def use_addresses(self, addresses: tuple[str, ...]) -> None:
        """Connect to these from now on, by turns; drain the connections to any other."""
        gone = set(self.addresses) - set(addresses)
        self.addresses = addresses
        if not gone:
            return
        for connection in self._connections:
            if connection.peer_address in gone:
                connection.move_to(_Leaving(self))
        for connection in self._idle.copy():
            if connection.peer_address in gone:
                connection.close()

    def retire(self) -> None:
        """Take no new requests; what has come is served, each connection to its last exchange."""
        self._closed = True
        for connection in self._idle.copy():
            connection.close()
        self._forget_when_done()

    def _forget_when_done(self) -> None:
        if self._closed and not self._waiting:
            self.sweeper.forget(self)

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
        try:
            async with asyncio.timeout(self.upstream.connect_timeout_s):
                connection = await self._connect_somewhere()
        except TimeoutError:
            self._on_connect_failed(UpstreamError(Reason.UPSTREAM_TIMEOUT))
        except (OSError, UnicodeError):  # the latter from a name that DNS cannot encode
            self._on_connect_failed(UpstreamError(Reason.UPSTREAM_UNREACHABLE))
        else:
            self._on_connected(connection)

    async def _connect_somewhere(self) -> UpstreamConnection:
        """Connect to the next of the addresses, or to those after it where it refuses."""
        hosts = self.addresses or (self.endpoint.host,)
        self._turn = (self._turn + 1) % len(hosts)
        *others, last = hosts[self._turn :] + hosts[: self._turn]
        for host in others:
            with suppress(OSError):
                return await self._connect_to(host)
        return await self._connect_to(last)

    async def _connect_to(self, host: str) -> UpstreamConnection:
        loop, endpoint = asyncio.get_running_loop(), self.endpoint
        if endpoint.socket:
            _, connection = await loop.create_unix_connection(
                lambda: UpstreamConnection(self), endpoint.socket
            )
            return connection
        options = self.tls.options_for(endpoint)
        try:
            _, connection = await loop.create_connection(
                lambda: UpstreamConnection(self), host, endpoint.port, **options
            )
        except ssl.SSLError as error:
            self.on_tls_failure(error)
            raise
        return connection

    def _on_connected(self, connection: UpstreamConnection) -> None:
        if connection.transport.is_closing():  # the service has ended it before we come to know
            self._open_count += 1  # counted out on its own, here or soon
            self._on_connect_failed(UpstreamError(Reason.UPSTREAM_UNREACHABLE))
            return
        self._attempts_count -= 1
        self._connections.add(connection)
        self.release(connection)

    def _on_connect_failed(self, error: UpstreamError) -> None:
        self._open_count -= 1
        self._attempts_count -= 1
        if self._waiting:
            self._waiting.popleft().holder.on_lease_failed(error)
        self._connect_for_waiters()


class _Leaving:
    """The home of a connection that ends with its exchange: its address is no longer wanted."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.upstream = pool.upstream
        self.limits = pool.limits
        self.sweeper = pool.sweeper

    def release(self, connection: UpstreamConnection) -> None:
        """Close it, however clean it is."""
        connection.close()

    def on_connection_lost(self, connection: UpstreamConnection) -> None:
        """Count it out where it was counted in."""
        self._pool.on_connection_lost(connection)

    def on_tls_failure(self, error: ssl.SSLError) -> None:
        """Tell of it there too."""
        self._pool.on_tls_failure(error)
