"""THREATS.md A3 at the level of the decision: no spelling of a path or method gets past a route."""

import pytest

from gateway.errors import Reason
from gateway.policy.model import Auth, Forward, Respond, Snapshot
from gateway.policy.requirements import Requirement
from tests.conformance.paths import PATH_CASES, PathCase
from tests.kit.policy import answer, route, snapshot


@pytest.fixture(scope="module")
def paths_snapshot() -> Snapshot:
    """The configuration that the rows of ``PATH_CASES`` are about."""
    return snapshot(
        route("/public/**", auth=Auth.NONE),
        route("/admin/**", require=Requirement(roles=frozenset(("admin",)))),
        route("/p"),
        route("/api/**", auth=Auth.NONE, strip_prefix=b"/api"),
        route("/get", auth=Auth.NONE, methods=frozenset((b"GET",))),
    )


@pytest.mark.parametrize("case", PATH_CASES, ids=lambda case: case.id)
def test_a_target_has_one_reading_or_is_refused(case: PathCase, paths_snapshot: Snapshot) -> None:
    """DESIGN.md section 5: what is matched is forwarded byte for byte, but for strip_prefix."""
    decision = answer(paths_snapshot, case.request_line + b"\r\nHost: gw.test\r\n\r\n")

    if isinstance(decision, Forward):
        forwarded = case.target if case.forwarded is None else case.forwarded
        assert case.status == 200
        assert decision.request_line == f"{case.method} {forwarded} HTTP/1.1\r\n".encode()
    else:
        assert isinstance(decision, Respond)
        assert (case.status, case.reason) == (decision.status, decision.reason)


def test_the_widest_route_still_gives_way_to_the_narrower_one_in_any_order() -> None:
    """PATH-30: the most specific route wins, whatever the order of the file."""
    wide = route("/a/**", auth=Auth.NONE)
    narrow = route("/a/b/**")

    for routes in ((wide, narrow), (narrow, wide)):
        decision = answer(snapshot(*routes), b"GET /a/b/c HTTP/1.1\r\nHost: gw.test\r\n\r\n")
        assert isinstance(decision, Respond)
        assert decision.reason is Reason.CREDENTIAL_MISSING


def test_a_method_override_reaches_neither_the_policy_nor_the_service() -> None:
    """HDR-19: the policy decides on the real method, and no field can change it behind it."""
    head = (
        b"GET /get?_method=DELETE HTTP/1.1\r\nHost: gw.test\r\nX-HTTP-Method-Override: DELETE\r\n"
        b"X-Method-Override: DELETE\r\nX-HTTP-Method: DELETE\r\n\r\n"
    )
    open_route = route("/get", auth=Auth.NONE, methods=frozenset((b"GET",)))
    decision = answer(snapshot(open_route), head)

    assert isinstance(decision, Forward)
    assert decision.request_line.startswith(b"GET ")
    assert b"override" not in decision.fields.lower()
    assert b"x-http-method" not in decision.fields.lower()
