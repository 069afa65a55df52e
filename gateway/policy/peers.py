"""Which peers are proxies of ours, whose forwarding headers are believed."""

import ipaddress
from collections.abc import Iterable
from typing import Final, TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_MEMO_ENTRIES: Final = 4096


class TrustedProxies:
    """A set of networks, asked about one peer address at a time."""

    __slots__ = ("_memo", "networks")

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self.networks = tuple(networks)
        self._memo: dict[str, bool] = {}

    def __contains__(self, peer: object) -> bool:
        """Whether *peer*, an address as text, is one of ours; anything unreadable is not."""
        if not self.networks or not isinstance(peer, str):
            return False
        known = self._memo.get(peer)
        if known is None:
            known = self._find(peer)
            if len(self._memo) < _MEMO_ENTRIES:
                self._memo[peer] = known
        return known

    def _find(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        # ::ffff:10.0.0.1 is 10.0.0.1 on a dual-stack socket, and ``ipaddress`` does not say so.
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self.networks)
