"""Who may stay connected: so many clients in all, and so many of one address.

What is beyond is answered at once, unread, and let go: it costs a few dozen microseconds and no
descriptor. Connections in a TLS handshake come here when that is done; it has a deadline.

The rule to keep in mind: clients never get the descriptors that services, store and logs need. At
the very end of descriptors libuv takes a connection with one that it keeps back, and closes it.
"""

import asyncio
import ipaddress
import logging
import os
import resource
from collections.abc import Hashable
from contextlib import suppress
from typing import Final, Protocol

from gateway.errors import Reason
from gateway.observe.seldom import Seldom
from gateway.policy.model import Respond, Snapshot
from gateway.policy.peers import find_address
from gateway.proxy.answers import Fields, Refusal

OWN_DESCRIPTORS: Final = 64  # of a worker: listeners, store, tables, logs, keys
OVERALL: Final = "connections"  # the keys of ``limits`` that refuse
OF_ADDRESS: Final = "connections_per_address"
_READ_BYTES: Final = 64 * 1024

log: Final = logging.getLogger(__name__)


def client_room(descriptors: int) -> int:
    """Return how many clients fit: each may need a connection to a service too.

    Envoy's guide for the edge: a limit of connections below half of the descriptors.
    """
    if descriptors == resource.RLIM_INFINITY:
        return 2**31
    return max(1, (descriptors - OWN_DESCRIPTORS) // 2)


def own_room() -> int:
    """Return how many clients fit into this process as it is limited now."""
    return client_room(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


class Host(Protocol):
    """What is needed of a worker."""

    snapshot: Snapshot

    def date(self) -> Fields:
        """Return the ``Date`` field."""
        ...

    def new_request_id(self) -> bytes:
        """Return an id that no other request has."""
        ...


class Admission:
    """Counts the clients of one listener.

    Args:
        room: As ``client_room`` says.
    """

    __slots__ = ("_open", "_seldom", "refused", "room")

    def __init__(self, room: int) -> None:
        self.room = room
        self.refused = {OVERALL: 0, OF_ADDRESS: 0}  # by what refused them, since the start
        self._open: dict[Hashable, int] = {}  # by what is one client; none stays at 0
        self._seldom = Seldom()

    def admit(self, transport: asyncio.Transport, open_count: int, host: Host) -> str | None:
        """Take a connection, or refuse it.

        Returns:
            The peer's address, "" on a Unix socket; None where it is refused and being closed.
        """
        found = transport.get_extra_info("peername")
        peer: str = found[0] if isinstance(found, tuple) else ""
        key = self._find_excess(peer, open_count, host.snapshot)
        if key:
            self._turn_away(transport, peer, key, host)
            return None
        transport.set_write_buffer_limits(high=host.snapshot.limits.buffer_bytes)
        if peer:
            client = client_of(peer)
            self._open[client] = self._open.get(client, 0) + 1
        return peer

    def leave(self, peer: str) -> None:
        """Note that a connection that was admitted has ended; *peer*: as ``admit`` returned it."""
        client = client_of(peer)
        count = self._open.get(client, 0)
        if count > 1:
            self._open[client] = count - 1
        elif count:
            del self._open[client]

    def _find_excess(self, peer: str, open_count: int, snapshot: Snapshot) -> str:
        limits = snapshot.limits
        if open_count >= min(limits.connections, self.room):
            return OVERALL
        most = limits.connections_per_address
        if not most or self._open.get(client_of(peer), 0) < most:
            return ""
        return "" if is_of_many(peer, snapshot) else OF_ADDRESS

    def _turn_away(self, transport: asyncio.Transport, peer: str, key: str, host: Host) -> None:
        """Answer without having read; the client may or may not see it."""
        self.refused[key] += 1
        count = self._seldom.due(asyncio.get_running_loop().time())
        if count:
            log.warning(
                "%d connections refused since this was said last, the latest of %s: limits.%s",
                count,
                peer or "a Unix socket",
                key,
            )
        _discard(transport)
        refusal = Refusal(Respond(Reason.TOO_MANY_CONNECTIONS), host.new_request_id(), None)
        transport.write(refusal.encode(host.date(), keep_alive=False))
        transport.close()


def client_of(peer: str) -> Hashable:
    """Return what counts as one client: an address, or 64 bits of IPv6, which one customer has."""
    if ":" not in peer:
        return peer
    address = find_address(peer)
    return address.packed[:8] if isinstance(address, ipaddress.IPv6Address) else str(address)


def is_of_many(peer: str, snapshot: Snapshot) -> bool:
    """Whether a peer speaks for many clients: a proxy of ours, or whoever is on this host."""
    address = find_address(peer)
    return address is None or address.is_loopback or peer in snapshot.trusted_proxies


def _discard(transport: asyncio.Transport) -> None:
    """Take what has come: closing before it is read would reset the answer away."""
    sock = transport.get_extra_info("socket")
    if sock is not None and transport.get_extra_info("sslcontext") is None:
        with suppress(OSError):
            os.read(sock.fileno(), _READ_BYTES)
