"""The decision, one table per step; the first refusal ends it."""

import pytest

from gateway.errors import Reason
from gateway.policy.decide import decide
from gateway.policy.model import Auth, Forward, Respond, Serve, Snapshot
from gateway.policy.requirements import Requirement
from tests.kit.policy import answer, bearer, head, reason_of, request, route, snapshot
from tests.kit.tokens import NOW_S, mint

GOOD = bearer(mint())
EXPIRED = bearer(mint({"exp": NOW_S - 60}))
ADMIN = Requirement(roles=frozenset(("admin",)))


@pytest.fixture(scope="module")
def known() -> Snapshot:
    """One route of each kind."""
    return snapshot(
        route("/p"),
        route("/open/**", auth=Auth.NONE),
        route("/optional", auth=Auth.OPTIONAL, require=ADMIN),
        route("/admin/**", require=ADMIN),
        route("/get", methods=frozenset((b"GET",))),
        route("/small", max_body_bytes=5),
        methods=frozenset((b"GET", b"HEAD", b"POST", b"OPTIONS")),
    )


@pytest.mark.parametrize(
    ("target", "lines", "method", "reason"),
    [
        pytest.param("/p", [GOOD], "GET", None, id="good"),
        pytest.param("/p", [], "GET", "credential_missing", id="none"),
        pytest.param("/p", [EXPIRED], "GET", "token_expired", id="bad"),
        pytest.param("/open/x", [], "GET", None, id="open"),
        pytest.param("/open/x", [EXPIRED, EXPIRED], "GET", None, id="open-does-not-look"),
        pytest.param("/optional", [], "GET", None, id="optional-anonymous"),
        pytest.param("/optional", [EXPIRED], "GET", "token_expired", id="optional-bad"),
        pytest.param("/optional", [GOOD], "GET", "role_missing", id="optional-without-role"),
        pytest.param("/admin/x", [GOOD], "GET", "role_missing", id="role"),
        pytest.param("/nowhere", [GOOD], "GET", "route_not_found", id="no-route"),
        pytest.param("/%6fpen/x", [], "GET", "ambiguous_path", id="hidden-literal"),
        pytest.param("/get", [GOOD], "HEAD", None, id="HEAD"),
        pytest.param("/get", [], "POST", "method_not_allowed", id="method-before-credential"),
        pytest.param("/nowhere", [], "DELETE", "not_implemented", id="method-of-no-route"),
        pytest.param("/small", [GOOD, b"Content-Length: 5"], "POST", None, id="body-fits"),
        pytest.param("/small", [GOOD, b"Content-Length: 6"], "POST", "body_too_large", id="body"),
        pytest.param(
            "/small", [b"Content-Length: 6"], "POST", "credential_missing", id="credential-first"
        ),
        pytest.param(
            "/small", [GOOD, b"Transfer-Encoding: chunked"], "POST", None, id="length-unknown"
        ),
        pytest.param(
            "/p", [bearer(mint({"sub": "a\r\nb"}))], "GET", "claim_mismatch", id="unfit-claim"
        ),
    ],
)
def test_a_request_is_forwarded_or_refused_for_one_reason(
    known: Snapshot, target: str, lines: list[bytes], method: str, reason: str | None
) -> None:
    """DESIGN.md section 2: route, credential, token, requirements, size, head."""
    decision = answer(known, head(target, *lines, method=method))

    assert reason == reason_of(decision)
    assert isinstance(decision, Respond if reason else Forward)


def test_a_refusal_names_the_route_and_what_is_allowed(known: Snapshot) -> None:
    """For the log, for ``explain`` and for ``Allow``."""
    refusal = answer(known, head("/p"))
    assert isinstance(refusal, Respond)
    assert refusal.route is known.routes[0]

    refusal = answer(known, head("/get", method="POST"))
    assert isinstance(refusal, Respond)
    assert refusal.allow == (b"GET", b"HEAD")


def test_options_of_the_gateway_itself_is_answered_here(known: Snapshot) -> None:
    """PATH-22: 204, and no service hears of it."""
    decision = answer(known, head("*", method="OPTIONS"))

    assert isinstance(decision, Respond)
    assert (decision.status, decision.reason) == (204, None)


@pytest.mark.parametrize(
    ("path", "lines", "expected"),
    [
        pytest.param("/authenticate", [], "served", id="open"),
        pytest.param("/authenticate", [EXPIRED], "served", id="open-does-not-look"),
        pytest.param("/whoami", [GOOD], "served", id="good"),
        pytest.param("/whoami?x", [GOOD], "served", id="query"),
        pytest.param("/whoami", [], "credential_missing", id="none"),
        pytest.param("/whoami", [EXPIRED], "token_expired", id="bad"),
        pytest.param("/whoami", [GOOD, GOOD], "several_credentials", id="two"),
    ],
)
def test_the_gateways_own_paths_win_over_every_route(
    path: str, lines: list[bytes], expected: str
) -> None:
    """DESIGN.md section 3."""
    decision = answer(snapshot(route("/**", auth=Auth.NONE)), head(path, *lines))

    assert isinstance(decision, Serve | Respond)
    assert expected == ("served" if isinstance(decision, Serve) else decision.reason)
    if isinstance(decision, Serve):
        assert (decision.token is not None) == (path != "/authenticate")


def test_a_token_is_asked_for_the_time_of_the_request(known: Snapshot) -> None:
    """Pure: the same request is decided otherwise only because the time is another."""
    asked = request(known, head("/p", GOOD))

    assert reason_of(decide(known, asked, NOW_S)) is None
    assert reason_of(decide(known, asked, NOW_S + 3600)) is Reason.TOKEN_EXPIRED
