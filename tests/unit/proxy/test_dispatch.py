"""gateway.proxy.dispatch."""

import asyncio
import logging

import pytest

from gateway.errors import Reason
from gateway.policy.model import Decision, Request, Respond, Snapshot
from gateway.policy.revoked import NoRevocations, Revocations
from gateway.proxy.dispatch import decide_or_refuse
from tests.kit.policy import Told, bearer, head, request, route, snapshot
from tests.kit.tokens import ISSUER, NOW_S, mint
from tests.kit.transport import Client


def test_an_unforeseen_error_is_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    """DESIGN.md section 8, guarantee 2: never a pass, and loud."""

    def broken(
        _snapshot: Snapshot, _request: Request, _now_s: float, _revocations: Revocations
    ) -> Decision:
        raise ZeroDivisionError

    known = snapshot(route("/p"))
    with caplog.at_level(logging.ERROR):
        asked = request(known, head("/p"))
        decision = decide_or_refuse(broken, known, asked, 0.0, NoRevocations())

    assert isinstance(decision, Respond)
    assert decision.reason is Reason.INTERNAL_ERROR
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("told", "status", "reason"),
    [
        pytest.param(Told("5f0c"), b"401", b"token_revoked", id="revoked"),
        pytest.param(Told(stale=True), b"503", b"store_unavailable", id="stale"),
    ],
)
def test_a_request_is_decided_by_what_the_worker_knows(
    told: Told, status: bytes, reason: bytes
) -> None:
    """DESIGN.md section 8, guarantee 3: no service hears of it."""

    async def main() -> bytes:
        client = Client(snapshot(route("/p")), clock=lambda: NOW_S, revocations=told)
        client.protocol.data_received(head("/p", bearer(mint())))
        return client.transport.written

    answer = asyncio.run(main())
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b'"reason": "%b"' % reason in answer


@pytest.mark.parametrize(
    ("token", "wanted"),
    [
        pytest.param(mint(), [], id="good"),
        pytest.param(mint({"exp": NOW_S - 60}), [], id="expired"),
        pytest.param(mint(header={"kid": "new"}), [ISSUER], id="unknown-key"),
    ],
)
def test_who_can_get_keys_is_told_that_some_are_missing(token: bytes, wanted: list[str]) -> None:
    """And the request is refused at once: no request waits for a fetch."""

    async def main() -> list[str]:
        client = Client(snapshot(route("/p")), clock=lambda: NOW_S)
        asked: list[str] = []
        client.worker.on_keys_wanted = asked.append
        client.protocol.data_received(head("/p", bearer(token)))
        return asked

    assert asyncio.run(main()) == wanted
