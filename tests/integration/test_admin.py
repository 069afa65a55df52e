"""The admin listener on the wire: beside the public one, and apart from it."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.control.admin import ADMIN_ENDPOINTS
from gateway.policy.model import CONTROL_ENDPOINTS
from tests.conftest import StartGateway
from tests.kit.gateway import AUDIENCE, ISSUER, GatewayProcess, bearer, configuration
from tests.kit.script import respond, tell, wait_for
from tests.kit.upstream import Upstream
from tests.kit.wire import Response, Wire

TOKEN: Final = "an-admin-token-of-the-tests-0123456789"
HOST: Final = b"Host: 127.0.0.1\r\n"
PUBLIC_HOST: Final = b"Host: gw.test\r\n"
OPERATOR: Final = b"Authorization: Bearer %b\r\n" % TOKEN.encode()
LOGIN: Final = {"username": "zoe", "password": "a password of zoe"}
OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def request_bytes(method: str, path: str, fields: bytes, members: Any = None) -> bytes:
    """Return a request, with a JSON body where there are members."""
    head = b"%b %b HTTP/1.1\r\n%b" % (method.encode(), path.encode(), fields)
    if members is None:
        return head + b"\r\n"
    body = json.dumps(members).encode()
    kind = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + kind + body


def ask(
    port: int, method: str, path: str, members: Any = None, *, fields: bytes = HOST + OPERATOR
) -> Response:
    """Send one request on a connection of its own and return its answer."""
    with Wire(port) as wire:
        wire.send(request_bytes(method, path, fields, members))
        return wire.read_response(method.encode())


def log_in(gateway: GatewayProcess) -> Response:
    """Log in as zoe at the public listener."""
    return ask(gateway.port, "POST", "/authenticate", LOGIN, fields=PUBLIC_HOST)


def status_with(gateway: GatewayProcess, token: str) -> int:
    """Return how the protected route answers a token."""
    fields = PUBLIC_HOST + b"Authorization: Bearer %b\r\n" % token.encode()
    return ask(gateway.port, "GET", "/p", fields=fields).status


@pytest.fixture(scope="module")
def upstream_of_admin() -> Iterator[Upstream]:
    """The service behind the gateway of these tests."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(
    upstream_of_admin: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """A gateway with an admin listener that asks for its token."""
    tokens = {"issuer": ISSUER, "audience": AUDIENCE, "algorithm": "ES256"}
    admin = {"listen": "127.0.0.1:0", "token": TOKEN}
    document = configuration(upstream_of_admin.port, admin=admin, tokens=tokens)
    with GatewayProcess(document, tmp_path_factory.mktemp("admin")) as process:
        yield process
        process.check_quiet()


def test_a_user_comes_and_goes(start_gateway: StartGateway, own_upstream: Upstream) -> None:
    """From the first request to the last; of two workers, none lets a token in after its end."""
    admin = {"listen": "127.0.0.1:0", "token": TOKEN}
    gateway = start_gateway(configuration(own_upstream.port, admin=admin, workers=2))
    port = gateway.admin_port
    created = ask(port, "POST", "/users", {**LOGIN, "roles": ["user"]})
    assert created.status == 201
    path = created.header(b"location")[0].decode()
    first, second = log_in(gateway).json(), log_in(gateway).json()
    assert {status_with(gateway, login["token"]) for login in (first, second)} == {200}

    assert ask(port, "DELETE", f"/sessions/{first['session_id']}").status == 204
    assert {status_with(gateway, first["token"]) for _ in range(8)} == {401}
    assert {status_with(gateway, second["token"]) for _ in range(8)} == {200}
    assert ask(port, "PATCH", path, {"disabled": True}).json()["disabled"] is True
    assert {status_with(gateway, second["token"]) for _ in range(8)} == {401}
    assert log_in(gateway).reason == "login_failed"
    assert ask(port, "DELETE", path).status == 204
    assert ask(port, "GET", path).status == 404


def test_one_connection_serves_many_requests(gateway: GatewayProcess) -> None:
    """Pipelined, answered in order; a body of 64 KiB is the most."""
    asked = request_bytes("GET", "/keys", HOST + OPERATOR)
    rotated = request_bytes("POST", "/keys/rotate", HOST + OPERATOR)
    missing = request_bytes("GET", "/users/nobody", HOST + OPERATOR)
    large = request_bytes("POST", "/users", HOST + OPERATOR, {"x": "x" * 65536})
    with Wire(gateway.admin_port) as wire:
        wire.send(asked + rotated + missing + large)
        answers = [wire.read_response(m) for m in (b"GET", b"POST", b"GET", b"POST")]

    assert [answer.status for answer in answers] == [200, 202, 404, 413]
    assert answers[0].header(b"date")


def test_the_routes_are_told(gateway: GatewayProcess) -> None:
    """As ``gateway routes --json`` tells them."""
    routes = ask(gateway.admin_port, "GET", "/routes").json()["routes"]

    assert [route["name"] for route in routes[:3]] == ["p", "admin", "public"]
    assert routes[1]["require"] == {"roles": ["admin"]}


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        pytest.param(HOST, 401, "credential_missing", id="no-token"),
        pytest.param(HOST + OPERATOR * 2, 401, "credential_missing", id="two-tokens"),
        pytest.param(HOST + bearer(roles=["admin"]), 401, "credential_missing", id="users-token"),
        pytest.param(
            HOST + OPERATOR + b"Connection: authorization\r\n", 200, "", id="token-as-hop-by-hop"
        ),
        pytest.param(
            HOST + OPERATOR + b"Origin: https://evil.test\r\n", 403, "origin_denied", id="origin"
        ),
        pytest.param(
            HOST + OPERATOR + b"Sec-Fetch-Site: cross-site\r\n", 403, "origin_denied", id="page"
        ),
        pytest.param(b"Host: evil.test\r\n" + OPERATOR, 421, "misdirected_request", id="rebinding"),
        pytest.param(
            b"Host: evil.test\r\nX-Forwarded-Host: 127.0.0.1\r\n" + OPERATOR,
            421,
            "misdirected_request",
            id="forwarded-host",
        ),
        pytest.param(HOST + HOST + OPERATOR, 400, "bad_request", id="two-hosts"),
    ],
)
def test_the_guard_stands_on_the_wire(
    gateway: GatewayProcess, fields: bytes, status: int, reason: str
) -> None:
    """THREATS OPS-10, -12: the data plane hands over what the guard needs to see."""
    response = ask(gateway.admin_port, "GET", "/users", fields=fields)

    assert (response.status, response.reason) == (status, reason)


def test_an_absolute_target_names_a_host_like_any_other(gateway: GatewayProcess) -> None:
    """THREATS OPS-09: the authority that counts is one, wherever it stands."""
    target = f"http://evil.test:{gateway.admin_port}/users"
    other = ask(gateway.admin_port, "GET", target)
    same = ask(
        gateway.admin_port,
        "GET",
        target,
        fields=OPERATOR + b"Host: evil.test:%d\r\n" % (gateway.admin_port),
    )

    assert other.reason == "bad_request"
    assert same.reason == "misdirected_request"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/users", 200),
        ("/users?access_token=" + TOKEN, 400),
        ("/users/", 404),
        ("//users", 400),
        ("/Users", 404),
        ("/users/01/", 404),
        ("/users/01", 404),
        ("/users/01/unlock", 405),
        ("/users/01/x", 404),
        ("/users;x", 400),
        ("/users/..", 400),
        ("/x/../users", 400),
        ("/%75sers", 400),
        ("/users%2f01", 400),
        ("/users/%00", 400),
        ("/users%0a", 400),
        ("/api/users", 404),
        ("/livez", 200),
        ("/livez/", 404),
    ],
)
def test_routing_is_exact(gateway: GatewayProcess, path: str, status: int) -> None:
    """THREATS OPS-11 (Caddy CVE-2026-45692): a path has one reading, or none."""
    assert ask(gateway.admin_port, "GET", path).status == status


def test_neither_listener_answers_for_the_other(gateway: GatewayProcess) -> None:
    """THREATS OPS-09 (Envoy Gateway CVE-2025-24030), OPS-18: by no path and no host."""
    own = {endpoint.path.replace("{id}", "01") for endpoint in ADMIN_ENDPOINTS}
    public = {endpoint.path.replace("{id}", "01") for endpoint in CONTROL_ENDPOINTS}
    for path in sorted(own - public):
        for host in (HOST, b"Host: 127.0.0.1:%d\r\n" % gateway.admin_port):
            answer = ask(gateway.port, "GET", path, fields=host + OPERATOR)
            assert (path, answer.reason) == (path, "route_not_found")
    for path in [*sorted(public - own), "/p", "/public"]:
        for host in (HOST, b"Host: 127.0.0.1:%d\r\n" % gateway.port):
            answer = ask(gateway.admin_port, "GET", path, fields=host + bearer())
            assert (path, answer.reason) == (path, "route_not_found")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_probe_asks_for_nothing(gateway: GatewayProcess, method: str, path: str) -> None:
    """Neither for a name nor for a token."""
    response = ask(gateway.admin_port, method, path, fields=b"Host: 10.1.2.3:8081\r\n")

    assert response.status == 200
    if method == "GET" and path == "/readyz":
        assert response.json() == {
            "status": "ready",
            "components": {"configuration": "ok", "store": "ok", "traffic": "ok"},
        }


def test_without_a_token_on_loopback_only_pages_are_refused(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """The rule of the configuration; the key in it is changed there."""
    document = configuration(own_upstream.port, admin={"listen": "127.0.0.1:0"})
    port = start_gateway(document).admin_port

    assert ask(port, "GET", "/users", fields=HOST).json() == {"users": [], "next": None}
    assert ask(port, "GET", "/users", fields=b"Host: evil.test\r\n").status == 421
    assert ask(port, "POST", "/keys/rotate", fields=HOST).reason == "conflict"


def test_while_it_drains_it_says_so(start_gateway: StartGateway, own_upstream: Upstream) -> None:
    """The admin listener answers until the last public request has been answered."""
    gateway = start_gateway(configuration(own_upstream.port, admin={"listen": "127.0.0.1:0"}))
    begun, released = threading.Event(), threading.Event()
    own_upstream.play(tell(begun), wait_for(released), respond(OK))
    with Wire(gateway.port) as public, Wire(gateway.admin_port) as admin:
        public.send(request_bytes("GET", "/public", PUBLIC_HOST))
        assert begun.wait(10)
        gateway.terminate()
        answer = _wait_until_unready(admin)
        assert answer.json()["components"]["traffic"] == "draining"
        assert ask(gateway.admin_port, "GET", "/livez").status == 200
        released.set()
        assert public.read_response().status == 200
        assert admin.is_ended()


def test_a_delay_before_the_drain_lets_balancers_notice(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """``drain_delay``: unready at once, and serving one more request for each connection."""
    document = configuration(
        own_upstream.port, admin={"listen": "127.0.0.1:0"}, limits={"drain_delay": "1h"}
    )
    gateway = start_gateway(document)
    request = request_bytes("GET", "/public", PUBLIC_HOST)
    with Wire(gateway.port) as open_before, Wire(gateway.admin_port) as admin:
        open_before.send(request)
        assert not open_before.read_response().closes
        gateway.terminate()
        assert _wait_until_unready(admin).json()["components"]["traffic"] == "draining"
        with Wire(gateway.port) as new:
            for wire in (open_before, new):
                wire.send(request)
                response = wire.read_response()
                assert (response.status, response.closes) == (200, True)
        gateway.terminate()
        assert admin.is_ended()


def test_a_store_that_is_gone_makes_it_unready(
    start_gateway: StartGateway, own_upstream: Upstream, tmp_path: Path
) -> None:
    """THREATS OPS-20: 503, and it goes on; users cannot be read meanwhile."""
    gateway = start_gateway(configuration(own_upstream.port, admin={"listen": "127.0.0.1:0"}))
    database = tmp_path / "0" / "var" / "gateway.db"
    assert database.exists()
    for path in database.parent.glob("gateway.db*"):
        path.write_bytes(b"not a database at all " * 400)

    with Wire(gateway.admin_port) as wire:
        assert _wait_until_unready(wire).json()["components"]["store"] == "unreachable"
        wire.send(request_bytes("GET", "/users", HOST))
        assert wire.read_response().reason == "store_unavailable"


def _wait_until_unready(wire: Wire) -> Response:
    """Ask until the answer is another: nothing else tells when the signal has come."""
    for _ in range(100_000):
        wire.send(request_bytes("GET", "/readyz", HOST))
        response = wire.read_response()
        if response.status != 200:
            return response
    raise AssertionError("still ready")
