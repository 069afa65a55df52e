"""Resolves the names of endpoints again and again, without blocking and without losing them.

Until a name has been resolved, and where it never can be, connections are made to the name itself.
A resolver that fails later changes nothing: the addresses known stay in use (stale-if-error).
"""

import asyncio
import ipaddress
import logging
import socket
from typing import Final

from gateway.proxy.pool import Pool

log: Final = logging.getLogger(__name__)

REFRESH_S: Final = 30.0  # Envoy: dns_refresh_rate 5, nginx: by TTL, which getaddrinfo does not tell
_TIMEOUT_S: Final = 10.0  # resolv.conf: two tries of five seconds


def has_name(pool: Pool) -> bool:
    """Whether an endpoint is named by something that must be resolved."""
    if pool.endpoint.socket:
        return False
    try:
        ipaddress.ip_address(pool.endpoint.host)
    except ValueError:
        return True
    return False


async def follow_name(pool: Pool) -> None:
    """Keep the addresses of an endpoint's name, for ever; troubles are logged once."""
    was_known = True
    while True:
        addresses = await resolve(pool.endpoint.host, pool.endpoint.port)
        if addresses:
            pool.use_addresses(addresses)
        if bool(addresses) is not was_known:
            was_known = bool(addresses)
            words = "is known again" if was_known else "cannot be resolved"
            log.warning("upstream %s: %s %s", pool.upstream.name, pool.endpoint.host, words)
        await asyncio.sleep(REFRESH_S)


async def resolve(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses of a name, in the resolver's order; none where there is no answer."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # TimeoutError is one; the latter: DNS cannot encode the name
        return ()
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))
