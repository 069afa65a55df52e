"""gateway.proxy.bridge: what an endpoint of the gateway is told; the wire is for integration."""

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from gateway.errors import Reason
from gateway.policy.peers import TrustedProxies
from tests.kit.policy import Told, bearer, head, snapshot
from tests.kit.tokens import NOW_S, mint
from tests.kit.transport import Client

PEER = "192.0.2.1"  # of the fake transport
CHAIN = (b"X-Forwarded-For: 6.6.6.6", b"x-forwarded-for: 203.0.113.9, 192.0.2.77")


async def _scope_of(client: Client, sent: bytes) -> dict[str, Any]:
    """Return the ASGI scope with which the control plane is called."""
    told: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def control(scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        told.set_result(dict(scope))

    client.worker.control = control
    client.protocol.data_received(sent)
    return await told


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


def state_of(received: bytes, revocations: Told) -> dict[str, Any]:
    """Return the state that the control plane gets with a request."""

    async def main() -> dict[str, Any]:
        client = Client(snapshot(), clock=lambda: NOW_S, revocations=revocations)
        return await _scope_of(client, received)

    state: dict[str, Any] = asyncio.run(main())["state"]
    return state


@pytest.mark.parametrize(
    ("claims", "revocations", "refused"),
    [
        pytest.param({}, Told(), None, id="good"),
        pytest.param({"exp": NOW_S - 60}, Told(), Reason.TOKEN_EXPIRED, id="expired"),
        pytest.param({}, Told("5f0c"), Reason.TOKEN_REVOKED, id="revoked"),
    ],
)
def test_logging_out_is_told_of_the_token_and_whether_it_has_ended(
    claims: dict[str, Any], revocations: Told, refused: Reason | None
) -> None:
    """THREATS.md SES-08: the endpoint decides what an ended token is good for."""
    received = head("/logout", bearer(mint(claims)), method="POST")
    state = state_of(received, revocations)

    assert state["refused"] is refused
    assert state["token"].claims["sid"] == "s-1"


def test_an_endpoint_that_asks_for_no_token_is_told_of_none() -> None:
    """What stands in the places for credentials is its own business."""
    state = state_of(head("/introspect", bearer(mint()), method="POST"), Told("5f0c", stale=True))

    assert (state["token"], state["refused"]) == (None, None)
    assert state["request_id"]
