"""API keys and Basic on real sockets: THREATS.md A6 CACHE-04 to -12, A9 AUTH-14, A12 OPS-15, -21.

Two workers, one store; the admin API on one of them.
"""

import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from gateway.policy.checked import ApiKey, parse_api_key
from tests.kit.endpoints import PASSWORD, ask, request, store_url, users
from tests.kit.gateway import GatewayProcess, configuration, mint, run_command
from tests.kit.upstream import Upstream
from tests.kit.wire import Response, Wire

ADMIN_TOKEN: Final = "an-admin-token-0123456789-0123456789"
# Behind a trusted proxy each test has an address of its own, and so counters of its own.
PROXY: Final = {"trusted_proxies": ["127.0.0.0/8"]}


@dataclass(frozen=True)
class House:
    """A gateway of two workers, with its admin API."""

    gateway: GatewayProcess
    upstream: Upstream

    def admin(self, method: bytes, path: bytes, members: object = None) -> Response:
        """Ask the admin API; it must do what is asked."""
        with Wire(self.gateway.admin_port) as wire:
            asked = request(method, path, members, token=ADMIN_TOKEN)
            wire.send(asked.replace(b"gw.test", b"127.0.0.1:%d" % self.gateway.admin_port))
            answer = wire.read_response(method)
        assert answer.status < 300, answer.body
        return answer

    def add_user(self, name: str, **more: Any) -> str:
        """Keep a user in the store; return the id."""
        new = {"username": name, "password": PASSWORD, "roles": ["user"], **more}
        user_id: str = self.admin(b"POST", b"/users", new).json()["id"]
        return user_id

    def make_key(self, owner_id: str = "alice", **more: Any) -> str:
        """Make an API key."""
        made = self.admin(b"POST", b"/api-keys", {"user_id": owner_id, **more}).json()
        key: str = made["key"]
        return key

    def outcomes(self, field: bytes, path: bytes = b"/p/x", count: int = 16) -> set[object]:
        """Send a credential on connections enough for both workers; return what was answered."""
        answers = [ask(self.gateway, b"GET", path, fields=field) for _ in range(count)]
        return {answer.reason or answer.status for answer in answers}


@pytest.fixture(scope="module")
def running(shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """That gateway; ``/p``, ``/scoped`` and ``/optional`` take all kinds, ``/bearer`` tokens."""
    folder = tmp_path_factory.mktemp("api-keys")
    document = configuration(
        shared_upstream.port,
        workers=2,
        users=users("alice"),
        store=store_url(folder),
        admin={"listen": "127.0.0.1:0", "token": ADMIN_TOKEN},
        **PROXY,
    )
    document["credentials"] += [
        {"header": "X-Api-Key", "kind": "api_key"},
        {"header": "Authorization", "scheme": "Basic"},
    ]
    bearer = {"credentials": [{"header": "Authorization", "scheme": "Bearer"}]}
    scoped = {"require": {"scopes": ["a:read"]}}
    document["routes"] += [
        {"name": "bearer", "path": "/bearer/**", "upstream": "raw", **bearer},
        {"name": "scoped", "path": "/scoped/**", "upstream": "raw", **scoped},
    ]
    with GatewayProcess(document, folder) as process:
        process.wait_for_first_hash()
        yield House(process, shared_upstream)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    """That gateway, with an empty record of the service, quiet before and after."""
    running.upstream.settle()
    running.upstream.clear()
    yield running
    running.gateway.check_quiet()


def keyed(key: str) -> bytes:
    """Return the field that presents an API key."""
    return b"X-Api-Key: %b\r\n" % key.encode()


def basic(name: str, password: str = PASSWORD, address: int = 0) -> bytes:
    """Return the fields that present a name and a password, as from an address."""
    value = b64encode(f"{name}:{password}".encode())
    return b"Authorization: Basic %b\r\nX-Forwarded-For: 198.51.100.%d\r\n" % (value, address)


def test_a_key_carries_its_owners_claims_and_goes_no_further(house: House) -> None:
    """Section 5: the service is told who, and never sees the key."""
    key = house.make_key()
    assert house.outcomes(keyed(key)) == {200}

    for seen in house.upstream.requests:
        assert (seen.header(b"x-user"), seen.header(b"x-user-roles")) == ([b"alice"], [b"user"])
        assert b"gwk_" not in seen.head


def test_a_revoked_key_counts_nowhere_when_that_is_answered(house: House) -> None:
    """THREATS CACHE-05, -07: though both workers had looked it up a moment ago."""
    key, other = house.make_key(), house.make_key()
    assert house.outcomes(keyed(key)) == house.outcomes(keyed(other)) == {200}
    key_id = parse_api_key(key.encode()).id
    house.admin(b"DELETE", b"/api-keys/" + key_id.encode())

    assert house.outcomes(keyed(key)) == {"token_revoked"}
    assert house.outcomes(keyed(other)) == {200}


def test_an_owner_who_is_disabled_or_demoted_takes_the_keys_along(house: House) -> None:
    """THREATS CACHE-07: at once, on both workers; enabled again, they count again."""
    zoe = house.add_user("zoe", roles=["admin"])
    path = b"/users/" + zoe.encode()
    field = keyed(house.make_key(zoe))
    assert house.outcomes(field, b"/admin/x") == {200}
    house.admin(b"PATCH", path, {"roles": ["user"]})
    assert house.outcomes(field, b"/admin/x") == {"role_missing"}
    house.admin(b"PATCH", path, {"disabled": True})
    assert house.outcomes(field) == {"api_key_invalid"}
    house.admin(b"PATCH", path, {"disabled": False})
    assert house.outcomes(field) == {200}
    house.admin(b"DELETE", path)
    assert house.outcomes(field) == {"api_key_invalid"}


def test_a_key_has_of_its_owners_scopes_those_it_was_made_with(house: House) -> None:
    """And no more than the owner still has."""
    xan = house.add_user("xan", scopes=["a:read", "a:write"])
    reads, writes = (keyed(house.make_key(xan, scopes=[scope])) for scope in ("a:read", "a:write"))
    assert house.outcomes(reads, b"/scoped/x") == {200}
    assert house.outcomes(writes, b"/scoped/x") == {"scope_missing"}
    house.admin(b"PATCH", b"/users/" + xan.encode(), {"scopes": ["a:write"]})
    assert house.outcomes(reads, b"/scoped/x") == {"scope_missing"}


def test_a_key_ends_when_it_was_told_to(house: House) -> None:
    """THREATS CACHE-01: on both workers, though they have it looked up; and for good."""
    field = keyed(house.make_key(expires_in=2))
    deadline_s = time.monotonic() + 30
    while (outcomes := house.outcomes(field, count=4)) != {"token_expired"}:
        assert outcomes <= {200, "token_expired"}
        assert time.monotonic() < deadline_s


def test_a_changed_password_ends_what_was_remembered_of_the_old_one(house: House) -> None:
    """THREATS CACHE-07: on both workers, and the new one counts at once."""
    yan = house.add_user("yan")
    assert house.outcomes(basic("yan", address=1)) == {200}
    house.admin(b"PATCH", b"/users/" + yan.encode(), {"password": "another"})

    assert house.outcomes(basic("yan", address=2), count=4) == {"login_failed"}
    assert house.outcomes(basic("yan", "another", address=3)) == {200}


@pytest.mark.parametrize("path", [b"/p/x", b"/optional/x"])
@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        pytest.param(b"X-Api-Key: x\r\n", 401, "api_key_invalid", id="no-key"),
        pytest.param(
            keyed(ApiKey("0" * 32, "0" * 64).compose()), 401, "api_key_invalid", id="unknown-key"
        ),
        pytest.param(basic("nobody", address=4), 401, "login_failed", id="unknown-user"),
        pytest.param(b"Authorization: Basic bm9ib2R5\r\n", 400, "credential_malformed", id="colon"),
        pytest.param(b"Authorization: Basic \xff\r\n", 400, "credential_malformed", id="bytes"),
        pytest.param(b"Authorization: Basic\r\n", 400, "credential_malformed", id="alone"),
        pytest.param(
            b"X-Api-Key: x\r\nAuthorization: Bearer %b\r\n", 400, "several_credentials", id="two"
        ),
    ],
)
def test_a_bad_credential_never_falls_through(
    house: House, path: bytes, fields: bytes, status: int, reason: str
) -> None:
    """DESIGN.md section 2, THREATS AUTH-14: no other place and no anonymous request."""
    sent = fields.replace(b"%b", mint().encode())
    answer = ask(house.gateway, b"GET", path, fields=sent)
    assert (answer.status, answer.reason) == (status, reason)
    assert house.upstream.requests == []
    if status == 401:
        challenges = [value for name, value in answer.headers if name == b"www-authenticate"]
        assert challenges == [b'Bearer realm="gateway"', b'Basic realm="gateway", charset="UTF-8"']


def test_a_route_that_takes_tokens_only_passes_over_the_others(house: House) -> None:
    """They are none of its credentials: missing, and no password is asked for."""
    answer = ask(house.gateway, b"GET", b"/bearer/x", fields=basic("alice", address=5))
    assert answer.reason == "credential_missing"
    assert [v for n, v in answer.headers if n == b"www-authenticate"] == [b'Bearer realm="gateway"']


def test_guesses_are_throttled(house: House) -> None:
    """THREATS AUTH-03: with ``Retry-After``; a true user elsewhere gets in meanwhile."""
    answers = [
        ask(house.gateway, b"GET", b"/p/x", fields=basic("alice", f"guess{n}", 6)) for n in range(7)
    ]
    assert [answer.status for answer in answers[:5]] == [401] * 5
    assert answers[-1].reason == "login_throttled"
    assert int(dict(answers[-1].headers)[b"retry-after"]) >= 1
    assert house.outcomes(basic("alice", address=7), count=2) == {200}


def test_own_endpoints_know_who_asks_and_sessions_are_for_tokens(house: House) -> None:
    """``/whoami`` says whose the key is; there is no session to end with it."""
    field = keyed(house.make_key(scopes=[]))
    answer = ask(house.gateway, b"GET", b"/whoami", fields=field)
    assert (answer.status, answer.json()["sub"]) == (200, "alice")
    for method, path in ((b"POST", b"/logout"), (b"GET", b"/sessions")):
        assert ask(house.gateway, method, path, fields=field).reason == "token_type"


@pytest.mark.parametrize("framing", ["length", "chunked", "continue"])
def test_a_body_waits_for_the_look_up_and_arrives_whole(house: House, framing: str) -> None:
    """Whether it comes with its head or later; nothing reaches the service before the decision."""
    body = b"0123456789abcdef" * 20_000
    field = keyed(house.make_key())  # a new one, so that it must be looked up
    if framing == "chunked":
        head, sent = b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        head, sent = b"Content-Length: %d\r\n" % len(body), body
    if framing == "continue":
        head += b"Expect: 100-continue\r\n"
    with Wire(house.gateway.port) as wire:
        wire.send(b"POST /p/x HTTP/1.1\r\nHost: gw.test\r\n%b%b\r\n" % (field, head))
        if framing == "continue":
            assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        wire.send(sent)
        assert wire.read_response(b"POST").status == 200
        wire.send(request(b"GET", b"/p/y", fields=field))
        assert wire.read_response().status == 200
    assert [len(seen.body) for seen in house.upstream.requests] == [len(body), 0]


def test_a_refused_body_is_not_waited_for(house: House) -> None:
    """It is refused on its head, as soon as that was looked up; the connection closes."""
    unknown = keyed(ApiKey("1" * 32, "1" * 64).compose())
    with Wire(house.gateway.port) as wire:
        wire.send(b"POST /p HTTP/1.1\r\nHost: a\r\n%bContent-Length: 99999\r\n\r\nx" % unknown)
        answer = wire.read_response(b"POST")
    assert (answer.status, answer.reason) == (401, "api_key_invalid")
    assert (b"connection", b"close") in answer.headers
    assert house.upstream.requests == []


def test_pipelined_requests_are_answered_in_order(house: House) -> None:
    """Each is looked up by itself; what is behind one that waits waits too."""
    field, mixed = keyed(house.make_key()), basic("alice", address=8)
    with Wire(house.gateway.port) as wire:
        sent = (field, mixed, keyed("x"), field)
        wire.send(b"".join(request(b"GET", b"/p/x", fields=each) for each in sent))
        assert [wire.read_response().status for _ in sent] == [200, 200, 401, 200]


def test_who_goes_away_stops_nobody(house: House) -> None:
    """One look-up for all who present the same; the first of them leaves."""
    field = basic("alice", address=9)
    sent = request(b"GET", b"/p/x", fields=field)
    wires = [Wire(house.gateway.port) for _ in range(8)]
    for wire in wires:
        wire.send(sent)
    for wire in wires[:4]:
        wire.close()
    assert [wire.read_response().status for wire in wires[4:]] == [200] * 4
    for wire in wires[4:]:
        wire.close()


def test_a_client_that_has_sent_all_hears_the_answer(house: House) -> None:
    """It has closed its side; the look-up takes its time all the same."""
    with socket.create_connection(("127.0.0.1", house.gateway.port)) as client:
        client.sendall(request(b"GET", b"/p/x", fields=keyed(house.make_key())))
        client.shutdown(socket.SHUT_WR)
        client.settimeout(30)
        assert client.recv(12) == b"HTTP/1.1 200"


def test_keys_are_revoked_while_they_are_used(house: House) -> None:
    """THREATS CACHE-06: whatever was under way, after the answer no request is let in."""
    for _ in range(5):
        key = house.make_key()
        field = keyed(key)
        stop = threading.Event()

        def use(field: bytes = field, stop: threading.Event = stop) -> None:
            with Wire(house.gateway.port) as wire:
                while not stop.is_set():
                    wire.send(request(b"GET", b"/p/x", fields=field))
                    wire.read_response()

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        house.admin(b"DELETE", b"/api-keys/" + parse_api_key(key.encode()).id.encode())
        outcomes = house.outcomes(field, count=8)
        stop.set()
        for thread in threads:
            thread.join()
        assert outcomes == {"token_revoked"}


def test_a_command_revokes_a_key_of_a_running_gateway(house: House) -> None:
    """Made and revoked on the command line; heard of within a second, in the end."""
    path = str(house.gateway.folder / "routes.yaml")
    made = run_command("api-keys", "create", "--owner", "alice", "--json", "--config", path)
    key = json.loads(made.stdout)
    field = keyed(key["key"])
    assert house.outcomes(field) == {200}
    assert run_command("api-keys", "revoke", key["id"], "--config", path).returncode == 0

    for _ in range(1000):
        if house.outcomes(field, count=8) == {"token_revoked"}:
            break
    else:
        pytest.fail("the revocation was not heard of")


def test_neither_key_nor_password_is_told(house: House) -> None:
    """THREATS OPS-15: not on standard error; of keys not in the store either."""
    key = parse_api_key(house.make_key().encode())
    house.outcomes(keyed(key.compose()), count=2)
    house.outcomes(basic("alice", address=10), count=2)
    said = "\n".join(house.gateway.lines)
    files = (each for each in (house.gateway.folder / "var").rglob("*") if each.is_file())
    store = b"".join(each.read_bytes() for each in files)

    for secret in (key.secret, PASSWORD, b64encode(f"alice:{PASSWORD}".encode()).decode()):
        assert secret not in said
        assert secret.encode() not in store
