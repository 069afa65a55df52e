"""Where the keys of others may be read: whoever can change what is there can sign tokens."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

_SCHEMES: Final = ("http", "https")


def find_url_fault(text: str, *, tls_only: bool = False) -> str:
    """Return why keys are not read at a URL, or nothing where they are; ``{url}`` is the text.

    It is TLS, or this very host: a network in between could forge every token.

    Args:
        text: The URL.
        tls_only: Whether this host is no exception. Metadata that came from elsewhere must not
            point to what only this host can reach.
    """
    if not text.isascii() or not text.isprintable() or any(c in text for c in ' \\<>"'):
        return "{url} is not a URL"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:  # a port or an address that is none
        return "{url} is not a URL"
    if parts.scheme not in _SCHEMES or not host or port == 0:
        return "{url} is not an http URL of a host"
    if "@" in parts.netloc:
        return "the URL has a user or a password in it"
    if "#" in text:
        return "{url} has a fragment, which no server sees"
    if parts.scheme == "http" and (tls_only or not _is_loopback(host)):
        return "{url} is not read over TLS"
    return ""


def _is_loopback(host: str) -> bool:
    """Whether a name or an address is this host for certain; of names, only ``localhost`` is."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
