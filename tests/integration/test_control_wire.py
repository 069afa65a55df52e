"""The gateway's own endpoints on the wire, on one connection with forwarded requests."""

from typing import Final

import argon2
import pytest

from tests.conftest import StartGateway
from tests.kit.gateway import configuration
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire

HOST: Final = b"Host: gw.test\r\n"
GET: Final = b"GET /public HTTP/1.1\r\n" + HOST + b"\r\n"
LOGIN: Final = b'{"username":"alice","password":"wrong"}'
AUTHENTICATE: Final = (
    b"POST /authenticate HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
)

SEND: Final = [
    pytest.param(b"Content-Length: %d\r\n\r\n" % len(LOGIN) + LOGIN, [], id="length"),
    pytest.param(
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(LOGIN), LOGIN),
        [],
        id="chunked",
    ),
    pytest.param(
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(LOGIN) + LOGIN,
        [100],
        id="expect",
    ),
]


@pytest.mark.parametrize(("framed", "interim"), SEND)
def test_a_login_stands_between_forwarded_requests(
    start_gateway: StartGateway, own_upstream: Upstream, framed: bytes, interim: list[int]
) -> None:
    """Pipelined, however its body is framed: answers in order, and the service hears nothing."""
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    user = {"username": "alice", "password_hash": weak.hash("right")}
    gateway = start_gateway(configuration(own_upstream.port, users=[user]))
    with Wire(gateway.port) as wire:
        wire.send(GET + AUTHENTICATE + framed + GET)
        first, login, last = (wire.read_response() for _ in range(3))

    assert (first.status, login.status, last.status) == (200, 401, 200)
    assert (login.reason, login.interim) == ("login_failed", interim)
    assert [request.method for request in own_upstream.requests] == [b"GET", b"GET"]


TOO_LARGE: Final = [
    pytest.param(b"Content-Length: 65537\r\n\r\n", id="length"),
    pytest.param(b"Content-Length: 65537\r\nExpect: 100-continue\r\n\r\n", id="expect"),
    pytest.param(b"Transfer-Encoding: chunked\r\n\r\n10001\r\n", id="chunk"),
    pytest.param(
        b"Transfer-Encoding: chunked\r\n\r\n" + b"8000\r\n%b\r\n" % (b" " * 0x8000) * 2 + b"1\r\n",
        id="chunks",
    ),
]


@pytest.mark.parametrize("framed", TOO_LARGE)
def test_a_login_is_bounded(wire: Wire, framed: bytes) -> None:
    """DESIGN.md section 3: 64 KiB; refused when it is announced, and never asked for."""
    wire.send(AUTHENTICATE + framed)

    response = wire.read_response(b"POST")
    assert (response.status, response.reason, response.interim) == (413, "body_too_large", [])
    assert wire.is_ended()


def test_an_http10_login_ends_its_connection(wire: Wire) -> None:
    """Unless it is asked to stay; HEAD has no body there either."""
    request = AUTHENTICATE.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Content-Length: 2\r\n"
    wire.send(request + b"Connection: keep-alive\r\n\r\n{}")
    assert wire.read_response(b"POST").header(b"connection") == [b"keep-alive"]
    wire.send(b"HEAD /authenticate HTTP/1.1\r\n" + HOST + b"\r\n")
    assert wire.read_response(b"HEAD").status == 405
    wire.send(request + b"\r\n{}")

    assert wire.read_response(b"POST").status == 400
    assert wire.is_ended()
