"""Where a gateway can listen besides a port of IPv4."""

import socket
import stat
from pathlib import Path

import pytest

from tests.conftest import StartGateway
from tests.kit.certificates import make_certificate
from tests.kit.gateway import configuration, run_command, write_configuration
from tests.kit.upstream import Upstream

BODY = b'{"username": "nobody", "password": "x"}'
HEAD = b"Host: gw.test\r\nConnection: close\r\n"
GET = b"GET /public HTTP/1.1\r\n" + HEAD + b"\r\n"
LOGIN = (
    b"POST /authenticate HTTP/1.1\r\n%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    % (HEAD, len(BODY))
    + BODY
)


def _ask(family: socket.AddressFamily, address: object, request: bytes) -> bytes:
    with socket.socket(family) as client:
        client.settimeout(30)
        client.connect(address)  # type: ignore[arg-type]  # of that family
        client.sendall(request)  # and no FIN: half a client is given up after a second
        return b"".join(iter(lambda: client.recv(65536), b""))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_unix_socket_serves_beside_tls(
    start_gateway: StartGateway, own_upstream: Upstream, tmp_path: Path, workers: int
) -> None:
    """It speaks plain HTTP, its clients have no address, and its file goes with the gateway."""
    path = tmp_path / "gateway.sock"
    document = configuration(
        own_upstream.port,
        listen=["127.0.0.1:0", f"unix:{path}"],
        tls=make_certificate().write(tmp_path),
        trusted_proxies=["10.0.0.0/8"],
        workers=workers,
    )
    gateway = start_gateway(document)
    gateway.wait_for_line(f"gateway: listening on unix:{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o660

    forged = GET.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n")
    assert _ask(socket.AF_UNIX, str(path), forged).startswith(b"HTTP/1.1 200 ")
    assert _ask(socket.AF_UNIX, str(path), LOGIN).startswith(b"HTTP/1.1 401 ")
    request = own_upstream.requests[0]
    assert request.header(b"x-forwarded-for") == [b"unknown"]
    assert request.header(b"x-forwarded-proto") == [b"http"]

    gateway.terminate()
    gateway.await_end()
    assert not path.exists()


def test_a_unix_socket_in_use_is_an_error(tmp_path: Path) -> None:
    """Exit 2, and the file of whoever listens there stays."""
    path = tmp_path / "s"
    document = configuration(
        1,
        listen=f"unix:{path}",
        store=f"sqlite:///{tmp_path}/gateway.db",
        runtime_dir=str(tmp_path / "run"),
    )
    file = write_configuration(tmp_path, document)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        ended = run_command("run", "--config", str(file))
    assert (ended.returncode, path.is_socket()) == (2, True)
    assert f"listen: cannot listen on unix:{path}: Address already in use" in ended.stderr


def test_ipv6_is_served(start_gateway: StartGateway, own_upstream: Upstream) -> None:
    """On one address; the service is told the client's as it is."""
    gateway = start_gateway(configuration(own_upstream.port, listen="[::1]:0"))

    assert _ask(socket.AF_INET6, ("::1", gateway.port), GET).startswith(b"HTTP/1.1 200 ")
    assert own_upstream.requests[0].header(b"x-forwarded-for") == [b"::1"]
    with pytest.raises(ConnectionRefusedError):
        _ask(socket.AF_INET, ("127.0.0.1", gateway.port), GET)
