"""Tokens of others on a running gateway (THREATS.md A7: JWKS-01, -02, -04, -07, -10; JWT-19)."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conftest import StartGateway
from tests.kit.foreign import FOREIGN, foreign_issuer, foreign_token
from tests.kit.gateway import GatewayProcess, configuration, mint
from tests.kit.key_server import JWKS, KeyServer, key_set, say
from tests.kit.tokens import signing_key
from tests.kit.upstream import Upstream
from tests.kit.wire import Response, Wire

OLD: Final = signing_key("RS256", kid="old")
NEW: Final = signing_key("ES256", kid="new")
DEADLINE_S: Final = 30.0
OPENID: Final = "/.well-known/openid-configuration"


@pytest.fixture
def server() -> Iterator[KeyServer]:
    """The other issuer's server, with its first key."""
    with KeyServer() as running:
        running.answers[JWKS] = say(key_set(OLD))
        yield running


def _document(upstream: Upstream, *issuers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return configuration(
        upstream.port, issuers=list(issuers), admin={"listen": "127.0.0.1:0"}, **changes
    )


def _ask(port: int, path: str, token: str = "") -> Response:
    line = f"Authorization: Bearer {token}\r\n" if token else ""
    with Wire(port) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{line}\r\n".encode("ascii"))
        return wire.read_response()


@pytest.fixture
def start_ready(start_gateway: StartGateway) -> StartGateway:
    """Start gateways of the test's own, and wait until each has the keys of all issuers."""

    def start(document: dict[str, Any], *, is_measured: bool = False) -> GatewayProcess:
        gateway = start_gateway(document, is_measured=is_measured)
        until_s = time.monotonic() + DEADLINE_S
        while _ask(gateway.admin_port, "/readyz").status != 200:
            assert time.monotonic() < until_s
        return gateway

    return start


def _status(gateway: GatewayProcess, token: str = "", path: str = "/p") -> tuple[int, str]:
    response = _ask(gateway.port, path, token)
    return response.status, response.reason


def _wait_for(gateway: GatewayProcess, token: str, expected: tuple[int, str]) -> None:
    """Ask until the answer is *expected*: it comes when the gateway has heard of something."""
    until_s = time.monotonic() + DEADLINE_S
    while (found := _status(gateway, token)) != expected:
        assert time.monotonic() < until_s, found


def test_a_token_of_another_issuer_counts(
    start_ready: StartGateway, own_upstream: Upstream, server: KeyServer
) -> None:
    """From the first request on; own tokens do beside it, and neither is taken for the other."""
    gateway = start_ready(_document(own_upstream, foreign_issuer(jwks_url=server.url())))

    assert _status(gateway, foreign_token(OLD)) == (200, "")
    assert own_upstream.requests[-1].header(b"x-user") == [b"alice"]
    assert _status(gateway, mint()) == (200, "")
    for claims, reason in (
        ({"iss": FOREIGN[:-1]}, "token_issuer"),
        ({"iss": FOREIGN + "x"}, "token_issuer"),
        ({"iss": [FOREIGN]}, "token_issuer"),
        ({"iss": "http://gateway.test"}, "token_algorithm"),
        ({"aud": "gateway"}, "token_audience"),
        ({"exp": int(time.time()) - 60}, "token_expired"),
    ):
        assert _status(gateway, foreign_token(OLD, **claims)) == (401, reason)
    assert _ask(gateway.admin_port, "/readyz").json()["components"]["issuers"] == "ok"


def test_another_issuers_alice_opens_no_session_here(
    start_ready: StartGateway, own_upstream: Upstream, server: KeyServer
) -> None:
    """Her name is that of one of our users; only her claims are told."""
    gateway = start_ready(_document(own_upstream, foreign_issuer(jwks_url=server.url())))
    token = foreign_token(OLD, sid="s-1")

    assert _ask(gateway.port, "/whoami", token).json()["iss"] == FOREIGN
    assert _status(gateway, token, "/sessions") == (401, "token_issuer")


def test_a_new_key_is_fetched_when_a_token_names_it(
    start_ready: StartGateway, own_upstream: Upstream, server: KeyServer
) -> None:
    """JWKS-04: the token that names it is refused, the next one counts; the old key is gone."""
    gateway = start_ready(_document(own_upstream, foreign_issuer(jwks_url=server.url())))
    remembered, asked_count = foreign_token(OLD), len(server.asked)
    assert _status(gateway, remembered) == (200, "")
    server.answers[JWKS] = say(key_set(NEW))

    assert _status(gateway, foreign_token(NEW)) == (401, "token_key_unknown")
    _wait_for(gateway, foreign_token(NEW), (200, ""))
    assert _status(gateway, remembered) == (401, "token_key_unknown")
    assert len(server.asked) == asked_count + 1
    assert _status(gateway, mint()) == (200, "")


def test_random_key_ids_cause_one_fetch(
    start_ready: StartGateway, own_upstream: Upstream, server: KeyServer
) -> None:
    """JWKS-01: each is refused at once, and the issuer's server hears of one."""
    gateway = start_ready(_document(own_upstream, foreign_issuer(jwks_url=server.url())))
    asked_count = len(server.asked)
    for number in range(200):
        token = foreign_token(OLD, kid=f"random-{number}")
        assert _status(gateway, token) == (401, "token_key_unknown")
    server.wait_for(asked_count + 1)

    assert _status(gateway, foreign_token(OLD)) == (200, "")
    assert len(server.asked) == asked_count + 1


def test_what_the_server_says_wrong_takes_no_key_away(
    start_ready: StartGateway, own_upstream: Upstream, server: KeyServer
) -> None:
    """JWKS-02, JWKS-06: an alarm in the log, and the token counts as before."""
    gateway = start_ready(_document(own_upstream, foreign_issuer(jwks_url=server.url())))
    server.answers[JWKS] = say(b'{"keys": []}')
    assert _status(gateway, foreign_token(NEW)) == (401, "token_key_unknown")
    gateway.wait_for_line("cannot be read, known ones stand: it is empty")

    assert _status(gateway, foreign_token(OLD)) == (200, "")
    assert _ask(gateway.admin_port, "/readyz").status == 200


def test_a_start_without_the_keys(
    start_gateway: StartGateway, own_upstream: Upstream, server: KeyServer
) -> None:
    """JWKS-07: its tokens are 503 and the gateway is not ready; all else is served."""
    server.answers[JWKS] = say(b"", 500)
    gateway = start_gateway(_document(own_upstream, foreign_issuer(jwks_url=server.url())))

    assert _status(gateway, foreign_token(OLD)) == (503, "keys_unavailable")
    assert _status(gateway, foreign_token(OLD), "/whoami") == (503, "keys_unavailable")
    assert _status(gateway, foreign_token(OLD), "/optional") == (503, "keys_unavailable")
    assert _status(gateway, path="/public") == (200, "")
    assert _status(gateway, mint()) == (200, "")
    assert _ask(gateway.port, "/p", foreign_token(OLD)).header(b"retry-after") == [b"1"]
    ready = _ask(gateway.admin_port, "/readyz")
    assert (ready.status, ready.json()["components"]["issuers"]) == (503, "keys unavailable")
    assert {request.target for request in own_upstream.requests} == {b"/public", b"/p"}

    server.answers[JWKS] = say(key_set(OLD))
    _wait_for(gateway, foreign_token(OLD), (200, ""))
    assert _ask(gateway.admin_port, "/readyz").status == 200


def test_a_hundred_requests_before_the_keys_are_here_cause_one_fetch(
    start_gateway: StartGateway, own_upstream: Upstream, server: KeyServer
) -> None:
    """JWKS-10: none waits, none of them fetches, and a client that goes away ends nothing."""
    gate = threading.Event()
    good = say(key_set(OLD))

    def slow(request: Any) -> None:
        gate.wait(DEADLINE_S)
        good(request)

    server.answers[JWKS] = slow
    gateway = start_gateway(_document(own_upstream, foreign_issuer(jwks_url=server.url())))
    token = foreign_token(OLD)
    asked_count, begun_s = len(server.asked), time.monotonic()
    with Wire(gateway.port) as leaver:
        leaver.send(f"GET /p HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}".encode("ascii"))
    with ThreadPoolExecutor(10) as threads:
        found = set(threads.map(lambda _: _status(gateway, token), range(100)))
    # A fetch is given up after 2 s and tried again a second later, whoever asks for what.
    assert len(server.asked) - asked_count <= 1 + (time.monotonic() - begun_s) / 2
    assert found == {(503, "keys_unavailable")}
    gate.set()
    _wait_for(gateway, token, (200, ""))


def test_keys_are_found_through_discovery(
    start_ready: StartGateway, own_upstream: Upstream, server: KeyServer
) -> None:
    """The issuer's metadata say where they are."""
    metadata = {"issuer": server.origin, "jwks_uri": server.url()}
    server.answers[OPENID] = say(json.dumps(metadata).encode())
    issuer = foreign_issuer(server.origin, discovery=True)
    gateway = start_ready(_document(own_upstream, issuer))

    assert _status(gateway, foreign_token(OLD, iss=server.origin)) == (200, "")
    assert server.asked[-2:] == [OPENID, JWKS]


def test_keys_come_from_a_file(
    start_ready: StartGateway, own_upstream: Upstream, tmp_path: Path
) -> None:
    """Each worker reads it; a change counts after a token has named the new key, or 5 s."""
    file = tmp_path / "jwks.json"
    file.write_bytes(key_set(OLD))
    issuer = foreign_issuer(jwks_file=str(file))
    gateway = start_ready(_document(own_upstream, issuer, workers=2))
    assert _status(gateway, foreign_token(OLD)) == (200, "")
    file.write_bytes(key_set(NEW))

    _wait_for(gateway, foreign_token(NEW), (200, ""))
