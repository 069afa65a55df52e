"""Asks endpoints whether they are well, off the path of requests: one task for each and worker.

That no endpoint of some upstream is well is no matter of ``/readyz``: other upstreams go on, and
taking this gateway out would not help the one that is down.
"""

import asyncio
import logging
import secrets
import ssl
from collections.abc import Iterable
from typing import Final

import httpx

from gateway.policy.model import HealthCheck, Upstream
from gateway.proxy.client_tls import tls_fault
from gateway.proxy.pool import Pool

log: Final = logging.getLogger(__name__)

_JITTER_STEPS: Final = 1000
_USER_AGENT: Final = "gateway-health-check"


def make_client(context: ssl.SSLContext | None = None, socket: str = "") -> httpx.AsyncClient:
    """Return what asks; each check makes a connection of its own, as new requests would.

    Args:
        context: What TLS is spoken with. Without it a connection verifies by no CA, and so fails.
        socket: The path of the Unix socket to ask at, whatever host the URL names.
    """
    limits = httpx.Limits(max_keepalive_connections=0)
    context = context or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # httpx's default reads all CAs
    return httpx.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        headers={"Connection": "close", "User-Agent": _USER_AGENT},
        transport=httpx.AsyncHTTPTransport(verify=context, limits=limits, uds=socket or None),
    )


async def check_endpoints(pools: Iterable[Pool]) -> None:
    """Check those endpoints for ever whose upstreams say so."""
    async with make_client() as client, asyncio.TaskGroup() as group:
        for pool in pools:
            if pool.upstream.health is not None:
                group.create_task(watch_endpoint(client, pool, pool.upstream.health))


async def watch_endpoint(client: httpx.AsyncClient, pool: Pool, check: HealthCheck) -> None:
    """Check an endpoint for ever, and keep its standing; every change is logged once.

    The first check comes at a random moment of the first interval, and so do those of all workers.
    """
    await asyncio.sleep(check.interval_s * secrets.randbelow(_JITTER_STEPS) / _JITTER_STEPS)
    loop = asyncio.get_running_loop()
    while True:
        begun_s = loop.time()
        fault = await find_fault(client, pool, check)
        if pool.standing.on_check(check, passed=not fault):
            words = f"is unhealthy: {fault}" if fault else "is healthy again"
            log.warning("upstream %s: %s %s", pool.upstream.name, pool.endpoint, words)
        await asyncio.sleep(max(0.0, begun_s + check.interval_s - loop.time()))


async def find_fault(client: httpx.AsyncClient, pool: Pool, check: HealthCheck) -> str:
    """Ask once; return what is wrong, or nothing at all.

    *client* asks endpoints that speak plain HTTP; others have one of their own, whose certificates
    are those of now.
    """
    endpoint = pool.endpoint
    try:
        async with asyncio.timeout(check.timeout_s):  # of all of it; httpx counts each read
            if not endpoint.secure and not endpoint.socket:
                status = await _ask(client, pool, check)
            else:
                context = pool.tls.context if endpoint.secure else None
                async with make_client(context, endpoint.socket) as own:
                    status = await _ask(own, pool, check)
    except TimeoutError:
        return "no answer in time"
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return tls_fault(error) or type(error).__name__  # its text may quote what the service sent
    good = httpx.codes.OK <= status < httpx.codes.BAD_REQUEST
    return "" if good else f"it answers {status}"


async def _ask(client: httpx.AsyncClient, pool: Pool, check: HealthCheck) -> int:
    endpoint, server_name = pool.endpoint, pool.upstream.tls.server_name
    base = "http://localhost" if endpoint.socket else endpoint.url("")
    async with client.stream(
        "GET",
        base + check.path,
        headers=_host(pool.upstream),
        timeout=None,
        extensions={"sni_hostname": server_name} if server_name else {},
    ) as response:
        return response.status_code


def _host(upstream: Upstream) -> dict[str, str]:
    """A service that is sent a literal host may know no other."""
    return {"Host": upstream.host.decode("ascii")} if upstream.host is not None else {}
