"""Addresses of listeners, endpoints and proxies."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.config.addresses import (
    Address,
    ClientNetwork,
    EndpointUrl,
    Listener,
    Listeners,
    PublicListener,
    ServerName,
    TrustedNetwork,
    parse_address,
    parse_host_name,
)

TAKEN = [
    (Listener, "127.0.0.1:8080", "127.0.0.1:8080"), (Listener, "[::1]:0", "[::1]:0"),
    (Listener, "localhost:80", "localhost:80"),
    (PublicListener, "[::1]:0", "[::1]:0"), (PublicListener, "unix:run/x", "unix:run/x"),
    (EndpointUrl, "http://Products:9000", "products:9000"),
    (EndpointUrl, "http://[::1]:9000", "[::1]:9000"), (EndpointUrl, "http://a_b:1", "a_b:1"),
    (EndpointUrl, "http://a", "a:80"), (EndpointUrl, "http://[::1]", "[::1]:80"),
    (EndpointUrl, "https://A", "https://a:443"), (EndpointUrl, "https://a:1", "https://a:1"),
    (EndpointUrl, "unix:/run/x", "unix:/run/x"), (ServerName, "A.Internal", "a.internal"),
    (ServerName, "[::1]", "::1"),
    (TrustedNetwork, "10.0.0.0/8", "10.0.0.0/8"), (TrustedNetwork, "10.0.0.1", "10.0.0.1/32"),
    (TrustedNetwork, "2001:DB8::/32", "2001:db8::/32"),
    (ClientNetwork, "10.0.0.1", "10.0.0.1/32"), (ClientNetwork, "0.0.0.0/0", "0.0.0.0/0"),
]  # fmt: skip

REFUSED = [
    (Listener, 8080, "{value} is not an address to listen on"),
    (Listener, "8080", "{value} is not an address to listen on"),
    (Listener, ":8080", "{value} is not an address to listen on"),
    (Listener, "22:22", "{value} is not an address to listen on"),
    (Listener, "1.2.3.4.5:1", "{value} is not an address to listen on"),
    (Listener, "::1:8080", "{value} is not an address to listen on"),
    (Listener, "[a]:8080", "{value} is not an address to listen on"),
    (Listener, "a:65536", "{value} is not an address to listen on"),
    (Listener, "a:01", "{value} is not an address to listen on"),
    (Listener, "a:b:1", "{value} is not an address to listen on"),
    (Listener, "...:1", "{value} is not an address to listen on"),
    (Listener, "\xe9:1", "{value} is not an address to listen on"),
    (Listener, "unix:/run/x", "the admin listener has no Unix socket"),
    (PublicListener, "8080", "{value} is not an address to listen on"),
    (PublicListener, "unix:", "{value} cannot be a Unix socket"),
    (PublicListener, "unix:/a\0", "{value} cannot be a Unix socket"),
    (PublicListener, "unix:/" + "a" * 103, "{value} cannot be a Unix socket"),
    (EndpointUrl, 9000, "{value} is not an endpoint"),
    (EndpointUrl, "127.0.0.1:9000", "{value} is not an endpoint"),
    (EndpointUrl, "http://", "{value} is not an endpoint"),
    (EndpointUrl, "http://a:", "{value} is not an endpoint"),
    (EndpointUrl, "http://a b", "{value} is not an endpoint"),
    (EndpointUrl, "https://a:1/", "{value} is not an endpoint"),
    (EndpointUrl, "ftp://a:1", "{value} is not an endpoint"),
    (EndpointUrl, "file:///run/x", "{value} is not an endpoint"),
    (EndpointUrl, "http+unix:/run/x", "{value} is not an endpoint"),
    (EndpointUrl, "unix:", "{value} cannot be a Unix socket"),
    (EndpointUrl, "unix:/" + "a" * 103, "{value} cannot be a Unix socket"),
    (ServerName, "a:1", "{value} is not a name of a server"),
    (ServerName, "https://a", "{value} is not a name of a server"),
    (EndpointUrl, "http://a:0", "{value} is not an endpoint"),
    (EndpointUrl, "http://a:1/", "{value} is not an endpoint"),
    (EndpointUrl, "http://u@a:1", "{value} is not an endpoint"),
    (TrustedNetwork, 10, "{value} is not a network"),
    (TrustedNetwork, "proxy.example.com", "{value} is not a network"),
    (TrustedNetwork, "10.0.0.1/8", "{value} has bits set behind its prefix"),
    (TrustedNetwork, "0.0.0.0/0", "{value} trusts everyone on the Internet"),
    (TrustedNetwork, "::/0", "{value} trusts everyone on the Internet"),
    (ClientNetwork, "a.test", "{value} is not a network"),
    (ClientNetwork, "10.0.0.1/8", "{value} has bits set behind its prefix"),
]


@pytest.mark.parametrize(("kind", "value", "expected"), TAKEN)
def test_what_is_taken(kind: Any, value: object, expected: str) -> None:
    """Names are lower-cased, IPv6 stands in brackets."""
    assert str(TypeAdapter(kind).validate_python(value)) == expected


@pytest.mark.parametrize(("kind", "value", "fault"), REFUSED)
def test_what_is_refused(kind: Any, value: object, fault: str) -> None:
    """Nothing is guessed: no listener's port, no number that a resolver reads as an address."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)

    (error,) = caught.value.errors()
    assert (error["ctx"]["fault"], bool(error["ctx"]["cure"])) == (fault, True)


def test_ipv6_loses_its_brackets_as_a_host() -> None:
    """Sockets take the bare address."""
    assert parse_address("[::1]:80") == Address("::1", 80)


def test_a_host_name_has_no_port() -> None:
    """``a:80`` is an address, not a host."""
    assert (parse_host_name("a:80"), parse_host_name("A.example.")) == (None, "a.example")


def test_one_listener_stands_for_a_list_of_one() -> None:
    """``listen`` is an address or a list of them; an empty list would listen nowhere."""
    adapter: TypeAdapter[Any] = TypeAdapter(Listeners)

    assert adapter.validate_python("a:1") == adapter.validate_python(["a:1"]) == (Address("a", 1),)
    with pytest.raises(ValidationError):
        adapter.validate_python([])


LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1", "0:0::1", "localhost"]
BEYOND = ["0.0.0.0", "::", "10.0.0.1", "fe80::1", "::ffff:127.0.0.1", "gw.test", "localhost.test"]  # noqa: S104


@pytest.mark.parametrize(
    ("host", "expected"), [*((h, True) for h in LOOPBACK), *((h, False) for h in BEYOND)]
)
def test_what_is_loopback(host: str, *, expected: bool) -> None:
    """Only what is known to be; what a name means is for the resolver to say, and may change."""
    assert Address(host, 80).is_loopback is expected


OVERLAPS = [
    ("a:1", "a:1", True), ("a:1", "a:2", False), ("a:1", "b:1", False),
    ("a:0", "a:0", False), ("0.0.0.0:0", "127.0.0.1:0", False),
    ("0.0.0.0:1", "127.0.0.1:1", True), ("[::]:1", "[::1]:1", True),
    ("0.0.0.0:1", "[::1]:1", False), ("10.0.0.1:1", "127.0.0.1:1", False),
    ("localhost:1", "127.0.0.1:1", True), ("[::1]:1", "[0:0::1]:1", True),
    ("gw.test:1", "0.0.0.0:1", False),  # for the resolver and the system to say
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "expected"), OVERLAPS)
def test_which_addresses_overlap(one: str, other: str, *, expected: bool) -> None:
    """One port, and one host in any spelling, or all hosts of one kind; each port 0 is another."""
    first, second = parse_address(one), parse_address(other)

    assert first is not None
    assert second is not None
    assert (first.overlaps(second), second.overlaps(first)) == (expected, expected)
