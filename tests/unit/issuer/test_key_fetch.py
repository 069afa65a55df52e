"""What is taken from another issuer's server, and what it can cost: THREATS.md JWKS-02 and -03."""

import asyncio
import gzip
import json
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from gateway.issuer import key_fetch
from gateway.issuer.jwks import MAX_SET_BYTES
from gateway.issuer.key_fetch import (
    FETCH_S,
    Fetcher,
    discovery_reader,
    metadata_urls,
    url_reader,
)
from gateway.issuer.key_source import FRESH_S, KeyDocument, UnreadableKeysError
from tests.kit.key_server import JWKS, Answer, KeyServer, key_set, say, stream
from tests.kit.tokens import signing_key

GOOD: Final = key_set(signing_key("ES256"))
OPENID: Final = "/.well-known/openid-configuration"
OAUTH: Final = "/.well-known/oauth-authorization-server"


@pytest.fixture
def server() -> Iterator[KeyServer]:
    """An issuer's server with a good set."""
    with KeyServer() as running:
        running.answers[JWKS] = say(GOOD)
        yield running


def _read(server: KeyServer) -> KeyDocument:
    async def read() -> KeyDocument:
        return await url_reader(Fetcher(), server.url())()

    return asyncio.run(read())


def _discover(issuer: str) -> KeyDocument:
    async def read() -> KeyDocument:
        return await discovery_reader(Fetcher(), issuer)()

    return asyncio.run(read())


def test_a_set_is_fetched(server: KeyServer) -> None:
    """One request, one document."""
    assert _read(server) == KeyDocument(GOOD, FRESH_S)
    assert server.asked == [JWKS]


@pytest.mark.parametrize(
    ("field", "fresh_s"),
    [
        ("max-age=600", 600),
        ("public, Max-Age=600, must-revalidate", 600),
        ('max-age="600"', 600),
        ("max-age=0", 60),
        ("max-age=86400", 3600),
        ("max-age=99999999999999999999", 300),
        ("max-age=-1", 300),
        ("max-age=\u00b2", 300),
        ("max-age", 300),
        ("no-store", 300),
        ("s-maxage=600", 300),
        ("", 300),
    ],
)
def test_the_server_says_how_long_a_set_is_fresh(
    server: KeyServer, field: str, fresh_s: float
) -> None:
    """Between a minute and an hour; five minutes where it does not say."""
    server.answers[JWKS] = say(GOOD, cache_control=field)

    assert _read(server).fresh_s == fresh_s


LARGE: Final = [b" " * 65536] * 3200  # 200 MiB
BAD: Final = [
    pytest.param(say(b"", 500), "the answer was 500", id="500"),
    pytest.param(say(GOOD, 203), "the answer was 203", id="203"),
    pytest.param(say(b"", 204), "the answer was 204", id="204"),
    pytest.param(say(b"", 404), "the answer was 404", id="404"),
    *(
        pytest.param(say(b"", status, location=to), f"the answer was {status}", id=to)
        for status, to in (
            (301, "/other.json"),
            (302, "file:///etc/passwd"),
            (307, "http://169.254.169.254/latest/meta-data"),
            (308, "https://elsewhere.test/jwks.json"),
        )
    ),
    pytest.param(
        say(gzip.compress(b" " * 50_000_000), content_encoding="gzip"),
        "the answer is compressed, which was not asked for",
        id="gzip-bomb",
    ),
    pytest.param(stream(LARGE), "it is larger than 256 KiB", id="200-MiB"),
    pytest.param(say(b" " * (MAX_SET_BYTES + 1)), "it is larger than 256 KiB", id="a-byte-over"),
    pytest.param(lambda _: None, "it cannot be fetched (RemoteProtocolError)", id="silence"),
    pytest.param(
        lambda request: request.wfile.write(b"220 mail.test ESMTP\r\n"),
        "it cannot be fetched (RemoteProtocolError)",
        id="no-http",
    ),
    pytest.param(
        lambda request: request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
        "it cannot be fetched (RemoteProtocolError)",
        id="cut",
    ),
]


@pytest.mark.parametrize(("answer", "why"), BAD)
def test_anything_but_a_small_plain_answer_is_refused(
    server: KeyServer, answer: Answer, why: str
) -> None:
    """JWKS-03: no redirects, no compression, no more than a set can have; one request each."""
    server.answers[JWKS] = answer

    with pytest.raises(UnreadableKeysError) as caught:
        _read(server)
    assert str(caught.value) == why
    assert server.asked == [JWKS]


def test_the_largest_answer_passes(server: KeyServer) -> None:
    """The limit is the last size that does."""
    server.answers[JWKS] = say(GOOD.ljust(MAX_SET_BYTES))

    assert len(_read(server).data) == MAX_SET_BYTES


@pytest.mark.parametrize("after_head", [False, True])
def test_a_slow_answer_is_given_up(
    server: KeyServer, monkeypatch: pytest.MonkeyPatch, *, after_head: bool
) -> None:
    """JWKS-03: the time is that of the whole, so that a byte now and then prolongs nothing."""
    monkeypatch.setattr(key_fetch, "FETCH_S", 0.2)
    over = threading.Event()
    drip = stream([b" "] * 1000, between=lambda: over.wait(0.05))
    server.answers[JWKS] = drip if after_head else lambda _: _wait(over)
    begun_s = time.monotonic()

    with pytest.raises(UnreadableKeysError, match="it took longer than"):
        _read(server)
    assert time.monotonic() - begun_s < 10
    over.set()
    assert FETCH_S == 2


def _wait(over: threading.Event) -> None:
    over.wait(60)


def test_a_server_that_is_not_there_is_a_fault_like_any_other() -> None:
    """And says no more than what kind of fault."""
    with KeyServer() as server:
        url = server.url()

    with pytest.raises(UnreadableKeysError, match=r"it cannot be fetched \(ConnectError\)"):
        asyncio.run(Fetcher().fetch(url))


def test_tls_is_verified(server: KeyServer) -> None:
    """Whoever is no server of that name is not listened to."""
    url = server.url().replace("http:", "https:")

    with pytest.raises(UnreadableKeysError, match="it cannot be fetched"):
        asyncio.run(Fetcher().fetch(url))


@pytest.mark.parametrize(
    ("issuer", "urls"),
    [
        (
            "https://login.test",
            (f"https://login.test{OPENID}", f"https://login.test{OAUTH}"),
        ),
        (
            "https://login.test/",
            (f"https://login.test{OPENID}", f"https://login.test{OAUTH}"),
        ),
        (
            "https://login.test:8443/realms/one/",
            (
                f"https://login.test:8443/realms/one{OPENID}",
                f"https://login.test:8443{OAUTH}/realms/one",
            ),
        ),
    ],
)
def test_metadata_is_where_the_standards_have_it(issuer: str, urls: tuple[str, str]) -> None:
    """OpenID Connect Discovery 4.1 appends, RFC 8414 section 3.1 inserts."""
    assert metadata_urls(issuer) == urls


def _metadata(server: KeyServer, **changes: Any) -> bytes:
    document = {"issuer": server.origin, "jwks_uri": server.url()} | changes
    return json.dumps(document).encode()


def test_keys_are_found_through_metadata(server: KeyServer) -> None:
    """OpenID Connect's first; it is read anew with each reading of the keys."""
    server.answers[OPENID] = say(_metadata(server))

    assert _discover(server.origin).data == GOOD
    assert server.asked == [OPENID, JWKS]


def test_rfc_8414_metadata_will_do(server: KeyServer) -> None:
    """Where there is none of OpenID Connect."""
    server.answers[OAUTH] = say(_metadata(server))

    assert _discover(server.origin).data == GOOD
    assert server.asked == [OPENID, OAUTH, JWKS]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param(
            {"issuer": "https://evil.test"}, "its metadata is of another issuer", id="iss"
        ),
        pytest.param({"issuer": None}, "its metadata is of another issuer", id="no-iss"),
        *(
            pytest.param(
                {"jwks_uri": url},
                "its metadata has no jwks_uri that keys are read at",
                id=str(url),
            )
            for url in (
                None,
                7,
                "/jwks.json",
                "file:///etc/passwd",
                "http://169.254.169.254/",
                "http://login.test/jwks.json",
                "https://user:secret@login.test/",
            )
        ),
    ],
)
def test_metadata_that_leads_elsewhere_is_refused(
    server: KeyServer, changes: dict[str, Any], why: str
) -> None:
    """JWKS-03; and an issuer that answers for another (Discovery 4.3)."""
    server.answers[OPENID] = say(_metadata(server, **changes))

    with pytest.raises(UnreadableKeysError) as caught:
        _discover(server.origin)
    assert str(caught.value) == why
    assert server.asked == [OPENID]


def test_the_issuer_of_metadata_is_compared_exactly(server: KeyServer) -> None:
    """A slash more is another issuer, as it is in tokens."""
    server.answers[OPENID] = say(_metadata(server))

    with pytest.raises(UnreadableKeysError, match="of another issuer"):
        _discover(server.origin + "/")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"issuer": "a", "issuer": "b"}'])
def test_metadata_is_read_as_strictly_as_a_token(server: KeyServer, body: bytes) -> None:
    """One JSON object, in one reading."""
    server.answers[OPENID] = say(body)

    with pytest.raises(UnreadableKeysError, match="its metadata is not one JSON object"):
        _discover(server.origin)


def test_metadata_of_a_remote_issuer_cannot_point_to_this_host(
    server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What listens on loopback here would get requests that a stranger chose."""
    issuer = "https://login.test"

    async def fetch(_: Fetcher, url: str) -> KeyDocument:
        assert url == issuer + OPENID
        return KeyDocument(_metadata(server, issuer=issuer))

    monkeypatch.setattr(Fetcher, "fetch", fetch)
    with pytest.raises(UnreadableKeysError, match="no jwks_uri"):
        _discover(issuer)
