"""``POST /authenticate``: who is let in, and what everybody else hears."""

import asyncio
import json
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import pytest

from gateway.errors import Reason
from gateway.policy.tokens import Issuer, TokenVerifier
from gateway.store.engine import Store
from gateway.store.faults import StoreBusyError, StoreUnavailableError
from tests.kit.issuing import ACCESS_S, LIFETIMES, PASSWORD
from tests.unit.control.asking import FORM, JSON, Control, check_problem, open_control
from tests.unit.issuer.fakes import NOW_S, key_for

RIGHT: Final = {"username": "aymen", "password": PASSWORD}


def as_json(**changes: Any) -> bytes:
    """Return the right login with *changes*."""
    return json.dumps({**RIGHT, **changes}).encode()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(as_json(), JSON, id="json"),
        pytest.param(as_json(username=" AYMEN "), JSON, id="another-spelling"),
        pytest.param(as_json(remember=True, x=[{}]), JSON, id="more-members"),
        pytest.param(urlencode(RIGHT).encode(), FORM, id="form"),
        pytest.param(urlencode({**RIGHT, "x": ""}).encode(), FORM, id="more-fields"),
    ],
)
def test_the_right_password_gets_a_token(
    control: Control, body: bytes, headers: dict[str, str]
) -> None:
    """DESIGN.md section 3: the documented members, in an answer that is never stored."""
    response = control.log_in(body, headers)

    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.headers["cache-control"] == "no-store"
    answer = response.json()
    token = answer.pop("token")
    assert len(answer.pop("refresh_token")) == 43
    session_id = answer.pop("session_id")
    assert answer == {
        "message": "authentication done",
        "token_type": "Bearer",
        "expires_in": ACCESS_S,
        "refresh_expires_in": LIFETIMES.idle_s,
    }
    key = key_for("HS256").verification_key()
    issuer = Issuer(name="https://gw.test", audiences=frozenset(("gateway",)), keys=(key,))
    claims = TokenVerifier((issuer,)).verify(token.encode("ascii"), NOW_S).claims
    assert (claims["sub"], claims["sid"]) == ("aymen", session_id)
    assert "reason" not in control.state


def test_who_is_not_let_in_cannot_tell_why(control: Control) -> None:
    """THREATS AUTH-01: unknown user and wrong password are one answer, after one hash each."""
    wrong = control.log_in(as_json(password="canary-2"))
    unknown = control.log_in(as_json(username="canary-user"))

    assert check_problem(wrong, 401, "login_failed") == unknown.json()
    assert wrong.headers == unknown.headers
    assert wrong.headers["www-authenticate"] == 'Bearer realm="gateway"'
    assert len(control.hasher.checked) == 2
    assert control.state["reason"] is Reason.LOGIN_FAILED


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"username": None}, id="null-username"),
        pytest.param({"username": ["aymen"]}, id="list-username"),
        pytest.param({"username": 1}, id="number-username"),
        pytest.param({"username": ""}, id="empty-username"),
        pytest.param({"username": "a\0"}, id="nul-in-username"),
        pytest.param({"username": "x" * 1025}, id="long-username"),
        pytest.param({"password": None}, id="null-password"),
        pytest.param({"password": {}}, id="object-password"),
        pytest.param({"password": True}, id="boolean-password"),
        pytest.param({"password": 10**300}, id="huge-integer"),
        pytest.param({"password": ""}, id="empty-password"),
        pytest.param({"password": "canary\0"}, id="nul-in-password"),
        pytest.param({"password": "x" * 1025}, id="long-password"),
        pytest.param({"password": "\u00e9" * 513}, id="long-in-bytes"),
        pytest.param({"password": "canary\ud800"}, id="lone-surrogate"),
    ],
)
def test_a_malformed_login_is_refused_before_any_work(
    control: Control, changes: dict[str, Any]
) -> None:
    """THREATS AUTH-07, -08, -10: exactly two strings of a sane size, or nothing is hashed."""
    response = control.log_in(as_json(**changes))

    check_problem(response, 400, "bad_request")
    assert control.hasher.checked == []


@pytest.mark.parametrize("member", ["username", "password"])
def test_a_login_without_one_of_the_two_is_refused(control: Control, member: str) -> None:
    """Neither has a default."""
    body = json.dumps({name: text for name, text in RIGHT.items() if name != member}).encode()

    check_problem(control.log_in(body), 400, "bad_request")


def test_too_many_logins_are_told_to_come_again() -> None:
    """THREATS AUTH-09: the queue is bounded; who is over it gets 429 with Retry-After at once."""
    with open_control(threads=1, waiting=0) as control:
        control.hasher.may_end.clear()

        async def story() -> tuple[httpx.Response, httpx.Response]:
            first = asyncio.create_task(
                control.send("POST", "/authenticate", content=as_json(), headers=JSON)
            )
            assert await asyncio.to_thread(control.hasher.begun.acquire, timeout=30)
            second = await control.send("POST", "/authenticate", content=as_json(), headers=JSON)
            control.hasher.may_end.set()
            return await first, second

        first, second = control.run(story())

    assert first.status_code == 200
    check_problem(second, 429, "login_throttled")
    assert second.headers["retry-after"] == "1"


def test_throttled_logins_are_told_how_long(control: Control) -> None:
    """THREATS AUTH-03, -05: 429 with ``Retry-After``, whether there is such a user or not."""
    for name in ("aymen", "canary-user"):
        answers = [control.log_in(as_json(username=name, password="wrong")) for _ in range(8)]
        check_problem(answers[0], 401, "login_failed")
        check_problem(answers[-1], 429, "login_throttled")
        assert int(answers[-1].headers["retry-after"]) >= 1


@pytest.mark.parametrize(("error", "lines"), [(StoreUnavailableError, 1), (StoreBusyError, 0)])
def test_a_store_that_does_not_answer_lets_nobody_in(
    control: Control,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[StoreUnavailableError],
    lines: int,
) -> None:
    """DESIGN.md section 8: 503, never a pass, and a hint to come again; a flood fills no log."""

    def write(_: Store) -> None:
        raise error("refused")

    monkeypatch.setattr(Store, "write", write)
    response = control.log_in(as_json())

    check_problem(response, 503, "store_unavailable")
    assert response.headers["retry-after"] == "1"
    assert len(caplog.records) == lines


def test_a_password_in_the_query_is_no_login(control: Control) -> None:
    """THREATS AUTH-13: only POST logs in; queries end up in logs."""
    response = control.ask("GET", "/authenticate", params=RIGHT)

    check_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_an_unforeseen_error_leaks_nothing(
    control: Control, caplog: pytest.LogCaptureFixture
) -> None:
    """Fail closed: 500, the error's type and place in the log, and its text nowhere."""
    control.hasher.failure = RuntimeError(f"cannot check {PASSWORD}")

    response = control.log_in(as_json())

    check_problem(response, 500, "internal_error")
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "RuntimeError in the control plane" in caplog.text
    assert "passwords.py" in caplog.text
    assert "canary" not in caplog.text


def test_neither_password_nor_token_is_logged(
    control: Control, caplog: pytest.LogCaptureFixture
) -> None:
    """THREATS OPS-15: right, wrong and malformed logins leave no secret in log or answer."""
    caplog.set_level("DEBUG")
    token = control.log_in(as_json()).json()["token"]
    answers = [
        control.log_in(as_json(password="canary-wrong")),
        control.log_in(b'{"username": "aymen", "password": "canary-cut'),
        control.log_in(b"canary", {"Content-Type": "text/canary"}),
        control.log_in(as_json(password=["canary"])),
    ]

    assert token not in caplog.text
    assert "canary" not in caplog.text
    assert all("canary" not in answer.text for answer in answers)
