"""THREATS.md A4, IP-*: which address a route is asked by, on the wire."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire


def _document(port: int, **changes: Any) -> dict[str, Any]:
    document = configuration(port, **changes)
    document["routes"] = [
        {"path": "/inside", "upstream": "raw", "address_allow": ["6.6.6.0/24", "2001:db8::/32"]},
        {"path": "/loopback", "upstream": "raw", "auth": "none", "address_allow": ["127.0.0.0/8"]},
    ]
    return document


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Two gateways before one service: one trusts the tests as its proxy, one does not."""
    folder: Path = tmp_path_factory.mktemp("addresses")
    with (
        Upstream() as upstream,
        GatewayProcess(
            _document(upstream.port, trusted_proxies=["127.0.0.1"]), folder / "a"
        ) as behind,
        GatewayProcess(_document(upstream.port), folder / "b") as edge,
    ):
        yield {"behind": behind.port, "edge": edge.port}


@pytest.mark.parametrize(
    ("gateway", "target", "fields", "status", "reason"),
    [
        pytest.param("edge", "/loopback", [], 200, "", id="peer"),
        pytest.param("edge", "/loopback", [b"6.6.6.6"], 200, "", id="peer-claims-another"),
        pytest.param("edge", "/inside", [b"6.6.6.6"], 403, "address_denied", id="IP-01"),
        pytest.param("behind", "/loopback", [b"6.6.6.6"], 403, "address_denied", id="not-the-peer"),
        pytest.param(
            "behind", "/loopback", [b"127.0.0.2, 6.6.6.6"], 403, "address_denied", id="IP-02"
        ),
        pytest.param(
            "behind", "/inside", [b"127.0.0.2, 6.6.6.6"], 401, "credential_missing", id="IP-02-in"
        ),
        pytest.param(
            "behind", "/inside", [b"1.1.1.1", b"6.6.6.6"], 401, "credential_missing", id="IP-03"
        ),
        pytest.param(
            "behind", "/inside", [b"6.6.6.6", b"1.1.1.1"], 403, "address_denied", id="IP-03-order"
        ),
        pytest.param(
            "behind", "/inside", [b"::ffff:6.6.6.6"], 401, "credential_missing", id="IP-04"
        ),
        pytest.param("behind", "/inside", [b"2001:db8::9"], 401, "credential_missing", id="v6"),
        pytest.param("behind", "/inside", [b"unknown"], 403, "address_denied", id="IP-05"),
    ],
)
def test_a_route_asks_for_the_address_before_the_credential(
    ports: dict[str, int], gateway: str, target: str, fields: list[bytes], status: int, reason: str
) -> None:
    """What a stranger claims does not count, what a trusted proxy says does."""
    lines = b"".join(b"X-Forwarded-For: %b\r\n" % value for value in fields)
    with Wire(ports[gateway]) as wire:
        wire.send(b"GET %b HTTP/1.1\r\nHost: gw.test\r\n%b\r\n" % (target.encode(), lines))
        answer = wire.read_response(b"GET")

    assert (answer.status, answer.reason) == (status, reason)
