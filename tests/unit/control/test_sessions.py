"""Refresh, logout and one's own sessions."""

from typing import Any, Final

import httpx
import pytest

from gateway.errors import Reason
from gateway.issuer.grants import Grant
from tests.kit.issuing import verified
from tests.unit.control.asking import FORM, JSON, Control, check_problem
from tests.unit.issuer.fakes import NOW_S

MEMBERS: Final = {
    "message", "token", "token_type", "expires_in", "refresh_token", "refresh_expires_in",
    "session_id",
}  # fmt: skip


def log_in(control: Control, username: str = "aymen") -> Grant:
    """Begin a session."""
    return control.run(control.issuer.log_in(username, now_s=control.now_s))


def refresh(control: Control, refresh_token: object) -> httpx.Response:
    """Ask for the next pair."""
    return control.ask("POST", "/refresh", json={"refresh_token": refresh_token})


def test_a_refresh_answers_like_a_login(control: Control) -> None:
    """DESIGN.md section 3: the same members, JSON or form, never stored."""
    grant = log_in(control)
    first = refresh(control, grant.refresh_token)
    body = f"refresh_token={first.json()['refresh_token']}".encode()
    second = control.ask("POST", "/refresh", content=body, headers=FORM)

    for response in (first, second):
        assert response.status_code == 200
        assert set(response.json()) == MEMBERS
        assert response.json()["session_id"] == grant.session_id
        assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "refresh_token",
    [None, "", 1, ["x"], {}, "x" * 513],
    ids=["null", "empty", "number", "list", "object", "long"],
)
def test_a_malformed_refresh_is_refused(control: Control, refresh_token: object) -> None:
    """Before anything is looked up."""
    check_problem(refresh(control, refresh_token), 400, "bad_request")


def test_each_refusal_of_a_refresh_has_its_reason(control: Control) -> None:
    """Unknown, spent for too long, ended by that, and expired; the challenge is a bare one."""
    grant = log_in(control)
    second = refresh(control, grant.refresh_token).json()["refresh_token"]
    control.now_s += 11
    answers = [refresh(control, text) for text in ("canary", grant.refresh_token, second)]
    expired = log_in(control)
    control.now_s += 100 * 86_400
    answers.append(refresh(control, expired.refresh_token))

    reasons = ["refresh_invalid", "refresh_reused", "refresh_invalid", "refresh_expired"]
    for response, reason in zip(answers, reasons, strict=True):
        check_problem(response, 401, reason)
        assert response.headers["www-authenticate"] == 'Bearer realm="gateway"'


def log_out(control: Control, grant: Grant, **more: Any) -> httpx.Response:
    """End the session of *grant*, or more."""
    return control.ask("POST", "/logout", token=verified(grant), **more)


def test_a_logout_ends_the_session_of_its_token(control: Control) -> None:
    """204, and neither of the two tokens counts any more."""
    grant, other = log_in(control), log_in(control)
    response = log_out(control, grant)

    assert (response.status_code, response.content) == (204, b"")
    assert not control.issuer.counts(grant)
    assert control.issuer.counts(other)
    check_problem(refresh(control, grant.refresh_token), 401, "refresh_invalid")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(b'{"all": true}', JSON, id="json"),
        pytest.param(b"all=true", FORM, id="form"),
    ],
)
def test_a_logout_can_end_all(control: Control, body: bytes, headers: dict[str, str]) -> None:
    """All sessions of the user, and nobody else's."""
    control.run(control.issuer.add_user())
    grants, other = [log_in(control) for _ in range(3)], log_in(control, "zoe")

    assert log_out(control, grants[0], content=body, headers=headers).status_code == 204
    assert not any(control.issuer.counts(grant) for grant in grants)
    assert control.issuer.counts(other)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(b'{"all": false}', JSON, 204, id="not-all"),
        pytest.param(b"{}", JSON, 204, id="nothing-said"),
        pytest.param(b'{"all": 1}', JSON, 400, id="number"),
        pytest.param(b'{"all": "yes"}', JSON, 400, id="text"),
        pytest.param(b'{"all": null}', JSON, 400, id="null"),
        pytest.param(b'{"all": [true]}', JSON, 400, id="list"),
        pytest.param(b"all=1", FORM, 400, id="form-number"),
        pytest.param(b'{"all": true', JSON, 400, id="cut"),
        pytest.param(b'{"all": true}', {}, 415, id="no-type"),
    ],
)
def test_what_a_logout_says_is_read_strictly(
    control: Control, body: bytes, headers: dict[str, str], status: int
) -> None:
    """A refused logout ends nothing; one that does not say all ends one."""
    grant, other = log_in(control), log_in(control)

    assert log_out(control, grant, content=body, headers=headers).status_code == status
    assert control.issuer.counts(grant) is (status != 204)
    assert control.issuer.counts(other)


@pytest.mark.parametrize("refused", [Reason.TOKEN_EXPIRED, Reason.TOKEN_REVOKED])
def test_an_old_token_ends_its_own_session_only(control: Control, refused: Reason) -> None:
    """THREATS SES-08: logging out works with it; ending all others takes one that counts."""
    grant, other = log_in(control), log_in(control)

    assert log_out(control, grant, refused=refused).status_code == 204
    assert log_out(control, grant, refused=refused).status_code == 204
    check_problem(log_out(control, grant, refused=refused, json={"all": True}), 401, refused.value)
    assert control.issuer.counts(other)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/logout"), ("GET", "/sessions"), ("DELETE", "/sessions/x")]
)
def test_without_a_token_there_is_nothing(control: Control, method: str, path: str) -> None:
    """The data plane asks for one; should it not, this still fails closed."""
    check_problem(control.ask(method, path), 401, "credential_missing")


def test_a_user_sees_their_live_sessions(control: Control) -> None:
    """Which one is the caller's own, where each came from, until when each lasts; no secret."""
    control.run(control.issuer.add_user())
    first, second = log_in(control), log_in(control)
    log_in(control, "zoe")
    response = control.ask("GET", "/sessions", token=verified(second))

    found = {session["id"]: session for session in response.json()["sessions"]}
    assert set(found) == {first.session_id, second.session_id}
    assert [found[grant.session_id]["current"] for grant in (first, second)] == [False, True]
    assert found[first.session_id] == {
        "id": first.session_id,
        "created_at": int(NOW_S),
        "refreshed_at": int(NOW_S),
        "expires_at": int(NOW_S + 86_400),
        "address": "203.0.113.7",
        "user_agent": "tests",
        "current": False,
    }


def test_a_user_ends_one_of_their_sessions(control: Control) -> None:
    """Their own; for any other id, somebody else's too, there is none."""
    control.run(control.issuer.add_user())
    caller, ended, others = log_in(control), log_in(control), log_in(control, "zoe")

    def end(session_id: str) -> httpx.Response:
        return control.ask("DELETE", f"/sessions/{session_id}", token=verified(caller))

    assert end(ended.session_id).status_code == 204
    for session_id in (ended.session_id, others.session_id, "canary"):
        check_problem(end(session_id), 404, "route_not_found")
    assert [control.issuer.counts(grant) for grant in (caller, ended, others)] == [
        True, False, True,
    ]  # fmt: skip
