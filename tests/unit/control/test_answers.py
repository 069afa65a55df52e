"""Every way out of the control plane is a JSON answer or a problem document."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.control.answers import answer_or_refuse, json_answer, refusal, refuse_misrouted
from gateway.errors import REASONS, ProtocolError, Reason
from gateway.policy.problem import challenge_for, problem_body

CANARY: Final = "xyz".upper()  # not in this form in the source, which a traceback shows


def make_request() -> Request:
    """Return a request as the bridge hands it over."""
    return Request({"type": "http", "headers": [], "state": {"request_id": "r-1"}})


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_status_challenge_and_document(reason: Reason) -> None:
    """DESIGN.md section 4: all from the table of reasons, and the reason is left for the log."""
    request = make_request()

    response = refusal(request, reason)

    assert response.status_code == REASONS[reason].status
    assert response.headers.get("www-authenticate") == challenge_for(reason)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "application/problem+json"
    assert response.body == problem_body(reason, "", "r-1")
    assert request.scope["state"]["reason"] is reason


def test_an_answer_has_its_own_status_and_fields() -> None:
    """Whatever they are, no cache may keep it."""
    response = json_answer({"a": "\u00e9"}, 201, {"Location": "/a/1"})

    assert (response.status_code, response.body) == (201, '{"a":"\u00e9"}'.encode())
    assert response.headers["location"] == "/a/1"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "application/json"


def test_a_request_without_an_id_is_answered_too() -> None:
    """Refusing must not depend on what the bridge forgot."""
    request = Request({"type": "http", "headers": []})

    assert b'"request_id": ""' in bytes(refusal(request, Reason.BAD_REQUEST).body)


def test_json_answers_are_utf_8() -> None:
    """RFC 8259 section 8.1."""
    assert json_answer({"a": "\u00e9"}).body == '{"a":"\u00e9"}'.encode()


async def give(_: Request) -> Response:
    """Answer as wanted."""
    return json_answer({})


async def refuse(_: Request) -> Response:
    """Stop early, on purpose."""
    raise ProtocolError(Reason.BODY_TOO_LARGE, "Told why.")


async def break_down(_: Request) -> Response:
    """Fail in a way that nobody foresaw."""
    raise KeyError(CANARY)


async def leave(_: Request) -> Response:
    """Be cancelled, as when the client has gone."""
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        pytest.param(give, 200, id="answer"),
        pytest.param(refuse, 413, id="refusal"),
        pytest.param(break_down, 500, id="unforeseen"),
    ],
)
def test_an_endpoint_always_answers(
    handler: Callable[[Request], Awaitable[Response]],
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Fail closed: an unforeseen error is a 500, and its text is nowhere."""
    response: Response = asyncio.run(_run(answer_or_refuse(handler)))

    assert response.status_code == status
    assert CANARY not in bytes(response.body).decode()
    assert CANARY not in caplog.text
    assert bool(caplog.records) is (status == 500)


def test_a_cancelled_request_stays_cancelled() -> None:
    """Cancelling is no error, and swallowing it would keep a dead request alive."""
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(_run(answer_or_refuse(leave)))


ROUTED: Final[list[Any]] = [
    pytest.param(HTTPException(404), 404, None, id="no-path"),
    pytest.param(HTTPException(405, headers={"Allow": "HEAD, GET"}), 405, "GET, HEAD", id="method"),
    pytest.param(HTTPException(418), 500, None, id="unforeseen"),
]


@pytest.mark.parametrize(("error", "status", "allow"), ROUTED)
def test_the_routers_refusals_are_problems(
    error: HTTPException, status: int, allow: str | None
) -> None:
    """What Starlette refuses looks like what we refuse; methods come in one order."""
    response = asyncio.run(refuse_misrouted(make_request(), error))

    assert response.status_code == status
    assert response.headers.get("allow") == allow
    assert response.headers["content-type"] == "application/problem+json"


def test_only_the_routers_refusals_come_there() -> None:
    """Anything else is our own mistake."""
    with pytest.raises(TypeError):
        asyncio.run(refuse_misrouted(make_request(), ValueError()))


async def _run(handler: Callable[[Request], Awaitable[Response]]) -> Response:
    return await handler(make_request())
