"""gateway.proxy.admission: who may connect, and what those are told who may not."""

import asyncio
import ipaddress
import resource
from collections.abc import Callable

import pytest

from gateway.policy.model import Limits
from gateway.policy.peers import TrustedProxies
from gateway.proxy.admission import OF_ADDRESS, OVERALL, Admission, client_of, client_room
from gateway.proxy.downstream import Downstream
from tests.kit.policy import head, route, snapshot
from tests.kit.transport import Client, FakeTransport

LIMITS = Limits(connections=8, connections_per_address=2)
PROXIES = TrustedProxies((ipaddress.ip_network("10.0.0.0/8"),))


class House:
    """A worker's listener, and who has connected to it."""

    def __init__(self) -> None:
        self.client = Client(snapshot(route("/p"), limits=LIMITS, trusted_proxies=PROXIES))
        self.worker = self.client.worker
        self.open: list[Downstream] = []

    def connect(self, peer: object = ("192.0.2.7", 1)) -> FakeTransport:
        """Connect from an address; return what the client sees."""
        transport = FakeTransport(peer)
        connection = Downstream(self.worker, self.client.connections)
        connection.connection_made(transport)
        self.open.append(connection)
        return transport


def run(test: Callable[[House], None]) -> None:
    """Run *test* in a loop; one client of another address is there already."""

    async def main() -> None:
        test(House())

    asyncio.run(main())


def test_beyond_the_cap_it_is_503_and_the_end() -> None:
    """DOS-11: those that are there go on; when one leaves there is room again."""

    def test(house: House) -> None:
        peers = [(f"198.51.100.{number}", 1) for number in range(8)]
        admitted = [house.connect(peer) for peer in peers]
        refused = admitted.pop()

        assert refused.written.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"Retry-After: 1\r\n" in refused.written
        assert b"Connection: close\r\n" in refused.written
        assert b'"reason": "too_many_connections"' in refused.written.replace(b'":"', b'": "')
        assert refused.closed
        assert not any(each.closed for each in admitted)
        assert house.worker.admission.refused == {OVERALL: 1, OF_ADDRESS: 0}
        house.open[0].connection_lost(None)
        assert not house.connect().closed

    run(test)


def test_one_address_has_a_cap_of_its_own() -> None:
    """DOS-11: others are not concerned, and what has ended counts no more."""

    def test(house: House) -> None:
        assert [house.connect().closed for _ in range(4)] == [False, False, True, True]
        assert not house.connect(("192.0.2.8", 1)).closed
        house.open[2].connection_lost(None)  # one that was refused
        assert house.connect().closed
        house.open[0].connection_lost(None)
        house.open[1].connection_lost(None)
        assert [house.connect().closed for _ in range(3)] == [False, False, True]
        assert house.worker.admission.refused == {OVERALL: 0, OF_ADDRESS: 4}

    run(test)


@pytest.mark.parametrize(
    "peer",
    [
        pytest.param("", id="unix"),
        pytest.param(("10.1.2.3", 1), id="trusted-proxy"),
        pytest.param(("127.0.0.1", 1), id="sidecar"),
        pytest.param(("::1", 1, 0, 0), id="sidecar-v6"),
        pytest.param(("::ffff:10.1.2.3", 1, 0, 0), id="mapped"),
    ],
)
def test_who_speaks_for_many_is_exempt(peer: object) -> None:
    """A load balancer's address is that of all clients; whoever is on this host is a proxy too."""

    def test(house: House) -> None:
        assert [house.connect(peer).closed for _ in range(5)] == [False] * 5

    run(test)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_what_is_one_client(one: str, other: str, *, same: bool) -> None:
    """One customer has a /64 of IPv6 at least: its addresses are free."""
    assert (client_of(one) == client_of(other)) == same


def test_an_address_without_a_cap() -> None:
    """``connections_per_address: 0``."""
    unlimited = Limits(connections_per_address=0)

    async def main() -> None:
        client = Client(snapshot(route("/p"), limits=unlimited))
        made = [Downstream(client.worker, client.connections) for _ in range(300)]
        transports = [FakeTransport() for _ in made]
        for connection, transport in zip(made, transports, strict=True):
            connection.connection_made(transport)
        assert not any(transport.closed for transport in transports)
        made[0].data_received(head("/p"))
        assert b"401 Unauthorized" in transports[0].written

    asyncio.run(main())


@pytest.mark.parametrize(
    ("descriptors", "clients"),
    [(1024, 480), (65536, 32736), (65, 1), (1, 1), (resource.RLIM_INFINITY, 2**31)],
)
def test_half_of_the_descriptors_are_for_the_services(descriptors: int, clients: int) -> None:
    """DOS-10: each client may need a connection to a service, and the process some for itself."""
    assert client_room(descriptors) == clients


def test_the_descriptors_may_be_the_narrower_limit() -> None:
    """DOS-10: fewer clients then, rather than no connection to a service."""

    def test(house: House) -> None:
        house.worker.admission = Admission(room=3)
        peers = [(f"198.51.100.{number}", 1) for number in range(4)]
        assert [house.connect(peer).closed for peer in peers] == [False, False, True, True]

    run(test)


def test_a_flood_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """DOS-16: it says which limit, and whose connection it was."""

    def test(house: House) -> None:
        for _ in range(50):
            house.connect()

    run(test)
    (record,) = caplog.records
    assert record.getMessage() == (
        "1 connections refused since this was said last, the latest of 192.0.2.7: "
        "limits.connections_per_address"
    )
