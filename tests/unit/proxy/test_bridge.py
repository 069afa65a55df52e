"""gateway.proxy.bridge: what an endpoint of the gateway is told; the wire is for integration."""

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from gateway.errors import Reason
from tests.kit.policy import Told, bearer, head, snapshot
from tests.kit.tokens import NOW_S, mint
from tests.kit.transport import Client


def state_of(received: bytes, revocations: Told) -> dict[str, Any]:
    """Return the state that the control plane gets with a request."""

    async def main() -> dict[str, Any]:
        told: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        async def control(scope: Scope, _receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            told.set_result(scope["state"])

        client = Client(snapshot(), control=control, clock=lambda: NOW_S, revocations=revocations)
        client.protocol.data_received(received)
        return await told

    return asyncio.run(main())


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
