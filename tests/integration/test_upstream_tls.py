"""Services behind TLS and Unix sockets, as clients and operators meet them."""

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.kit.certificates import DAY, Certificate, make_ca, make_certificate, serving_with
from tests.kit.gateway import GatewayProcess, configuration, run_command, write_configuration
from tests.kit.script import OK, close, respond, send, swallow
from tests.kit.upstream import Upstream
from tests.kit.wire import Response, Wire, WireError

CA = make_ca()
CLIENTS = make_ca()
OTHER = make_ca()
PIECE = b"a" * 65536


@dataclass
class Services:
    """Every service, the gateway before them, and where the files are."""

    folder: Path
    services: dict[str, Upstream] = field(default_factory=dict)
    upstreams: dict[str, dict[str, Any]] = field(default_factory=dict)
    gateway: GatewayProcess = field(init=False)

    def add(
        self,
        name: str,
        certificate: Certificate,
        *,
        clients: Certificate | None = None,
        **settings: Any,
    ) -> None:
        """Start a service that shows *certificate*, and have a route of its name lead to it."""
        tls = serving_with(self.folder / name, certificate, clients=clients)
        service = self.services[name] = Upstream(tls=tls)
        settings = {"tls": {"ca": str(self.folder / "ca.pem")}} | settings
        self.upstreams[name] = {"endpoints": [f"https://127.0.0.1:{service.port}"]} | settings

    def document(self) -> dict[str, Any]:
        """Return the configuration."""
        routes = [
            {"name": name, "path": f"/{name}/**", "upstream": name, "auth": "none"}
            for name in self.upstreams
        ]
        document = configuration(1)
        # Through JSON: what stands in several places would become anchors in YAML.
        upstreams = json.loads(json.dumps(self.upstreams))
        return document | {"upstreams": upstreams, "routes": routes}

    def ask(self, name: str, *fields: bytes, method: bytes = b"GET") -> Response:
        """Send a request to a service and return the answer."""
        with Wire(self.gateway.port) as wire:
            wire.send(b"%b /%b/x HTTP/1.1\r\nHost: gw.test\r\n" % (method, name.encode("ascii")))
            wire.send(b"".join(fields) + b"\r\n")
            return wire.read_response(method)


def add_all(services: Services) -> None:
    """Start all services of this module."""
    folder = services.folder
    good = make_certificate(ca=CA)
    (folder / "ca.pem").write_bytes(CA.certificate)
    ours = make_certificate(ca=CLIENTS).write(folder / "client")
    ca = {"ca": str(folder / "ca.pem")}
    health = {"path": "/up", "interval": "1s", "timeout": "1s"}
    services.add("good", good)
    services.add("host", good, host="upstream")
    services.add("other-name", make_certificate(ca=CA, name_only="api.internal"))
    services.add(
        "named",
        make_certificate(ca=CA, name_only="api.internal"),
        tls=ca | {"server_name": "api.internal"},
        health=health,
    )
    services.add("ended", make_certificate(ca=CA, ends=-DAY))
    services.add("stranger", make_certificate(ca=OTHER))
    services.add("system", good, tls={})
    services.add("unverified", make_certificate(ends=-DAY), tls={"verify": False})
    services.add("proves", good, clients=CLIENTS, tls=ca | ours)
    services.add("proves-not", good, clients=CLIENTS)
    services.add("checked", good, health=health)
    services.add(
        "checked-badly", make_certificate(ca=OTHER), health=health | {"unhealthy_after": 1}
    )
    path = folder / "x.sock"
    services.services["socket"] = Upstream(path=path)
    services.upstreams["socket"] = {"endpoints": [f"unix:{path}"], "health": health}
    services.upstreams["socket-host"] = {"endpoints": [f"unix:{path}"], "host": "upstream"}
    services.upstreams["no-socket"] = {"endpoints": [f"unix:{folder / 'none.sock'}"]}


@pytest.fixture(scope="module")
def all_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A gateway before services of every kind."""
    found = Services(tmp_path_factory.mktemp("services"))
    add_all(found)
    with GatewayProcess(found.document(), tmp_path_factory.mktemp("gateway")) as found.gateway:
        yield found
    for service in found.services.values():
        service.stop()


@pytest.fixture
def services(all_services: Services) -> Iterator[Services]:
    """The same, and it prints no traceback."""
    yield all_services
    all_services.gateway.check_quiet()


@pytest.mark.parametrize("name", ["good", "named", "unverified", "proves", "socket"])
def test_requests_are_answered_and_connections_used_again(services: Services, name: str) -> None:
    """Head and body arrive as over plain HTTP; the Host is the client's."""
    service = services.services[name]
    service.clear()
    with Wire(services.gateway.port) as wire:
        for _ in range(3):
            wire.send(b"POST /%b/x HTTP/1.1\r\nHost: gw.test\r\n" % name.encode("ascii"))
            wire.send(b"Content-Length: 5\r\n\r\nhello")
            response = wire.read_response(b"POST")
            assert (response.status, response.json()["body"]) == (200, "hello")
    asked = [each for each in service.requests if each.target != b"/up"]
    assert {each.connection for each in asked} == {asked[0].connection}
    assert asked[0].header(b"host") == [b"gw.test"]
    assert asked[0].header(b"x-forwarded-proto") == [b"http"]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("other-name", "IP address mismatch"),
        ("ended", "certificate has expired"),
        ("stranger", "certificate is not accepted: "),
        ("system", "unable to get local issuer certificate"),
        ("proves-not", "TLS fails: "),
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_a_service_that_is_not_verified_gets_nothing(
    services: Services, name: str, fault: str, method: bytes
) -> None:
    """502 that tells the client nothing of it; the log names the cause."""
    response = services.ask(name, b"Content-Length: 0\r\n", method=method)

    assert (response.status, response.reason) == (502, "upstream_unreachable")
    assert b"certificate" not in response.body.lower()
    endpoint = services.upstreams[name]["endpoints"][0]
    services.gateway.wait_for_line(f"upstream {name}: {endpoint}: ")
    assert any(f"{name}: {endpoint}" in s and fault in s for s in services.gateway.lines)
    assert services.services[name].requests == []


def test_the_host_of_the_endpoint_is_sent_where_it_should_be(services: Services) -> None:
    """A socket has none; ``localhost`` is what others say."""
    service = services.services["host"]
    for name, expected in (("host", f"127.0.0.1:{service.port}"), ("socket-host", "localhost")):
        headers = dict(services.ask(name).json()["headers"])
        assert headers["Host"] == expected


def test_nobody_listens_on_the_socket(services: Services) -> None:
    """As where a port refuses."""
    assert services.ask("no-socket").reason == "upstream_unreachable"


def test_health_is_asked_for_over_the_same_connections(services: Services) -> None:
    """With the certificates and names that requests go by."""
    for name in ("checked", "named", "socket"):
        services.services[name].wait_for_requests(1)
        assert services.ask(name).status == 200
    services.gateway.wait_for_line("upstream checked-badly: https://127.0.0.1:")
    services.gateway.wait_for_line("is unhealthy: its certificate is not accepted")
    assert services.ask("checked-badly").reason == "no_healthy_endpoint"


CUT = b"HTTP/1.1 200 OK\r\n\r\nhalf of it"


def test_a_body_that_ends_with_tls_is_whole(services: Services) -> None:
    """The goodbye of TLS ends a body that has no length."""
    service = services.services["good"]

    def leave(talk: Any) -> None:
        with contextlib.suppress(OSError):  # the gateway says no goodbye of its own
            talk.sock.unwrap()
        close(talk)

    service.play(respond(CUT), leave)
    assert services.ask("good").body == b"half of it"


def test_a_body_that_is_cut_without_a_goodbye_is_cut_for_the_client(services: Services) -> None:
    """Anyone on the way can end TCP: such a body is not passed on as a whole one (guarantee 7)."""
    services.services["good"].play(respond(CUT), close)

    with pytest.raises((WireError, ConnectionResetError)):
        services.ask("good")


def test_a_large_body_goes_both_ways(services: Services) -> None:
    """TLS's records are none of the client's concern."""
    count = 64
    size = count * len(PIECE)
    services.services["good"].play(
        swallow(size), send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + PIECE * count)
    )
    with Wire(services.gateway.port) as wire:
        wire.send(b"POST /good/x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(count):
            wire.send(PIECE)
        assert wire.read_response(b"POST").body == PIECE * count


def test_connections_that_have_ended_are_replaced(services: Services) -> None:
    """A service that restarts costs no request."""
    service = services.services["good"]
    assert services.ask("good").status == 200
    service.drop_connections()
    assert services.ask("good").status == 200


def test_a_renewed_certificate_of_our_own_is_taken_up(services: Services) -> None:
    """Without a reload; the service sees the new one on the next connection."""
    service = services.services["proves"]
    renewed = make_certificate(ca=CLIENTS)
    seen: list[int] = []

    def look(talk: Any) -> None:
        assert isinstance(talk.sock, ssl.SSLSocket)
        shown = talk.sock.getpeercert()
        assert shown is not None
        seen.append(int(str(shown["serialNumber"]), 16))

    renewed.write(services.folder / "client")
    services.gateway.wait_for_line("upstream proves: renewed certificates are in use")
    service.drop_connections()
    service.play(look, respond(OK))
    assert services.ask("proves").status == 200
    assert seen == [renewed.serial]


def test_the_handshake_is_part_of_connecting(tmp_path: Path, services: Services) -> None:
    """Who takes the connection and says nothing is late by ``connect_timeout``."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def accept() -> None:
            connection, _ = silent.accept()
            with connection:
                while connection.recv(65536):
                    pass
            ended.set()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        document = services.document()
        document["upstreams"] = {
            "good": {
                "endpoints": [f"https://127.0.0.1:{silent.getsockname()[1]}"],
                "connect_timeout": "100ms",
            }
        }
        document["routes"] = document["routes"][:1]
        with GatewayProcess(document, tmp_path) as gateway, Wire(gateway.port) as wire:
            wire.send(b"GET /good/ HTTP/1.1\r\nHost: a\r\n\r\n")
            assert wire.read_response().reason == "upstream_timeout"
            assert ended.wait(10)  # the connection is not left behind


def test_check_warns_loudly_of_what_is_not_verified(services: Services, tmp_path: Path) -> None:
    """And names a key that is not that of its certificate, as a start does."""
    document = services.document()
    path = str(write_configuration(tmp_path, document))
    ended = run_command("check", "--config", path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "upstreams.unverified.tls.verify: warning: ANYONE on the way" in ended.stdout

    document["upstreams"]["proves"]["tls"]["key"] = str(services.folder / "good" / "key.pem")
    write_configuration(tmp_path, document)
    for command in ("run", "check"):
        ended = run_command(command, "--config", path)
        assert ended.returncode == 2
        said = ended.stdout + ended.stderr
        assert "upstreams.proves.tls.key: the key is not that of the certificate" in said
