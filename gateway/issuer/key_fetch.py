"""Reads the keys of other issuers over HTTP: little, soon, and from nowhere else than was said.

What an answer can cost is bounded before it is looked at: two seconds from the first to the last
byte, 256 KiB, no redirect, no compression. The environment names no proxy and no passwords here
(``.netrc``); ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name other authorities than certifi's.

This module is imported only where it is needed: httpx takes as long to load as all the rest.

Sources: OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3, RFC 9111 section 5.2.2.1.
"""

import asyncio
import ssl
from typing import Final
from urllib.parse import urlsplit

import httpx

from gateway.errors import CredentialError
from gateway.issuer.jwks import MAX_SET_BYTES
from gateway.issuer.key_source import (
    FRESH_S,
    MAX_FRESH_S,
    MIN_FRESH_S,
    KeyDocument,
    ReadKeys,
    UnreadableKeysError,
)
from gateway.policy.key_urls import find_url_fault
from gateway.policy.tokens import parse_json_object

FETCH_S: Final = 2.0  # THREATS.md JWKS-03; of each document, from the look-up to the last byte
_FIELDS: Final = {
    "Accept": "application/jwk-set+json, application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "auth-gateway",
}
_MAX_AGE_DIGITS: Final = 9


class _StatusError(UnreadableKeysError):
    """The server answered, but not with a document."""


class Fetcher:
    """Fetches small documents."""

    def __init__(self) -> None:
        self._tls: ssl.SSLContext | None = None

    async def fetch(self, url: str) -> KeyDocument:
        """Fetch a document.

        Raises:
            UnreadableKeysError: It is not to be had in time, or it is too large.
        """
        if self._tls is None:  # reading the authorities' certificates takes a while
            self._tls = await asyncio.to_thread(httpx.create_ssl_context)
        try:
            async with asyncio.timeout(FETCH_S):
                return await self._get(url, self._tls)
        except TimeoutError:
            raise UnreadableKeysError(f"it took longer than {FETCH_S:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
            raise UnreadableKeysError(f"it cannot be fetched ({type(error).__name__})") from None

    async def _get(self, url: str, tls: ssl.SSLContext) -> KeyDocument:
        client = httpx.AsyncClient(verify=tls, trust_env=False, headers=_FIELDS)
        async with client, client.stream("GET", url, follow_redirects=False) as response:
            if response.status_code != httpx.codes.OK:
                raise _StatusError(f"the answer was {response.status_code}")
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise UnreadableKeysError("the answer is compressed, which was not asked for")
            data = bytearray()
            async for chunk in response.aiter_raw():
                data += chunk
                if len(data) > MAX_SET_BYTES:
                    raise UnreadableKeysError(f"it is larger than {MAX_SET_BYTES // 1024} KiB")
            return KeyDocument(bytes(data), _fresh_s(response.headers.get("cache-control", "")))


def url_reader(fetcher: Fetcher, url: str) -> ReadKeys:
    """Return what reads the JWK Set at *url*."""

    async def read() -> KeyDocument:
        return await fetcher.fetch(url)

    return read


def discovery_reader(fetcher: Fetcher, issuer: str) -> ReadKeys:
    """Return what finds the JWK Set in the metadata of *issuer*, anew each time, and reads it."""

    async def read() -> KeyDocument:
        return await fetcher.fetch(await _discover(fetcher, issuer))

    return read


async def _discover(fetcher: Fetcher, issuer: str) -> str:
    """Return where the JWK Set of *issuer* is."""
    first, second = metadata_urls(issuer)
    try:
        document = await fetcher.fetch(first)
    except _StatusError:
        document = await fetcher.fetch(second)
    try:
        metadata = parse_json_object(document.data)
    except CredentialError:
        raise UnreadableKeysError("its metadata is not one JSON object") from None
    # > The issuer value returned MUST be identical to the Issuer URL that was used as the prefix
    #   -- OpenID Connect Discovery 1.0 section 4.3
    if metadata.get("issuer") != issuer:
        raise UnreadableKeysError("its metadata is of another issuer")
    url = metadata.get("jwks_uri")
    if not isinstance(url, str) or find_url_fault(url, tls_only=_is_tls(issuer)):
        raise UnreadableKeysError("its metadata has no jwks_uri that keys are read at")
    return url


def metadata_urls(issuer: str) -> tuple[str, str]:
    """Return where an issuer's metadata may be: by OpenID Connect, and by RFC 8414."""
    base = issuer.removesuffix("/")
    parts = urlsplit(base)
    origin = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{base}/.well-known/openid-configuration",
        f"{origin}/.well-known/oauth-authorization-server{parts.path}",
    )


def _is_tls(url: str) -> bool:
    return urlsplit(url).scheme == "https"


def _fresh_s(cache_control: str) -> float:
    """Return for how long an answer need not be asked for again."""
    for directive in cache_control.split(","):
        name, _, value = directive.strip().partition("=")
        value = value.strip('"')
        is_number = value.isascii() and value.isdecimal() and len(value) <= _MAX_AGE_DIGITS
        if name.lower() == "max-age" and is_number:
            return min(max(float(value), MIN_FRESH_S), MAX_FRESH_S)
    return FRESH_S
