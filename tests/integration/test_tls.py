"""The public listener with TLS, as clients and operators meet it."""

import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartGateway
from tests.kit.certificates import make_certificate, trusting
from tests.kit.gateway import GatewayProcess, configuration, run_command, write_configuration
from tests.kit.script import OK, flood, respond, send, swallow
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire

GOOD = make_certificate()
HOST = b"Host: gw.test\r\n"
GET = b"GET /public HTTP/1.1\r\n" + HOST + b"\r\n"
CLOSING = b"GET /public HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
PIECE = b"a" * 65536
PIECES = 1600  # 100 MiB
MARGIN_BYTES = 30 * 2**20


class TlsWire(Wire):
    """One connection that speaks TLS."""

    def __init__(self, port: int, client: ssl.SSLContext, **options: Any) -> None:
        super().__init__(port, **options)
        try:
            self.tls = client.wrap_socket(self.sock, server_hostname="127.0.0.1")
        except BaseException:
            self.sock.close()
            raise
        self.sock = self.tls


@pytest.fixture
def tls_gateway(
    start_gateway: StartGateway, own_upstream: Upstream, tmp_path: Path
) -> GatewayProcess:
    """A gateway with a certificate in ``tmp_path``."""
    tls = GOOD.write(tmp_path)
    document = configuration(own_upstream.port, tls=tls)
    for route in document["routes"]:
        route["max_body"] = "1GiB"
    return start_gateway(document)


@pytest.mark.parametrize("workers", [1, 2])
def test_requests_are_answered_over_tls(
    start_gateway: StartGateway, own_upstream: Upstream, tmp_path: Path, workers: int
) -> None:
    """ALPN is http/1.1, the service is told https, and the connection is used again."""
    tls = GOOD.write(tmp_path)
    gateway = start_gateway(configuration(own_upstream.port, tls=tls, workers=workers))
    client = trusting(GOOD)
    client.set_alpn_protocols(["h2", "http/1.1"])
    with TlsWire(gateway.port, client) as wire:
        for _ in range(2):
            wire.send(GET)
            assert wire.read_response().status == 200
        assert wire.tls.selected_alpn_protocol() == "http/1.1"
        wire.send(CLOSING)
        assert wire.read_response().status == 200
        assert wire.read_some() == b""
    assert any(line.startswith("gateway: listening on https://") for line in gateway.lines)
    for request in own_upstream.requests:
        assert request.header(b"x-forwarded-proto") == [b"https"]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(tls_gateway: GatewayProcess) -> None:
    """RFC 8996: 1.0 and 1.1 are not to be used."""
    client = trusting(GOOD)
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = ssl.TLSVersion.TLSv1
    client.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises(ssl.SSLError):
        TlsWire(tls_gateway.port, client)


def test_plain_http_to_the_tls_port_ends_cleanly(tls_gateway: GatewayProcess) -> None:
    """It is closed, nothing is said in the log as a crash, and others are served."""
    with Wire(tls_gateway.port) as wire:
        wire.send(GET)
        assert b"HTTP" not in wire.read_to_end()
    with TlsWire(tls_gateway.port, trusting(GOOD)) as wire:
        wire.send(GET)
        assert wire.read_response().status == 200
    tls_gateway.check_quiet()


@pytest.mark.parametrize("body", [b"", b"x" * 200_000])
def test_a_refusal_arrives_whole_and_the_connection_ends(
    tls_gateway: GatewayProcess, body: bytes
) -> None:
    """Also while the client still sends; what ends it is TLS's own goodbye."""
    head = b"POST /p HTTP/1.1\r\n" + HOST + b"Connection: close\r\nContent-Length: %d\r\n\r\n"
    with TlsWire(tls_gateway.port, trusting(GOOD)) as wire:
        wire.send(head % len(body) + body)
        assert wire.read_response(b"POST").status == 401
        assert wire.read_some() == b""


def test_a_client_that_closes_its_side_ends_the_connection(tls_gateway: GatewayProcess) -> None:
    """No half-closed connections over TLS; the gateway lives on and logs nothing."""
    with TlsWire(tls_gateway.port, trusting(GOOD)) as wire:
        wire.send(GET)
        assert wire.read_response().status == 200
        wire.tls.unwrap()
    with TlsWire(tls_gateway.port, trusting(GOOD)) as wire:
        wire.send(GET)
        wire.sock.shutdown(socket.SHUT_WR)
        wire.read_to_end()
    assert not any("eof_received" in line for line in tls_gateway.lines)


def test_a_new_certificate_is_shown_to_new_connections(
    tls_gateway: GatewayProcess, tmp_path: Path
) -> None:
    """Without a restart; connections that are open stay."""
    second = make_certificate()
    with TlsWire(tls_gateway.port, trusting(GOOD)) as old:
        second.write(tmp_path)
        tls_gateway.wait_for_line("a new certificate is in use")
        with TlsWire(tls_gateway.port, trusting(second)) as wire:
            wire.send(GET)
            assert wire.read_response().status == 200
        old.send(GET)
        assert old.read_response().status == 200


def test_a_key_of_another_certificate_is_refused_at_start(tmp_path: Path) -> None:
    """Exit 2, as for whatever is wrong with the configuration; ``check`` says the same."""
    tls = GOOD.write(tmp_path)
    Path(tls["key"]).write_bytes(make_certificate().key)
    path = str(write_configuration(tmp_path, configuration(1, tls=tls)))

    for command in ("run", "check"):
        ended = run_command(command, "--config", path)
        assert ended.returncode == 2
        assert "tls.key: the key is not that of the certificate" in ended.stdout + ended.stderr


def _warm(wire: TlsWire) -> None:
    """Have loaded what a first request loads, and hashed the dummy password: 64 MiB."""
    body = b'{"username": "nobody", "password": "x"}'
    wire.send(b"POST /authenticate HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n")
    wire.send(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert wire.read_response(b"POST").status == 401
    wire.send(GET)
    assert wire.read_response().status == 200


def test_a_slow_download_over_tls_is_held_back(
    tls_gateway: GatewayProcess, own_upstream: Upstream
) -> None:
    """100 MiB to a client that reads late leave memory within 30 MiB, and all of it arrives."""
    size = PIECES * len(PIECE)
    with TlsWire(tls_gateway.port, trusting(GOOD), receive_buffer_bytes=65536) as wire:
        _warm(wire)
        start_bytes = tls_gateway.memory_bytes()
        own_upstream.play(
            respond(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size), flood(PIECE, PIECES)
        )
        wire.send(CLOSING)
        wire.read_until(b"\r\n\r\n")
        time.sleep(0.5)  # the client does nothing
        growth, received = 0, 0
        while piece := wire.read_some():
            received += len(piece)
            growth = max(growth, tls_gateway.memory_bytes() - start_bytes)
    assert (received, growth < MARGIN_BYTES) == (size, True)


def test_an_upload_over_tls_is_held_back(
    tls_gateway: GatewayProcess, own_upstream: Upstream
) -> None:
    """100 MiB to the service leave memory within 30 MiB."""
    size = PIECES * len(PIECE)
    with TlsWire(tls_gateway.port, trusting(GOOD)) as wire:
        _warm(wire)
        start_bytes = tls_gateway.memory_bytes()
        own_upstream.play(swallow(size), send(OK))
        wire.send(b"POST /public HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % size)
        growth = 0
        for _ in range(PIECES):
            assert wire.send(PIECE)
            growth = max(growth, tls_gateway.memory_bytes() - start_bytes)
        assert wire.read_response(b"POST").status == 200
    assert growth < MARGIN_BYTES
