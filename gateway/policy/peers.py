"""Which peers are proxies of ours, whose forwarding headers are believed, and whom they speak for.

The rule to keep in mind: of a chain of addresses only what one of our proxies wrote is believed.
Each hop is written by the one to the right of it, so the walk is from the right, and it ends at the
first address that is none of ours.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_HOPS: Final = 64  # looked at, from the right; real chains have two or three
_MEMO_ENTRIES: Final = 4096
# An address as it is or with a port, which some proxies add; in quotes, as ``Forwarded`` has it
# (RFC 7239 section 6). Without brackets "::1:80" is an address. No address is longer than 45.
_HOP: Final = re.compile(
    rb'("?)(?:\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?'
    rb"|([0-9.]{7,15}):[0-9]{1,5}"
    rb"|([0-9A-Fa-f:.]{2,45}))\1"
)


class AddressSet:
    """A set of networks, asked about one address at a time."""

    __slots__ = ("_memo", "networks")

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self.networks = tuple(networks)
        self._memo: dict[str, bool] = {}

    def __contains__(self, peer: object) -> bool:
        """Whether *peer*, an address as text, is in it; anything unreadable is not."""
        if not self.networks or not isinstance(peer, str):
            return False
        known = self._memo.get(peer)
        if known is None:
            address = find_address(peer)
            known = address is not None and self.covers(address)
            if len(self._memo) < _MEMO_ENTRIES:
                self._memo[peer] = known
        return known

    def covers(self, address: Address) -> bool:
        """Whether one of the networks has *address*; asked anew each time."""
        return any(address in network for network in self.networks)


class TrustedProxies(AddressSet):
    """The networks of the proxies in front, whose forwarding fields are believed."""

    __slots__ = ()


def find_address(text: str) -> Address | None:
    """Read an address; None where *text* is none.

    ``::ffff:10.0.0.1`` is 10.0.0.1 on a dual-stack socket, and ``ipaddress`` does not say so.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def find_client(peer: str, chain: Iterable[bytes], trusted: TrustedProxies) -> str:
    """Return the address that a request comes from, as far as it can be believed.

    That of the peer, unless the peer is a proxy of ours: then the right-most one of the chain that
    is none of ours. Where the chain names only proxies of ours, goes on beyond ``MAX_HOPS``, or has
    something else than an address, the last address before that stands. Never raises.

    Args:
        peer: The other end of the connection; returned as it is where it is not an address.
        chain: The values of ``X-Forwarded-For``, one per field line, in their order.
        trusted: Our proxies.
    """
    client = find_address(peer)
    if client is None:
        return peer
    hops = _read_hops(chain)
    while trusted.covers(client):
        hop = next(hops, None)
        if hop is None:
            break
        client = hop
    return str(client)


def _read_hops(chain: Iterable[bytes]) -> Iterator[Address | None]:
    """Yield the hops from right to left; None for one that is no address.

    > A recipient MUST parse and ignore a reasonable number of empty list elements

    Source: RFC 9110 section 5.6.1.2; several field lines are one list (section 5.3).
    """
    entries = b",".join(chain).rsplit(b",", MAX_HOPS)[-MAX_HOPS:]
    for entry in reversed(entries):
        hop = entry.strip(b" \t")
        if hop:
            yield _find_hop(hop)


def _find_hop(hop: bytes) -> Address | None:
    found = _HOP.fullmatch(hop)
    if found is None:
        return None
    _, bracketed, with_port, bare = found.groups()
    return find_address((bracketed or with_port or bare).decode("ascii"))
