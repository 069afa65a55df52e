"""The endpoints beside the login, and what is refused before any of them."""

import asyncio
import json
from typing import Any, Final

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from gateway.control.answers import Handler, json_answer
from gateway.control.app import build_app
from gateway.errors import Reason
from gateway.policy.model import CONTROL_ENDPOINTS
from gateway.policy.signature import ALGORITHMS
from gateway.policy.tokens import Issuer, VerifiedToken
from tests.unit.control.asking import Control, check_problem, open_control
from tests.unit.issuer.fakes import key_for

ISSUER: Final = Issuer(name="https://gw.test", audiences=frozenset(("gateway",)), keys=())
CLAIMS: Final[dict[str, Any]] = {"sub": "u-1", "exp": 2, "name": "Zo\u00eb", "org": {"plan": "pro"}}
PRIVATE_MEMBERS: Final = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}  # RFC 7518 section 6


def test_whoami_tells_the_verified_claims(control: Control) -> None:
    """The claims as they were verified, whatever they are, and never stored."""
    response = control.ask("GET", "/whoami", token=VerifiedToken(CLAIMS, ISSUER))

    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == CLAIMS


def test_whoami_without_a_token_is_refused(control: Control) -> None:
    """The data plane asks for a token here; should it not, this still fails closed."""
    response = control.ask("GET", "/whoami")

    check_problem(response, 401, "credential_missing")
    assert response.headers["www-authenticate"] == 'Bearer realm="gateway"'


def test_whoami_believes_no_header(control: Control) -> None:
    """Only what the data plane has verified counts; a credential is not looked at again here."""
    response = control.ask("GET", "/whoami", headers={"Authorization": "Bearer canary"})

    check_problem(response, 401, "credential_missing")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_public_keys_are_published(algorithm: str) -> None:
    """RFC 7517 section 5; THREATS JWKS-09: public members only, and nothing of a secret."""
    key = key_for(algorithm)
    with open_control([key]) as control:
        response = control.ask("GET", "/.well-known/jwks.json")

    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.headers["cache-control"] == "no-store"
    jwk = key.public_jwk()
    assert response.json() == {"keys": [] if jwk is None else [jwk]}
    assert all(PRIVATE_MEMBERS.isdisjoint(published) for published in response.json()["keys"])


def test_every_key_of_the_set_is_published() -> None:
    """A key that verifies but no longer signs is there too, in the order given."""
    keys = [key_for("ES256"), key_for("HS256"), key_for("EdDSA")]
    with open_control(iter(keys)) as control:
        answers = [control.ask("GET", "/.well-known/jwks.json").json() for _ in range(2)]

    assert answers[0] == answers[1]
    assert [jwk["kid"] for jwk in answers[0]["keys"]] == [keys[0].kid, keys[2].kid]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        pytest.param("GET", "/authenticate", "POST", id="get-login"),
        pytest.param("PUT", "/authenticate", "POST", id="put-login"),
        pytest.param("OPTIONS", "/authenticate", "POST", id="options-login"),
        pytest.param("POST", "/whoami", "GET, HEAD", id="post-whoami"),
        pytest.param("DELETE", "/.well-known/jwks.json", "GET, HEAD", id="delete-keys"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    control: Control, method: str, path: str, allowed: str
) -> None:
    """RFC 9110 section 15.5.6: 405 with ``Allow``."""
    response = control.ask(method, path)

    check_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == allowed
    assert control.state["reason"] is Reason.METHOD_NOT_ALLOWED


def test_each_method_of_a_path_has_its_handler() -> None:
    """HEAD follows GET, in whatever order the rows stand; ``Allow`` names them all."""

    def saying(word: str) -> Handler:
        async def handler(_: Request) -> Response:
            return json_answer({}, headers={"X-Said": word})

        return handler

    app = build_app(
        (
            ("DELETE", "/a/{id}", saying("delete")),
            ("GET", "/b", saying("b")),
            ("GET", "/a/{id}", saying("get")),
        )
    )

    async def ask(method: str, path: str) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gw.test") as client:
            return await client.request(method, path)

    answers = {method: asyncio.run(ask(method, "/a/1")) for method in ("GET", "HEAD", "DELETE")}
    said = [answer.headers["x-said"] for answer in answers.values()]
    assert said == ["get", "get", "delete"]
    assert asyncio.run(ask("PUT", "/a/1")).headers["allow"] == "DELETE, GET, HEAD"
    assert asyncio.run(ask("DELETE", "/b")).headers["allow"] == "GET, HEAD"


def test_head_is_taken_where_get_is(control: Control) -> None:
    """RFC 9110 section 9.3.2; that no body goes out is for the data plane."""
    assert control.ask("HEAD", "/.well-known/jwks.json").status_code == 200
    assert control.ask("HEAD", "/authenticate").status_code == 405


@pytest.mark.parametrize(
    "path", ["/", "/whoami/", "/authenticate/", "/WHOAMI", "/canary", "//whoami"]
)
def test_no_other_path_is_answered(control: Control, path: str) -> None:
    """One path has one reading: no redirect, no other case, no slash more."""
    check_problem(control.ask("GET", "http://gw.test" + path), 404, "route_not_found")


def test_the_endpoints_are_those_that_the_data_plane_hands_over(control: Control) -> None:
    """What the policy reserves is answered, and what is answered is reserved."""
    served = {getattr(route, "path", None) for route in control.app.routes}

    assert served == {endpoint.path for endpoint in CONTROL_ENDPOINTS}


def test_a_problem_is_json_for_people_and_programs(control: Control) -> None:
    """RFC 9457: the members that DESIGN.md section 4 names, and no other."""
    document = json.loads(control.ask("GET", "/whoami").content)

    assert set(document) == {"type", "title", "status", "detail", "reason", "request_id"}
    assert document["detail"] == "No token provided."
