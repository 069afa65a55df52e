"""gateway.policy.handshake: which handshakes may open a tunnel, and what the service is sent."""

import pytest

from gateway.errors import Reason
from gateway.http1.handshake import accept_of
from gateway.policy.cors import Cors
from gateway.policy.decide import decide
from gateway.policy.model import Auth, Forward, Respond
from gateway.policy.revoked import NoRevocations
from tests.kit.checked import WITH_BASIC, keyed, remember
from tests.kit.checked import WITH_KEY as WITH_API_KEY
from tests.kit.policy import (
    BEARER,
    COOKIE,
    answer,
    bearer,
    head,
    reason_of,
    request,
    route,
    snapshot,
    values_of,
)
from tests.kit.tokens import NOW_S, mint
from tests.kit.websocket import ACCEPT, KEY

CONNECTION = b"Connection: Upgrade"
UPGRADE = b"Upgrade: websocket"
VERSION = b"Sec-WebSocket-Version: 13"
WITH_KEY = b"Sec-WebSocket-Key: " + KEY
GOOD = (CONNECTION, UPGRADE, VERSION, WITH_KEY)
TOKEN = mint()
PLACES = (BEARER, COOKIE)
CORS = Cors(origins=frozenset((b"https://app.test",)), credentials=True)
SNAPSHOT = snapshot(
    route("/ws", websocket=True, places=PLACES),
    route("/known", websocket=True, places=PLACES, cors=CORS),
    route(
        "/pages", websocket=True, places=PLACES,
        cors=Cors(origins=frozenset((b"https://app.test",))),
    ),
    route("/open", websocket=True, places=PLACES, auth=Auth.NONE),
    route("/http", auth=Auth.NONE),
)  # fmt: skip


def test_the_service_is_sent_a_handshake_of_our_own() -> None:
    """The two hop-by-hop fields are set, the others pass; what it must prove is known."""
    decision = answer(SNAPSHOT, head("/ws", *GOOD, bearer(TOKEN), b"Sec-WebSocket-Protocol: chat"))

    assert isinstance(decision, Forward)
    assert decision.accept == ACCEPT == accept_of(KEY)
    assert values_of(decision, "upgrade") == [b"websocket"]
    assert values_of(decision, "connection") == [b"Upgrade"]
    assert values_of(decision, "sec-websocket-key") == [KEY]
    assert values_of(decision, "sec-websocket-protocol") == [b"chat"]


def test_an_ordinary_request_opens_nothing() -> None:
    """On a route for websockets, too."""
    decision = answer(SNAPSHOT, head("/ws", UPGRADE, bearer(TOKEN)))

    assert isinstance(decision, Forward)
    assert decision.accept is None
    assert values_of(decision, "upgrade") == []


@pytest.mark.parametrize(
    ("target", "lines", "reason"),
    [
        ("/http", GOOD, Reason.WEBSOCKET_REFUSED),
        ("/ws", GOOD, Reason.CREDENTIAL_MISSING),
        ("/open", (CONNECTION, b"Upgrade: websocket, h2c", *GOOD[2:]), Reason.WEBSOCKET_REFUSED),
        ("/open", GOOD[:3], Reason.WEBSOCKET_REFUSED),
        ("/open", (*GOOD, WITH_KEY), Reason.WEBSOCKET_REFUSED),
        ("/open", (*GOOD[:3], b"Sec-WebSocket-Key: x"), Reason.WEBSOCKET_REFUSED),
        ("/open", (*GOOD[:2], WITH_KEY), Reason.WEBSOCKET_VERSION),
        ("/open", (*GOOD, b"Sec-WebSocket-Version: 8"), Reason.WEBSOCKET_VERSION),
        (
            "/open",
            (b"Connection: upgrade, Sec-WebSocket-Key", *GOOD[1:]),
            Reason.WEBSOCKET_REFUSED,
        ),
    ],
)
def test_a_handshake_is_refused(target: str, lines: tuple[bytes, ...], reason: Reason) -> None:
    """RFC 6455 section 4.2.1, and THREATS.md WS-01, 02, 05, 06."""
    assert reason_of(answer(SNAPSHOT, head(target, *lines))) is reason


def test_another_method_or_version_opens_nothing() -> None:
    """RFC 6455 section 4.1: a GET of HTTP/1.1."""
    old = head("/open", *GOOD).replace(b"HTTP/1.1", b"HTTP/1.0")

    for message in (head("/open", *GOOD, method="PURGE"), old):
        assert reason_of(answer(SNAPSHOT, message)) is Reason.WEBSOCKET_REFUSED


def test_the_spoken_version_is_named() -> None:
    """RFC 6455 section 4.2.2, RFC 9110 section 15.5.22."""
    decision = answer(SNAPSHOT, head("/open", *GOOD[:2], WITH_KEY))

    assert isinstance(decision, Respond)
    assert (b"Sec-WebSocket-Version", b"13") in decision.fields
    assert (b"Upgrade", b"websocket") in decision.fields


@pytest.mark.parametrize(
    ("target", "origins", "passes"),
    [
        pytest.param("/ws", [], True, id="no-page"),
        pytest.param("/ws", [b"http://gw.test"], True, id="own"),
        pytest.param("/ws", [b"https://GW.test:443"], True, id="own-behind-tls"),
        pytest.param("/ws", [b"http://gw.test:8080"], False, id="another-port"),
        pytest.param("/ws", [b"https://evil.test"], False, id="another-host"),
        pytest.param("/ws", [b"https://app.test"], False, id="no-cors"),
        pytest.param("/ws", [b"null"], False, id="null"),
        pytest.param("/ws", [b""], False, id="empty"),
        pytest.param("/ws", [b"gw.test"], False, id="no-scheme"),
        pytest.param("/ws", [b"ftp://gw.test"], False, id="another-scheme"),
        pytest.param("/ws", [b"http://gw.test", b"http://gw.test"], False, id="twice"),
        pytest.param("/known", [b"https://app.test"], True, id="known"),
        pytest.param("/known", [b"https://evil.test"], False, id="unknown"),
        pytest.param("/pages", [b"https://app.test"], False, id="known-without-cookies"),
        pytest.param("/open", [b"https://evil.test"], True, id="the-cookie-counts-for-nothing"),
    ],
)
def test_a_cookie_counts_from_our_own_pages_only(
    target: str, origins: list[bytes], *, passes: bool
) -> None:
    """THREATS.md WS-03: browsers send it whichever page opens the websocket."""
    lines = [b"Origin: " + origin for origin in origins]
    message = head(target, *GOOD, b"Cookie: session=" + TOKEN, *lines)
    reason = reason_of(answer(SNAPSHOT, message))

    assert reason is (None if passes else Reason.ORIGIN_DENIED)


def test_over_tls_only_secure_pages_are_our_own() -> None:
    """A page of plain HTTP may have been put there on the way."""
    for scheme, reason in ((b"https", None), (b"http", Reason.ORIGIN_DENIED)):
        origin = b"Origin: " + scheme + b"://gw.test"
        read = request(
            SNAPSHOT, head("/ws", *GOOD, b"Cookie: session=" + TOKEN, origin), secure=True
        )
        assert reason_of(decide(SNAPSHOT, read, NOW_S, NoRevocations())) is reason


def test_a_header_needs_no_origin_of_ours() -> None:
    """No page can send it."""
    message = head("/ws", *GOOD, bearer(TOKEN), b"Origin: https://evil.test")

    assert reason_of(answer(SNAPSHOT, message)) is None


@pytest.mark.parametrize("origin", [b"http://gw.test", b"https://evil.test"])
def test_a_password_that_browsers_remember_counts_as_a_cookie_does(origin: bytes) -> None:
    """THREATS.md WS-03: it is sent whichever page opens the websocket; an API key is not."""
    known = keyed(websocket=True)
    remember(known)
    by_key, by_password = (
        reason_of(answer(known, head("/p", *GOOD, line, b"Origin: " + origin)))
        for line in (WITH_API_KEY, WITH_BASIC)
    )

    assert by_key is None
    assert by_password is (None if origin == b"http://gw.test" else Reason.ORIGIN_DENIED)
