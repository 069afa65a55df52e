"""Who is answered by the admin API, and on which paths."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from gateway.control.admin import ADMIN_ENDPOINTS, GUARDED, PROBES
from gateway.errors import Reason
from gateway.policy.model import Auth
from gateway.store.faults import StoreUnavailableError
from tests.unit.control.asking import ADMIN_TOKEN, JSON, check_problem
from tests.unit.control.asking_admin import ROUTES, Admin, open_admin


@dataclass(frozen=True)
class Ask:
    """A request that does what its endpoint is for."""

    method: str
    path: str  # ``{user}``, ``{session}`` and ``{key}`` are what there is
    status: int
    members: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


ASKS: Final = [
    Ask("GET", "/metrics", 200),
    Ask("GET", "/routes", 200),
    Ask("POST", "/reload", 200),
    Ask("GET", "/users", 200),
    Ask("POST", "/users", 201, {"username": "new", "password": "canary-new"}),
    Ask("GET", "/users/{user}", 200),
    Ask("PATCH", "/users/{user}", 200, {"roles": ["admin"], "disabled": True}),
    Ask("DELETE", "/users/{user}", 204),
    Ask("POST", "/users/{user}/unlock", 204),
    Ask("DELETE", "/users/{user}/sessions", 204),
    Ask("GET", "/sessions", 200),
    Ask("DELETE", "/sessions/{session}", 204),
    Ask("GET", "/api-keys", 200),
    Ask("POST", "/api-keys", 201, {"user_id": "aymen", "scopes": ["a:b"]}),
    Ask("DELETE", "/api-keys/{key}", 204),
    Ask("GET", "/keys", 200),
    Ask("POST", "/keys/rotate", 202),
    Ask("POST", "/revocations", 204, {"sub": "aymen"}),
]
each_endpoint = pytest.mark.parametrize("ask", ASKS, ids=str)


@dataclass
class House:
    """An admin API, and zoe with a session and a failed login."""

    admin: Admin
    user: str
    session: str
    access_token: str
    key: str

    def path_of(self, ask: Ask) -> str:
        """Return the path with the names that there are."""
        return ask.path.format(user=self.user, session=self.session, key=self.key)

    def send(self, ask: Ask, *, query: str = "", **more: Any) -> Any:
        """Send a request that does something, with what the test adds to it."""
        path = self.path_of(ask) + query
        if ask.members is not None:
            more["content"] = json.dumps(ask.members)
            more["headers"] = {**JSON, **more.get("headers", {})}
        return self.admin.ask(ask.method, path, **more)


def _furnish(admin: Admin) -> House:
    user = admin.add_user()
    grant = admin.log_in()
    assert not admin.can_log_in(password="wrong")
    return House(admin, user.id, grant.session_id, grant.access_token.text, admin.add_api_key())


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """An admin API that asks for the token; shared by those that it refuses."""
    with open_admin() as admin:
        yield _furnish(admin)


@pytest.fixture(scope="module")
def open_house() -> Iterator[House]:
    """An admin API on loopback that asks for no token; shared by those that it refuses."""
    with open_admin(token=None) as admin:
        yield _furnish(admin)


def test_the_table_of_these_tests_is_whole() -> None:
    """No endpoint is without a row here, and so without the tests below."""
    paths = {path.replace("/users/{id}", "/users/{user}") for _, path, _ in GUARDED}

    assert len(ASKS) == len(GUARDED)
    assert {ask.path.replace("{session}", "{id}").replace("{key}", "{id}") for ask in ASKS} == paths


@each_endpoint
def test_the_operator_is_answered(ask: Ask) -> None:
    """With the admin token, each endpoint does what it is for; no cache may keep the answer."""
    with open_admin() as admin:
        response = _furnish(admin).send(ask)

    assert response.status_code == ask.status
    assert response.headers["cache-control"] == "no-store"
    assert "canary" not in response.text


@each_endpoint
def test_on_loopback_no_token_is_needed(ask: Ask) -> None:
    """Where the configuration has none; elsewhere it must have one."""
    with open_admin(token=None) as admin:
        assert _furnish(admin).send(ask, authorization=None).status_code == ask.status


ATTACKS: Final = [
    pytest.param({"authorization": None}, 401, "credential_missing", id="no-token"),
    pytest.param({"authorization": "Bearer wrong"}, 401, "credential_missing", id="wrong-token"),
    pytest.param({"authorization": "Bearer "}, 401, "credential_missing", id="empty-token"),
    pytest.param(
        {"authorization": f"Basic {ADMIN_TOKEN}"}, 401, "credential_missing", id="other-scheme"
    ),
    pytest.param(
        {"authorization": None, "query": f"?access_token={ADMIN_TOKEN}"},
        401,
        "credential_missing",
        id="token-in-query",
    ),
    pytest.param(
        {"authorization": None, "headers": {"Cookie": f"token={ADMIN_TOKEN}"}},
        401,
        "credential_missing",
        id="token-in-cookie",
    ),
]
BROWSER_ATTACKS: Final = [
    pytest.param({"headers": {"Origin": "https://evil.test"}}, 403, "origin_denied", id="origin"),
    pytest.param({"headers": {"Origin": "null"}}, 403, "origin_denied", id="null-origin"),
    pytest.param(
        {"headers": {"Origin": "http://127.0.0.1:8081"}}, 403, "origin_denied", id="own-origin"
    ),
    pytest.param(
        {"headers": {"Sec-Fetch-Site": "cross-site"}}, 403, "origin_denied", id="cross-site"
    ),
    pytest.param({"headers": {"Sec-Fetch-Site": "same-site"}}, 403, "origin_denied", id="site"),
    pytest.param({"base": "http://evil.test:8081"}, 421, "misdirected_request", id="rebinding"),
    pytest.param(
        {"base": "http://127.0.0.1.evil.test"}, 421, "misdirected_request", id="rebinding-prefix"
    ),
]


@pytest.mark.parametrize(("attack", "status", "reason"), [*ATTACKS, *BROWSER_ATTACKS])
@each_endpoint
def test_nobody_else_is_answered(
    house: House, ask: Ask, attack: dict[str, Any], status: int, reason: str
) -> None:
    """THREATS OPS-10, -12: each endpoint, asked by others, refuses and changes nothing."""
    before = house.admin.content()

    check_problem(house.send(ask, **attack), status, reason)
    assert house.admin.content() == before
    assert house.admin.state["reason"] == reason


@each_endpoint
def test_a_users_token_is_no_operators(house: House, ask: Ask) -> None:
    """THREATS OPS-12, -13: whatever roles a user has, none of them is this one."""
    before = house.admin.content()

    response = house.send(ask, authorization=f"Bearer {house.access_token}")
    check_problem(response, 401, "credential_missing")
    assert house.admin.content() == before


@pytest.mark.parametrize(("attack", "status", "reason"), BROWSER_ATTACKS)
@each_endpoint
def test_a_page_in_a_browser_is_refused_where_no_token_is_asked_for(
    open_house: House, ask: Ask, attack: dict[str, Any], status: int, reason: str
) -> None:
    """THREATS OPS-10 (Caddy CVE-2026-27589): there the browser on this host is the danger."""
    before = open_house.admin.content()

    response = open_house.send(ask, authorization=None, **attack)
    check_problem(response, status, reason)
    assert open_house.admin.content() == before


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
@pytest.mark.parametrize("ask", [ask for ask in ASKS if ask.method != "GET"], ids=str)
def test_a_body_that_a_page_can_send_unasked_is_refused(
    open_house: House, ask: Ask, media_type: str
) -> None:
    """THREATS OPS-10: only JSON that says so; where no body is needed, none of another kind."""
    before = open_house.admin.content()

    path = open_house.path_of(ask)
    response = open_house.admin.ask(
        ask.method, path, headers={"Content-Type": media_type}, content=json.dumps(ask.members)
    )
    check_problem(response, 415, "unsupported_media_type")
    assert open_house.admin.content() == before


@pytest.mark.parametrize(
    "ask", [ask for ask in ASKS if ask.method != "GET" and ask.members is None], ids=str
)
def test_a_body_where_none_is_taken_has_no_members(house: House, ask: Ask) -> None:
    """THREATS OPS-13: nothing that was meant by a body is passed over."""
    before = house.admin.content()

    response = house.send(ask, content=b'{"is_admin":true}', headers=JSON)
    check_problem(response, 400, "bad_request")
    assert house.admin.content() == before


@pytest.mark.parametrize("ask", [ask for ask in ASKS if ask.method == "GET"], ids=str)
def test_head_is_guarded_like_get(house: House, ask: Ask) -> None:
    """RFC 9110 section 9.3.2: the same, without the body that the data plane leaves out."""
    head = Ask("HEAD", ask.path, ask.status)

    assert house.send(head).status_code == 200
    assert house.send(head, authorization=None).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/users/",
        "//users",
        "/Users",
        "/users//",
        "/users/01/",
        "/users/01/unlock/",
        "/users/01/lock",
        "/users/01/sessions/01",
        "/sessions/",
        "/sessions/01/",
        "/keys/",
        "/keys/rotate/",
        "/routes/x",
        "/livez/",
        "/livez/x",
        "/READYZ",
        "/api/users",
        "/metrics/",
        "/reload/",
        "/authenticate",
        "/whoami",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_routing_is_exact(house: House, method: str, path: str) -> None:
    """THREATS OPS-11 (Caddy CVE-2026-45692): one path has one reading."""
    check_problem(house.admin.ask(method, path), 404, "route_not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        pytest.param("PUT", "/users", "GET, HEAD, POST", id="users"),
        pytest.param("POST", "/users/01", "DELETE, GET, HEAD, PATCH", id="user"),
        pytest.param("GET", "/users/01/unlock", "POST", id="unlock"),
        pytest.param("GET", "/keys/rotate", "POST", id="rotate"),
        pytest.param("OPTIONS", "/users", "GET, HEAD, POST", id="preflight"),
        pytest.param("POST", "/livez", "GET, HEAD", id="probe"),
    ],
)
def test_a_wrong_method_is_told_all_the_right_ones(
    house: House, method: str, path: str, allowed: str
) -> None:
    """RFC 9110 section 15.5.6; and a page that asks first (CORS) hears of no origin."""
    response = house.admin.ask(method, path, headers={"Origin": "https://evil.test"})

    check_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == allowed
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_the_endpoints_are_those_that_the_data_plane_hands_over(house: House) -> None:
    """One table: what is handed over is answered, and no user's token is looked for."""
    served = {getattr(route, "path", None) for route in house.admin.app.routes}

    assert served == {endpoint.path for endpoint in ADMIN_ENDPOINTS}
    assert len(ADMIN_ENDPOINTS) == len(served)
    assert {endpoint.auth for endpoint in ADMIN_ENDPOINTS} == {Auth.NONE}


def test_routes_are_told_as_they_are_now(house: House) -> None:
    """What the snapshot's routes are described as."""
    assert house.admin.ask("GET", "/routes").json() == {"routes": ROUTES}


@pytest.mark.parametrize("path", [path for _, path, _ in PROBES])
def test_a_probe_is_answered_whoever_asks(house: House, path: str) -> None:
    """An orchestrator has no token, and names an address of the day."""
    response = house.admin.ask(
        "GET",
        path,
        authorization=None,
        base="http://10.1.2.3:8081",
        headers={"Origin": "https://a.test", "Sec-Fetch-Site": "cross-site"},
    )

    assert response.status_code == 200


def test_a_store_that_is_gone_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with ``Retry-After``; asking again is right."""
    monkeypatch.setattr("gateway.store.users.list_page", _unavailable)

    response = house.admin.ask("GET", "/users")
    check_problem(response, 503, "store_unavailable")
    assert response.headers["retry-after"] == "1"
    assert house.admin.state["reason"] is Reason.STORE_UNAVAILABLE


async def _unavailable(*_: object, **__: object) -> None:
    raise StoreUnavailableError("gone")
