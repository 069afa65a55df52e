"""gateway.proxy.bridge: what the control plane is told of a request."""

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest

from gateway.policy.peers import TrustedProxies
from tests.kit.policy import head, snapshot
from tests.kit.transport import Client

PEER = "192.0.2.1"  # of the fake transport
CHAIN = (b"X-Forwarded-For: 6.6.6.6", b"x-forwarded-for: 203.0.113.9, 192.0.2.77")


async def _scope_of(client: Client, sent: bytes) -> dict[str, Any]:
    """Return the ASGI scope with which the control plane is called."""
    scopes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def control(scope: Any, _receive: Any, send: Any) -> None:
        await scopes.put(scope)
        await send({"type": "http.response.start", "status": 204, "headers": []})

    client.worker.control = control
    client.protocol.data_received(sent)
    return await scopes.get()


@pytest.mark.parametrize(
    ("network", "address"),
    [
        pytest.param("198.51.100.0/24", PEER, id="stranger"),
        pytest.param("192.0.2.0/24", "203.0.113.9", id="proxy-of-ours"),
    ],
)
def test_the_client_is_the_one_behind_our_proxies(network: str, address: str) -> None:
    """THREATS IP-01 to IP-03: a forwarding field is believed of a trusted proxy only."""

    async def main() -> dict[str, Any]:
        proxies = TrustedProxies([ip_network(network)])
        client = Client(snapshot(trusted_proxies=proxies))
        return await _scope_of(client, head("/.well-known/jwks.json", *CHAIN))

    scope = asyncio.run(main())

    assert scope["client"] == (address, 0)
    assert b"x-forwarded-for" not in dict(scope["headers"])
