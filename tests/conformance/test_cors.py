"""CORS on the wire: preflights are answered here, everything else is authenticated.

Source: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.gateway import GatewayProcess, bearer, configuration
from tests.kit.script import respond
from tests.kit.upstream import RefusedPort, Upstream
from tests.kit.wire import Response, Wire

APP = b"https://app.test"
ASKS = b"Origin: https://app.test\r\nAccess-Control-Request-Method: PUT\r\n"


def _cors() -> dict[str, Any]:
    return {"origins": ["https://app.test"], "expose_headers": ["X-Total"], "credentials": True}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Upstream, GatewayProcess]]:
    """A service, and a gateway that owns CORS on some of its routes."""
    with Upstream() as upstream, RefusedPort() as refused:
        document = configuration(upstream.port)
        document["upstreams"]["gone"] = {"endpoints": [f"http://127.0.0.1:{refused.port}"]}
        document["routes"] += [
            {"path": "/cors", "upstream": "raw", "cors": _cors()},
            {"path": "/any", "upstream": "raw", "auth": "none", "cors": {"origins": ["*"]}},
            {"path": "/small-cors", "upstream": "raw", "auth": "none", "cors": _cors(),
             "max_body": "1B"},
            {"path": "/gone", "upstream": "gone", "auth": "none", "cors": _cors()},
        ]  # fmt: skip
        with GatewayProcess(document, tmp_path_factory.mktemp("cors")) as gateway:
            yield upstream, gateway


def ask(gateway: GatewayProcess, first: str, fields: bytes = b"", body: bytes = b"") -> Response:
    """Send one request and return its answer."""
    method = first.split(maxsplit=1)[0].encode("ascii")
    with Wire(gateway.port) as wire:
        wire.send(b"%b HTTP/1.1\r\nHost: gw.test\r\n%b\r\n%b" % (first.encode(), fields, body))
        return wire.read_response(method)


def test_a_preflight_is_answered_without_a_credential(
    live: tuple[Upstream, GatewayProcess],
) -> None:
    """204, what may be sent, and the service hears of nothing."""
    upstream, gateway = live
    upstream.settle()
    answer = ask(gateway, "OPTIONS /cors", ASKS + b"Access-Control-Request-Headers: x-a\r\n")

    assert (answer.status, answer.body, upstream.byte_count) == (204, b"", 0)
    assert answer.header(b"access-control-allow-origin") == [APP]
    assert answer.header(b"access-control-allow-credentials") == [b"true"]
    assert answer.header(b"access-control-allow-methods") == [b"PUT"]
    (headers,) = answer.header(b"access-control-allow-headers")
    assert headers.lower() == b"content-type, authorization, access-token"
    assert answer.header(b"access-control-max-age") == [b"600"]
    assert not answer.closes


def test_another_origins_preflight_grants_nothing(live: tuple[Upstream, GatewayProcess]) -> None:
    """204 without a permission is a refusal to browsers, and tells others no more."""
    answer = ask(live[1], "OPTIONS /cors", ASKS.replace(b"app", b"evil"))

    assert answer.status == 204
    assert not [name for name, _ in answer.headers if name.startswith(b"access-control-")]


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        pytest.param(b"", b"", id="plain"),
        pytest.param(b"Origin: https://app.test\r\n", b"", id="without-method"),
        pytest.param(b"Access-Control-Request-Method: PUT\r\n", b"", id="without-origin"),
        pytest.param(ASKS + b"Content-Length: 1\r\n", b"x", id="with-a-body"),
        pytest.param(ASKS + b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", id="chunked"),
        pytest.param(ASKS + b"Origin: https://b.test\r\n", b"", id="two-origins"),
    ],
)
def test_any_other_options_is_authenticated(
    live: tuple[Upstream, GatewayProcess], fields: bytes, body: bytes
) -> None:
    """THREATS.md PATH-28."""
    upstream, gateway = live
    upstream.settle()
    answer = ask(gateway, "OPTIONS /cors", fields, body)

    assert (answer.status, answer.reason) == (401, "credential_missing")
    assert upstream.byte_count == 0


@pytest.mark.parametrize(
    ("first", "fields", "status"),
    [
        pytest.param("GET /cors", b"", 401, id="credential"),
        pytest.param("GET /cors", bearer(exp=1), 401, id="expired"),
        pytest.param("GET /gone", b"", 502, id="service-gone"),
        pytest.param("POST /small-cors", b"Content-Length: 2\r\n", 413, id="length"),
        pytest.param("POST /small-cors", b"Transfer-Encoding: chunked\r\n", 413, id="chunked"),
    ],
)
def test_the_page_can_read_a_refusal(
    live: tuple[Upstream, GatewayProcess], first: str, fields: bytes, status: int
) -> None:
    """Of the gateway itself, before and after the decision."""
    body = b"5\r\nabcde\r\n0\r\n\r\n" if b"chunked" in fields else b""
    answer = ask(live[1], first, b"Origin: https://app.test\r\n" + fields, body)

    assert answer.status == status
    assert answer.header(b"access-control-allow-origin") == [APP]
    assert answer.header(b"access-control-expose-headers") == [b"X-Total"]
    assert answer.header(b"vary") == [b"Origin"]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [(APP, [APP]), (b"HTTPS://App.test", [b"HTTPS://App.test"]), (b"null", []), (b"https://b", [])],
)
def test_the_gateway_is_the_one_owner_of_cors(
    live: tuple[Upstream, GatewayProcess], origin: bytes, allowed: list[bytes]
) -> None:
    """Whatever the service says of CORS is replaced; the request is forwarded either way."""
    upstream, gateway = live
    upstream.settle()
    upstream.play(
        respond(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: *\r\n"
            b"access-control-allow-credentials: true\r\nVary: Accept\r\nX-Total: 3\r\n\r\nhi"
        )
    )
    answer = ask(gateway, "GET /cors", bearer() + b"Origin: " + origin + b"\r\n")

    assert (answer.status, answer.body, answer.header(b"x-total")) == (200, b"hi", [b"3"])
    assert answer.header(b"access-control-allow-origin") == allowed
    assert answer.header(b"access-control-allow-credentials") == [b"true"] * len(allowed)
    assert answer.header(b"vary") == [b"Accept", b"Origin"]


def test_every_origin_may_read_what_is_public(live: tuple[Upstream, GatewayProcess]) -> None:
    """``*`` without credentials depends on no origin, so that caches need not know."""
    answer = ask(live[1], "GET /any", b"Origin: null\r\n")

    assert answer.header(b"access-control-allow-origin") == [b"*"]
    assert answer.header(b"access-control-allow-credentials") == []
    assert answer.header(b"vary") == []
