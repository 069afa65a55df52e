"""Who may ask the admin listener: its names, its token, and no page of a browser."""

import asyncio
from typing import Final

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from gateway.control.admin_token import AdminToken
from gateway.control.guard import Guard, listener_names
from gateway.errors import ProtocolError, Reason

TOKEN: Final = "canary-admin-token"
NAMES: Final = listener_names(["127.0.0.1"])


def check(guard: Guard, *fields: tuple[str, str], method: str = "GET", body: bytes = b"") -> None:
    """Ask the guard about a request."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]
    request = Request({"type": "http", "method": method, "headers": headers}, receive)
    asyncio.run(guard.check(request))


def reason_of(guard: Guard, *fields: tuple[str, str], **more: str) -> Reason | None:
    """Return why a request is refused, if it is."""
    try:
        check(guard, *fields, **more)  # type: ignore[arg-type]
    except ProtocolError as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    ("listeners", "names"),
    [
        pytest.param(["127.0.0.1"], {"127.0.0.1", "localhost", "[::1]"}, id="loopback"),
        pytest.param(["::1"], {"127.0.0.1", "localhost", "[::1]"}, id="loopback-v6"),
        pytest.param(["localhost"], {"127.0.0.1", "localhost", "[::1]"}, id="localhost"),
        pytest.param(
            ["127.0.0.2"], {"127.0.0.2", "127.0.0.1", "localhost", "[::1]"}, id="another-loopback"
        ),
        pytest.param(["10.0.0.7"], {"10.0.0.7"}, id="address"),
        pytest.param(["fd00::7"], {"[fd00::7]"}, id="address-v6"),
        pytest.param(["Admin.gw.test"], {"admin.gw.test"}, id="name"),
        pytest.param(["10.0.0.7", "gw.test"], {"10.0.0.7", "gw.test"}, id="several"),
        pytest.param(["0.0.0.0"], None, id="all"),  # noqa: S104
        pytest.param(["10.0.0.7", "::"], None, id="all-v6"),
        pytest.param([], set(), id="none"),
    ],
)
def test_a_listener_has_names(listeners: list[str], names: set[str] | None) -> None:
    """Its host as configured; on loopback all that people call this host; on all addresses any."""
    assert listener_names(listeners) == names


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8081",
        "127.0.0.1:1",
        "localhost",
        "LOCALHOST:8081",
        "localhost.",
        "[::1]",
        "[::1]:8081",
    ],
)
def test_a_listener_is_called_by_its_name(host: str) -> None:
    """With any port: a tunnel has its own."""
    assert reason_of(Guard(AdminToken(None), NAMES), ("Host", host)) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "evil.test:8081",
        "127.0.0.1.evil.test",
        "localhost.evil.test",
        "evil-localhost",
        "127.0.0.2",
        "127.1",
        "0x7f000001",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "127.0.0.1:8081:8081",
        "127.0.0.1@evil.test",
        "user@127.0.0.1",
        "127.0.0.1, evil.test",
        "127.0.0.1/",
        " ",
        "",
        "\u00e9",
    ],
)
def test_a_name_that_is_not_the_listeners_is_refused(host: str) -> None:
    """THREATS OPS-10: a page whose name points to this host asks for that name (rebinding)."""
    guard = Guard(AdminToken(TOKEN), NAMES)

    fields = (("Host", host), ("Authorization", f"Bearer {TOKEN}"))
    assert reason_of(guard, *fields) is Reason.MISDIRECTED_REQUEST


def test_a_listener_must_be_called_once() -> None:
    """Without a name, or with two, nobody knows what was meant."""
    guard = Guard(AdminToken(None), NAMES)
    host = ("Host", "127.0.0.1")

    assert reason_of(guard) is Reason.MISDIRECTED_REQUEST
    assert reason_of(guard, host, host) is Reason.MISDIRECTED_REQUEST


def test_a_listener_on_all_addresses_is_called_anything_but_asks_for_the_token() -> None:
    """A page has no token; so one that asks for neither cannot be made."""
    guard = Guard(AdminToken(TOKEN), None)
    host, token = ("Host", "gw.test"), ("Authorization", f"Bearer {TOKEN}")

    assert reason_of(guard, host, token) is None
    assert reason_of(guard, host) is Reason.CREDENTIAL_MISSING
    with pytest.raises(ValueError, match="needs a token"):
        Guard(AdminToken(None), None)


@pytest.mark.parametrize(
    ("fields", "is_refused"),
    [
        pytest.param([("Origin", "https://evil.test")], True, id="origin"),
        pytest.param([("Origin", "http://127.0.0.1:8081")], True, id="own-origin"),
        pytest.param([("Origin", "null")], True, id="null-origin"),
        pytest.param([("Origin", "")], True, id="empty-origin"),
        pytest.param([("Sec-Fetch-Site", "cross-site")], True, id="cross-site"),
        pytest.param([("Sec-Fetch-Site", "same-site")], True, id="same-site"),
        pytest.param([("Sec-Fetch-Site", "None")], True, id="other-case"),
        pytest.param([("Sec-Fetch-Site", "")], True, id="empty-site"),
        pytest.param(
            [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")], True, id="two-sites"
        ),
        pytest.param([("Sec-Fetch-Site", "none")], False, id="typed-by-a-person"),
        pytest.param([("Sec-Fetch-Site", "same-origin")], False, id="same-origin"),
        pytest.param([("Referer", "https://evil.test/")], False, id="referer"),
        pytest.param([], False, id="curl"),
    ],
)
def test_a_page_of_a_browser_is_refused(fields: list[tuple[str, str]], *, is_refused: bool) -> None:
    """Fetch Metadata section 2.3, Fetch section 3.2: whatever says that a page sent it."""
    guard = Guard(AdminToken(None), NAMES)

    expected = Reason.ORIGIN_DENIED if is_refused else None
    assert reason_of(guard, ("Host", "localhost"), *fields) is expected


@pytest.mark.parametrize(
    ("method", "fields", "body", "is_refused"),
    [
        pytest.param("POST", [], b"", False, id="no-body"),
        pytest.param("POST", [("Content-Type", "text/plain")], b"", False, id="type-alone"),
        pytest.param("POST", [("Content-Type", "application/json")], b"{", False, id="json"),
        pytest.param("POST", [], b"{}", True, id="no-type"),
        pytest.param("PATCH", [("Content-Type", "text/plain")], b"{}", True, id="text"),
        pytest.param("DELETE", [("Content-Type", "text/plain")], b"{}", True, id="delete"),
        pytest.param(
            "POST",
            [("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
            b"{}",
            True,
            id="gzip",
        ),
        pytest.param("GET", [("Content-Type", "text/plain")], b"{}", False, id="get"),
    ],
)
def test_a_body_says_that_it_is_json(
    method: str, fields: list[tuple[str, str]], body: bytes, *, is_refused: bool
) -> None:
    """A page can send other types without asking first; the body of a GET is not looked at."""
    guard = Guard(AdminToken(None), NAMES)
    host = ("Host", "localhost")

    if not is_refused:
        check(guard, host, *fields, method=method, body=body)
        return
    with pytest.raises(ProtocolError) as caught:
        check(guard, host, *fields, method=method, body=body)
    assert caught.value.reason is Reason.UNSUPPORTED_MEDIA_TYPE


def test_what_is_refused_never_comes_to_its_endpoint() -> None:
    """The endpoint is asked only when all has been checked."""
    asked: list[Request] = []

    async def endpoint(request: Request) -> Response:
        asked.append(request)
        return Response()

    protected = Guard(AdminToken(TOKEN), NAMES).protect(endpoint)

    async def ask(*fields: tuple[bytes, bytes]) -> None:
        await protected(Request({"type": "http", "method": "GET", "headers": list(fields)}))

    host = (b"host", b"localhost")
    with pytest.raises(ProtocolError):
        asyncio.run(ask(host))
    assert asked == []
    asyncio.run(ask(host, (b"authorization", b"Bearer " + TOKEN.encode())))
    assert len(asked) == 1
