"""CORS: what a preflight is, who may read an answer, and what it then carries."""

import pytest

from gateway.http1.request import RequestHead
from gateway.policy.cors import Cors, origin_of, preflight_method
from tests.kit.policy import head, request, route, snapshot

KNOWN = snapshot(route("/p"))
ASKS = (b"Origin: https://app.test", b"Access-Control-Request-Method: PUT")
APP = frozenset((b"https://app.test",))
VARY_PREFLIGHT = b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def read(*lines: bytes, method: str = "OPTIONS") -> RequestHead:
    """Return a request head as the data plane reads it."""
    return request(KNOWN, head("/p", *lines, method=method)).head


@pytest.mark.parametrize(
    ("lines", "method", "asked"),
    [
        pytest.param(ASKS, "OPTIONS", b"PUT", id="true"),
        pytest.param((*ASKS, b"Content-Length: 0"), "OPTIONS", b"PUT", id="empty-body"),
        pytest.param((*ASKS, b"Content-Length: 1"), "OPTIONS", None, id="body"),
        pytest.param((*ASKS, b"Transfer-Encoding: chunked"), "OPTIONS", None, id="chunked-body"),
        pytest.param(ASKS, "GET", None, id="no-options"),
        pytest.param(ASKS[:1], "OPTIONS", None, id="no-method"),
        pytest.param(ASKS[1:], "OPTIONS", None, id="no-origin"),
        pytest.param((b"Origin:", ASKS[1]), "OPTIONS", None, id="empty-origin"),
        pytest.param((*ASKS, ASKS[0]), "OPTIONS", None, id="two-origins"),
        pytest.param((*ASKS, ASKS[1]), "OPTIONS", None, id="two-methods"),
        pytest.param((*ASKS, b"Connection: origin"), "OPTIONS", None, id="named-in-connection"),
        pytest.param((), "OPTIONS", None, id="plain"),
    ],
)
def test_only_a_true_preflight_is_one(
    lines: tuple[bytes, ...], method: str, asked: bytes | None
) -> None:
    """THREATS.md PATH-28: nothing that a service would act on is answered unauthenticated."""
    assert preflight_method(read(*lines, method=method)) == asked


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (b"https://app.test", True),
        (b"HTTPS://APP.test", True),
        (b"http://app.test", False),
        (b"https://app.test:8443", False),
        (b"https://app.test.evil.test", False),
        (b"https://evil-app.test", False),
        (b"https://app.test/", False),
        (b"null", False),
        (None, False),
    ],
)
def test_an_origin_is_compared_whole(*, origin: bytes | None, allowed: bool) -> None:
    """Scheme, host and port; no prefix, no suffix, no wildcard."""
    assert Cors(origins=APP).allows(origin) == allowed


def test_every_origin_is_every_one_that_is_named() -> None:
    """Without an origin no page asks."""
    cors = Cors(any_origin=True)

    assert [cors.allows(origin) for origin in (b"https://a", b"null", None)] == [True, True, False]


@pytest.mark.parametrize(
    ("cors", "origin", "expected"),
    [
        pytest.param(
            Cors(origins=APP),
            [b"Origin: https://app.test"],
            [(b"Access-Control-Allow-Origin", b"https://app.test"), (b"Vary", b"Origin")],
            id="allowed",
        ),
        pytest.param(
            Cors(origins=APP, credentials=True, expose_headers=(b"X-A", b"X-B")),
            [b"Origin: https://app.test"],
            [
                (b"Access-Control-Allow-Origin", b"https://app.test"),
                (b"Access-Control-Allow-Credentials", b"true"),
                (b"Access-Control-Expose-Headers", b"X-A, X-B"),
                (b"Vary", b"Origin"),
            ],
            id="credentials",
        ),
        pytest.param(
            Cors(origins=APP, credentials=True, expose_headers=(b"X-A",)),
            [b"Origin: https://other.test"],
            [(b"Vary", b"Origin")],
            id="another",
        ),
        pytest.param(Cors(origins=APP), [], [(b"Vary", b"Origin")], id="none"),
        pytest.param(
            Cors(any_origin=True), [], [(b"Access-Control-Allow-Origin", b"*")], id="every-one"
        ),
        pytest.param(
            Cors(any_origin=True, expose_headers=(b"X-A",)),
            [b"Origin: null"],
            [
                (b"Access-Control-Allow-Origin", b"*"),
                (b"Access-Control-Expose-Headers", b"X-A"),
            ],
            id="every-one-exposes",
        ),
    ],
)
def test_what_an_answer_carries(
    cors: Cors, origin: list[bytes], expected: list[tuple[bytes, bytes]]
) -> None:
    """The same when it is asked again; caches are told where it depends on the origin."""
    fields = read(*origin, method="GET").fields

    assert cors.answer_fields(fields) == expected
    assert cors.answer_fields(fields) is cors.answer_fields(fields)


def test_a_permitted_preflight_says_what_may_be_sent() -> None:
    """The method asked for, where the configuration names none: the route takes it."""
    fields = read(*ASKS).fields
    granted = Cors(origins=APP, headers=(b"X-A", b"X-B"), max_age_s=5)

    assert granted.preflight_fields(fields, b"PUT") == [
        (b"Access-Control-Allow-Origin", b"https://app.test"),
        (b"Access-Control-Allow-Methods", b"PUT"),
        (b"Access-Control-Allow-Headers", b"X-A, X-B"),
        (b"Access-Control-Max-Age", b"5"),
        (b"Vary", VARY_PREFLIGHT),
    ]
    named = Cors(origins=APP, methods=(b"GET", b"PUT")).preflight_fields(fields, b"PUT")
    assert (b"Access-Control-Allow-Methods", b"GET, PUT") in named
    assert b"Access-Control-Allow-Headers" not in dict(named)


def test_a_preflight_of_another_origin_is_granted_nothing() -> None:
    """Browsers take that for a refusal, whatever the status."""
    other = read(b"Origin: https://other.test", ASKS[1]).fields

    assert Cors(origins=APP).preflight_fields(other, b"PUT") == [(b"Vary", VARY_PREFLIGHT)]


def test_an_origin_that_is_said_twice_is_none() -> None:
    """Two readers could believe two pages."""
    assert origin_of(read(ASKS[0], ASKS[0]).fields) is None
