"""Trusted proxies: by network, whatever the address looks like; and whom they speak for."""

from ipaddress import ip_network

import pytest

from gateway.policy.peers import MAX_HOPS, TrustedProxies, find_client

PROXIES = TrustedProxies([ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")])


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("::ffff:10.1.2.3", True),
        ("::ffff:11.1.2.3", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("10.1.2.3 ", False),
        ("010.1.2.3", False),
        ("", False),
        ("unix:", False),
        ("gw.test", False),
    ],
)
def test_a_peer_is_one_of_ours_or_it_is_not(*, peer: str, trusted: bool) -> None:
    """DESIGN.md section 2, ``trusted_proxies``; asked twice, since the first answer is kept."""
    assert (trusted, trusted) == (peer in PROXIES, peer in PROXIES)


def test_only_an_address_as_text_can_be_one() -> None:
    """Anything else, and anyone where there are none, is a stranger."""
    assert b"10.1.2.3" not in PROXIES
    assert "10.1.2.3" not in TrustedProxies()


def test_the_memory_of_peers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client with a whole IPv6 network of addresses costs no memory."""
    monkeypatch.setattr("gateway.policy.peers._MEMO_ENTRIES", 2)
    proxies = TrustedProxies([ip_network("10.0.0.0/8")])

    for _ in range(2):
        assert [f"10.0.0.{n}" in proxies for n in range(4)] == [True] * 4
    assert len(proxies._memo) == 2


@pytest.mark.parametrize(
    ("peer", "chain", "client"),
    [
        pytest.param("11.0.0.1", [b"127.0.0.1"], "11.0.0.1", id="stranger"),  # IP-01
        pytest.param("10.0.0.1", [], "10.0.0.1", id="no-chain"),
        pytest.param("10.0.0.1", [b""], "10.0.0.1", id="empty-chain"),
        pytest.param("10.0.0.1", [b"127.0.0.1, 6.6.6.6"], "6.6.6.6", id="right-most"),  # IP-02
        pytest.param("10.0.0.1", [b"127.0.0.1", b"6.6.6.6"], "6.6.6.6", id="two-lines"),  # IP-03
        pytest.param("10.0.0.1", [b"1.1.1.1,6.6.6.6 ,\t10.0.0.2"], "6.6.6.6", id="two-proxies"),
        pytest.param("10.0.0.1", [b"10.0.0.3, 10.0.0.2"], "10.0.0.3", id="proxies-only"),
        pytest.param("10.0.0.1", [b"6.6.6.6, , ", b"", b","], "6.6.6.6", id="empty-elements"),
        pytest.param("::ffff:10.0.0.1", [b"6.6.6.6"], "6.6.6.6", id="mapped-peer"),  # IP-04
        pytest.param("10.0.0.1", [b"6.6.6.6, ::FFFF:10.0.0.2"], "6.6.6.6", id="mapped-hop"),
        pytest.param("10.0.0.1", [b"::ffff:6.6.6.6"], "6.6.6.6", id="mapped-client"),
        pytest.param("::ffff:6.6.6.6", [b"1.1.1.1"], "6.6.6.6", id="mapped-stranger"),
        pytest.param("2001:db8::1", [b"2001:DB9:0::6"], "2001:db9::6", id="one-spelling"),
        pytest.param("fe80::1%eth0", [b"1.1.1.1"], "fe80::1%eth0", id="scoped-peer"),
        pytest.param("", [b"1.1.1.1"], "", id="socket-file"),
    ],
)
def test_the_client_is_the_last_address_that_ours_vouch_for(
    peer: str, chain: list[bytes], client: str
) -> None:
    """THREATS IP-01 to IP-04: from the right, as long as it is our own proxies that speak."""
    assert find_client(peer, chain, PROXIES) == client


@pytest.mark.parametrize(
    ("hop", "client"),
    [
        ("1.2.3.4:80", "1.2.3.4"),
        ('"1.2.3.4"', "1.2.3.4"),
        ("[::1]", "::1"),
        ("[::1]:5", "::1"),
        ('"[::1]:5"', "::1"),
        ("[::ffff:1.2.3.4]:5", "1.2.3.4"),
        ("::1:80", "::1:80"),
    ],
)
def test_a_hop_may_have_a_port(hop: str, client: str) -> None:
    """THREATS IP-05: an address with a port or in quotes is that address, as some proxies write."""
    assert find_client("10.0.0.1", [hop.encode()], PROXIES) == client


@pytest.mark.parametrize(
    "hop",
    [
        b"unknown",
        b"_hidden",
        b"1.2.3.4\tx",
        b"1.2.3.4 6.6.6.6",
        b"1.2.3.4:",
        b"1.2.3.4:123456",
        b"1.2.3.4:x",
        b"010.2.3.4",
        b"1.2.3",
        b"999.9.9.9:80",
        b"1.2.3.4/8",
        b'"1.2.3.4',
        b'1.2.3.4"',
        b"[::1",
        b"::1]:5",
        b"::1%eth0",
        b"for=1.2.3.4",
        b"\xff\x00",
        b"1" * 30_000,
        b":" * 30_000,
    ],
)
@pytest.mark.parametrize("good", ["", "10.0.0.2"])
def test_what_is_no_address_ends_the_walk(hop: bytes, good: str) -> None:
    """THREATS IP-05: whoever wrote it, nothing to the left of it is believed; never an error."""
    chain = [b"6.6.6.6, " + hop, good.encode()]

    assert find_client("10.0.0.1", chain, PROXIES) == (good or "10.0.0.1")


def test_a_chain_is_looked_at_up_to_a_bound() -> None:
    """THREATS IP-05: of 5,000 entries the right-most count, empty ones too."""
    ours = b", ".join(b"10.0.%d.%d" % (n // 250, n % 250) for n in range(5000, 0, -1))

    assert find_client("10.0.0.0", [b"6.6.6.6", ours], PROXIES) == f"10.0.0.{MAX_HOPS}"
    assert find_client("10.0.0.0", [b"6.6.6.6", b"," * 5000], PROXIES) == "10.0.0.0"
    for count, client in ((MAX_HOPS - 1, "6.6.6.6"), (MAX_HOPS, "10.0.0.0")):
        assert find_client("10.0.0.0", [b"6.6.6.6" + b"," * count], PROXIES) == client
