"""Trusted proxies: by network, whatever the address looks like."""

from ipaddress import ip_network

import pytest

from gateway.policy.peers import TrustedProxies

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
