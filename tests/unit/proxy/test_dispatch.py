"""gateway.proxy.dispatch."""

import logging

import pytest

from gateway.errors import Reason
from gateway.policy.model import Decision, Request, Respond, Snapshot
from gateway.policy.revoked import NoRevocations, Revocations
from gateway.proxy.dispatch import decide_or_refuse
from tests.kit.policy import head, request, route, snapshot


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
