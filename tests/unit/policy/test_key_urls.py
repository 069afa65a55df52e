"""Where keys may be read."""

import pytest

from gateway.policy.key_urls import find_url_fault

GOOD = [
    "https://login.example.com/jwks.json",
    "HTTPS://login.example.com:8443/jwks?tenant=a%20b",
    "https://10.0.0.7/jwks",
    "https://[2001:db8::1]/jwks",
]
LOOPBACK = [
    "http://127.0.0.1:8080/jwks",
    "http://127.7.7.7/jwks",
    "http://[::1]:8080/jwks",
    "http://localhost/jwks",
]
FAULTS = [
    ("http://login.example.com/jwks", "{url} is not read over TLS"),
    ("http://169.254.169.254/latest", "{url} is not read over TLS"),
    ("http://localhost.example.com/", "{url} is not read over TLS"),
    ("http://[::ffff:10.0.0.1]/", "{url} is not read over TLS"),
    ("file:///etc/passwd", "{url} is not an http URL of a host"),
    ("ftp://a/b", "{url} is not an http URL of a host"),
    ("login.example.com/jwks", "{url} is not an http URL of a host"),
    ("https:///jwks", "{url} is not an http URL of a host"),
    ("https://a:0/", "{url} is not an http URL of a host"),
    ("", "{url} is not an http URL of a host"),
    ("https://a:99999/", "{url} is not a URL"),
    ("https://[::1/", "{url} is not a URL"),
    ("https://a/b c", "{url} is not a URL"),
    ("https://a\\b/", "{url} is not a URL"),
    ("https://a/\n", "{url} is not a URL"),
    ("https://caf\u00e9.example/", "{url} is not a URL"),
    ("https://user:secret@a/", "the URL has a user or a password in it"),
    ("https://@a/", "the URL has a user or a password in it"),
    ("https://a/#x", "{url} has a fragment, which no server sees"),
]


@pytest.mark.parametrize("url", [*GOOD, *LOOPBACK])
def test_keys_are_read_over_tls_or_from_this_host(url: str) -> None:
    """Who is in between could put a key of his own into the answer."""
    assert find_url_fault(url) == ""


@pytest.mark.parametrize(("url", "fault"), FAULTS)
def test_keys_are_read_nowhere_else(url: str, fault: str) -> None:
    """And a password in a URL is not repeated to anybody."""
    assert find_url_fault(url) == fault


@pytest.mark.parametrize("url", LOOPBACK)
def test_metadata_from_elsewhere_cannot_point_to_this_host(url: str) -> None:
    """THREATS.md JWKS-03: what listens on loopback expects no requests that others chose."""
    assert find_url_fault(url, tls_only=True) == "{url} is not read over TLS"


@pytest.mark.parametrize("url", GOOD)
def test_tls_is_good_enough_for_all(url: str) -> None:
    """The certificate says whose host it is."""
    assert find_url_fault(url, tls_only=True) == ""
