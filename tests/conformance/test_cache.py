"""THREATS.md A8 on real sockets: what is remembered of a token changes nothing but time."""

import time
from typing import Final

import pytest

from tests.conftest import StartGateway
from tests.kit.endpoints import ask, is_let_in, log_in, request, users
from tests.kit.gateway import GatewayProcess, configuration, mint
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire

GARBAGE: Final = 20_000
GROWTH_BYTES: Final = 24 * 2**20  # the allocator's own doings included


def test_a_token_that_is_remembered_expires(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """CACHE-01: in the very second of its exp, though the second before it was good."""
    document = configuration(own_upstream.port)
    document["tokens"]["leeway"] = "0s"
    gateway = start_gateway(document)
    token = mint(expires_in_s=3)
    ends_s = int(time.time()) + 3
    while (answer := is_let_in(gateway, token)).status == 200:
        assert time.time() < ends_s + 2

    assert answer.reason == "token_expired"
    assert own_upstream.requests  # it had been good


def test_each_route_asks_again_what_it_requires(gateway: GatewayProcess) -> None:
    """CACHE-02: a token that is remembered from one route has no role more on another."""
    token = mint()
    statuses = [ask(gateway, b"GET", path, token=token).status for path in (b"/p/x", b"/admin/x")]

    assert statuses * 2 == [200, 403] * 2
    assert is_let_in(gateway, token).status == 200


def test_what_is_remembered_is_the_exact_bytes(gateway: GatewayProcess) -> None:
    """CACHE-04: a byte more, less or other is another token, however long the common part is."""
    token = mint(extra="x" * 3000)
    assert is_let_in(gateway, token).status == 200
    last = "A" if token[-1] != "A" else "B"
    middle = len(token) // 2
    other = "A" if token[middle] != "A" else "B"
    for changed in (
        token[:-1] + last,
        token[:-1],
        token + "A",
        token + "=",
        token[:middle] + other + token[middle + 1 :],
        token.replace(".", "..", 1),
    ):
        assert is_let_in(gateway, changed).status in (400, 401), changed[-8:]
    assert is_let_in(gateway, token).status == 200


def test_garbage_is_not_remembered(gateway: GatewayProcess, wire: Wire) -> None:
    """CACHE-08, DOS-15: tokens that do not verify leave nothing, however many come."""
    padding = "x" * 1500

    def send(first: int, count: int) -> None:
        for begin in range(first, first + count, 100):
            tokens = (f"{mint_like}.{number:08}{padding}" for number in range(begin, begin + 100))
            wire.send(b"".join(request(b"GET", b"/p/x", token=token) for token in tokens))
            for _ in range(100):
                assert wire.read_response().status == 401

    mint_like = mint().rpartition(".")[0]
    send(0, 2000)
    before = gateway.memory_bytes()
    send(2000, GARBAGE)

    assert gateway.memory_bytes() - before < GROWTH_BYTES


ASKED: Final = [
    (b"POST", b"/authenticate", {"username": "alice", "password": "wrong"}, False, 401),
    (b"POST", b"/authenticate", b"{", False, 400),
    (b"GET", b"/authenticate", None, False, 405),
    (b"POST", b"/refresh", {"refresh_token": "x"}, False, 401),
    (b"GET", b"/whoami", None, True, 200),
    (b"GET", b"/whoami", None, False, 401),
    (b"GET", b"/sessions", None, True, 200),
    (b"DELETE", b"/sessions/none", None, True, 404),
    (b"GET", b"/.well-known/jwks.json", None, False, 200),
    (b"GET", b"/.well-known/oauth-authorization-server", None, False, 200),
    (b"POST", b"/introspect", {"token": "x"}, False, 401),
    (b"GET", b"/p/x", None, False, 401),
    (b"GET", b"/nowhere", None, False, 404),
    (b"POST", b"/logout", b"", True, 204),
]


def test_no_answer_of_ours_is_to_be_stored(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """CACHE-11, RFC 9111 sections 3 and 5.2.2.5: ``no-store`` on each, whatever it says.

    There is no ``Vary``: it chooses between stored answers, and none of these is stored.
    """
    gateway = start_gateway(configuration(own_upstream.port, users=users("alice")))
    token = log_in(gateway)["token"]
    for method, path, body, signed, status in ASKED:
        answer = ask(gateway, method, path, body, token=token if signed else "")
        assert answer.status == status, path
        assert answer.header(b"cache-control") == [b"no-store"], path
        assert answer.header(b"vary") == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_revocation_outlives_the_gateway(
    start_gateway: StartGateway, own_upstream: Upstream, workers: int
) -> None:
    """CACHE-07, DESIGN.md guarantee 5: what was revoked before a start is revoked after it."""
    document = configuration(own_upstream.port, users=users("alice"), workers=workers)
    first = start_gateway(document)
    document["store"] = f"sqlite:///{first.folder}/var/gateway.db"
    ended, kept = log_in(first), log_in(first)
    assert ask(first, b"POST", b"/logout", token=ended["token"]).status == 204
    second = start_gateway(document)  # beside the first, as another host is

    assert is_let_in(second, ended["token"]).reason == "token_revoked"
    assert is_let_in(second, kept["token"]).status == 200
