"""Headers that a route sets and removes, on the wire: identity and framing are never among them."""

from collections.abc import Iterator

import pytest

from tests.kit.gateway import GatewayProcess, bearer, configuration
from tests.kit.script import respond
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Upstream, GatewayProcess]]:
    """A service, and a gateway with a route that changes headers both ways."""
    with Upstream() as upstream:
        document = configuration(upstream.port)
        document["routes"].append(
            {
                "path": "/changed",
                "upstream": "raw",
                "request_headers": {"set": {"X-Tenant": "acme"}, "remove": ["X-Debug"]},
                "response_headers": {"set": {"X-Frame-Options": "DENY"}, "remove": ["Server"]},
            }
        )
        with GatewayProcess(document, tmp_path_factory.mktemp("changes")) as gateway:
            yield upstream, gateway


def test_the_service_gets_what_the_route_sets(live: tuple[Upstream, GatewayProcess]) -> None:
    """Whatever the client says of it, in any spelling; Connection cannot take it away."""
    upstream, gateway = live
    upstream.settle()
    with Wire(gateway.port) as wire:
        wire.send(
            b"GET /changed HTTP/1.1\r\nHost: gw.test\r\nConnection: x-tenant, x-user\r\n"
            b"X-Tenant: evil\r\nX_Tenant: evil\r\nx-debug: 1\r\nX-User: root\r\nX-Keep: 1\r\n"
            + bearer()
            + b"\r\n"
        )
        assert wire.read_response().status == 200
    (seen,) = upstream.requests

    assert (seen.header(b"x-tenant"), seen.header(b"x-debug")) == ([b"acme"], [])
    assert (seen.header(b"x-user"), seen.header(b"x-keep")) == ([b"alice"], [b"1"])
    assert seen.header(b"x_tenant") == []


def test_the_client_gets_what_the_route_sets(live: tuple[Upstream, GatewayProcess]) -> None:
    """The service's own field of that name is replaced; the framing is whole."""
    upstream, gateway = live
    upstream.settle()
    upstream.play(
        respond(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nserver: old\r\nx-frame-options: ALLOW\r\n"
            b"X-Keep: 1\r\n\r\nhi"
        )
    )
    with Wire(gateway.port) as wire:
        wire.send(b"GET /changed HTTP/1.1\r\nHost: gw.test\r\n" + bearer() + b"\r\n")
        answer = wire.read_response()

    assert (answer.status, answer.body) == (200, b"hi")
    assert (answer.header(b"server"), answer.header(b"x-keep")) == ([], [b"1"])
    assert answer.header(b"x-frame-options") == [b"DENY"]
