"""Host, the client's address and the scheme: one reading of each, or a refusal.

The rows are THREATS.md A2.

Source: RFC 9112 section 3.2, RFC 9110 section 7.2.
"""

import ipaddress
from pathlib import Path

import pytest

from gateway.policy.peers import TrustedProxies
from tests.conftest import StartGateway
from tests.kit.commands import invoke
from tests.kit.gateway import (
    GatewayProcess,
    bearer,
    configuration,
    write_configuration,
)
from tests.kit.upstream import Upstream
from tests.kit.wire import Verdict, Wire, replay

BAD = Verdict(400, "bad_request", closed=True)


def get(host_lines: bytes, target: bytes = b"/public") -> bytes:
    """Return a GET with these fields only."""
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (target, host_lines)


HOST = b"Host: gw.test\r\n"

REFUSED = [
    pytest.param(get(b""), id="HOST-01-none"),
    pytest.param(get(HOST + b"Host: evil\r\n"), id="HOST-02-two"),
    pytest.param(get(HOST + HOST), id="HOST-02-two-equal"),
    pytest.param(get(b"Host:\r\n"), id="HOST-03-empty"),
    pytest.param(get(b"Host: gw.test, evil\r\n"), id="HOST-04-list"),
    pytest.param(get(b"Host: u@gw.test\r\n"), id="HOST-05-user"),
    pytest.param(get(b"Host: gw.test/admin?\r\n"), id="HOST-06-path"),
    pytest.param(get(b"Host: gw.test#x\r\n"), id="HOST-06-fragment"),
    pytest.param(get(b"Host: gw.test\\x\r\n"), id="HOST-06-backslash"),
    pytest.param(get(b"Host: gw.test:\r\n"), id="HOST-07-no-port"),
    pytest.param(get(b"Host: gw.test:99999\r\n"), id="HOST-07-port-too-high"),
    pytest.param(get(b"Host: gw.test:8a\r\n"), id="HOST-07-port-not-a-number"),
    pytest.param(get(b"Host: gw.test:80:80\r\n"), id="HOST-07-two-ports"),
    pytest.param(get(b"Host: [::1\r\n"), id="HOST-10-open-bracket"),
    pytest.param(get(b"Host: [::1]x\r\n"), id="HOST-10-behind-bracket"),
    pytest.param(get(b"Host: [v1.x]\r\n"), id="HOST-10-ipvfuture"),
    pytest.param(get(b"Host: [::1%25eth0]\r\n"), id="zone"),
    pytest.param(get(HOST, b"http://evil/public"), id="HOST-11-other-authority"),
    pytest.param(get(HOST, b"http://gw.test:80/public"), id="HOST-11-other-port"),
    pytest.param(get(HOST, b"foo://gw.test/public"), id="HOST-12-scheme"),
    pytest.param(get(HOST, b"http://u@gw.test/public"), id="HOST-12-user"),
    pytest.param(get(HOST, b"http://a%00b/"), id="HOST-12-nul"),
    pytest.param(get(HOST, b"http:///public"), id="no-authority"),
    pytest.param(get(b'Host: x"; evil\r\n'), id="HOST-15-quote"),
    pytest.param(get(b"Host: gw.test\x80\r\n"), id="high-byte"),
    pytest.param(get(b"Host: gw test\r\n"), id="space-inside"),
    pytest.param(get(b"Host: %67w.test\r\n"), id="escape"),
]


@pytest.mark.parametrize("request_bytes", REFUSED)
def test_a_host_has_one_reading(
    gateway: GatewayProcess, upstream: Upstream, request_bytes: bytes
) -> None:
    """HOST-01 to HOST-12: exactly one host name, or 400 and close."""
    verdicts = replay(gateway.port, request_bytes)

    assert verdicts == {BAD}
    assert upstream.byte_count == 0


@pytest.mark.parametrize(
    "host", [b"vhost.test", b"VHOST.Test", b"vhost.test.", b"vhost.test:8080", b" vhost.test \t"]
)
def test_a_host_is_the_same_however_it_is_spelled(
    wire: Wire, upstream: Upstream, host: bytes
) -> None:
    """HOST-08, HOST-09: case, the root's dot and the port do not lead to another policy."""
    wire.send(get(b"Host:%b\r\n" % host, b"/vhost/open"))
    assert wire.read_response().reason == "credential_missing"
    wire.send(get(b"Host:%b\r\n%b" % (host, bearer()), b"/vhost/open"))

    assert wire.read_response().status == 200
    assert upstream.requests[0].header(b"host") == [host.strip()]


@pytest.mark.parametrize("host", [b"evil.test", b"xvhost.test", b"vhost.test.evil", b"127.0.0.1"])
def test_an_unknown_host_has_no_routes(wire: Wire, upstream: Upstream, host: bytes) -> None:
    """HOST-14: what only a named host has is not there for another; there is no default."""
    wire.send(get(b"Host: %b\r\n%b" % (host, bearer()), b"/vhost/x"))

    response = wire.read_response()
    assert (response.status, response.reason) == (404, "route_not_found")
    assert upstream.byte_count == 0


@pytest.mark.parametrize(
    ("target", "seen"),
    [(b"http://gw.test/public?a", b"/public?a"), (b"HTTP://GW.test/public", b"/public")],
)
def test_an_absolute_target_is_forwarded_as_a_path(
    wire: Wire, upstream: Upstream, target: bytes, seen: bytes
) -> None:
    """RFC 9112 section 3.2.2: where the authority is that of Host, the path counts."""
    wire.send(get(HOST, target))

    assert wire.read_response().status == 200
    assert upstream.requests[0].target == seen


def test_an_absolute_target_without_a_path_is_the_root(wire: Wire, upstream: Upstream) -> None:
    """HOST-13: ``http://gw.test`` asks for ``/``, which no route of these takes."""
    wire.send(get(HOST, b"http://gw.test"))

    assert wire.read_response().reason == "route_not_found"
    assert upstream.byte_count == 0


def test_forwarding_fields_of_a_client_are_replaced(wire: Wire, upstream: Upstream) -> None:
    """IP-07: nobody is believed who is not a trusted proxy."""
    wire.send(
        get(
            HOST + b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
            b"x_forwarded_host: evil\r\nX-Forwarded-Host: evil\r\nX-Request-Id: mine\r\n"
        )
    )

    assert wire.read_response().status == 200
    request = upstream.requests[0]
    assert request.header(b"x-forwarded-for") == [b"127.0.0.1"]
    assert request.header(b"x-forwarded-proto") == [b"http"]
    assert request.header(b"x-forwarded-host") == [b"gw.test"]
    assert request.header(b"x-request-id") != [b"mine"]
    assert b"evil" not in request.head


def test_a_trusted_proxy_is_believed(start_gateway: StartGateway, own_upstream: Upstream) -> None:
    """IP-03: fields that are sent in two lines are joined in order, and the peer comes last."""
    gateway = start_gateway(configuration(own_upstream.port, trusted_proxies=["127.0.0.0/8"]))
    with Wire(gateway.port) as wire:
        wire.send(
            get(
                HOST + b"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 6.6.6.6, 10.0.0.1\r\n"
                b"X-Forwarded-Proto: https\r\nX-Request-Id: theirs\r\n"
            )
        )
        assert wire.read_response().status == 200

    request = own_upstream.requests[0]
    assert request.header(b"x-forwarded-for") == [b"1.1.1.1, 6.6.6.6, 10.0.0.1, 127.0.0.1"]
    assert request.header(b"x-forwarded-proto") == [b"https"]
    assert request.header(b"x-forwarded-host") == [b"gw.test"]
    assert request.header(b"x-request-id") == [b"theirs"]


CHAINS = [
    b"127.0.0.1, 6.6.6.6",  # IP-02-spoofed-first
    b"unknown",  # IP-05-unknown
    b"1.2.3.4:80",  # IP-05-port
    b'"[::1]:5"',  # IP-05-quoted
    b"1.2.3.4\tx",  # IP-05-tab
    b", , ,",  # empty-items
    b"",  # empty
    b"\xff\xfe",  # high-bytes
    b",".join([b"1.1.1.1"] * 3_500),  # IP-05-3500-entries
]


def test_whatever_a_trusted_proxy_says_the_peer_comes_last(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """IP-02, IP-05: no entry is an exception, and none displaces what the gateway knows."""
    gateway = start_gateway(configuration(own_upstream.port, trusted_proxies=["127.0.0.1"]))
    with Wire(gateway.port) as wire:
        for chain in CHAINS:
            wire.send(get(HOST + b"X-Forwarded-For: " + chain + b"\r\n"))
            assert wire.read_response().status == 200

            (seen,) = own_upstream.requests[-1].header(b"x-forwarded-for")
            assert seen == (chain + b", 127.0.0.1").lstrip()


def test_an_address_of_ipv4_in_ipv6_is_an_address_of_ipv4() -> None:
    """IP-04: on a dual-stack socket ``10.0.0.1`` looks like ``::ffff:10.0.0.1``."""
    proxies = TrustedProxies([ipaddress.ip_network("10.0.0.0/8")])

    assert "::ffff:10.0.0.1" in proxies
    assert "::ffff:11.0.0.1" not in proxies


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_not_everybody_can_be_trusted(tmp_path: Path, network: str) -> None:
    """IP-06: a configuration that believes every peer is refused."""
    path = write_configuration(tmp_path, configuration(9, trusted_proxies=[network]))

    done = invoke("check", "--config", str(path))
    assert done.returncode == 2
    assert "trusted_proxies" in done.stderr + done.stdout
