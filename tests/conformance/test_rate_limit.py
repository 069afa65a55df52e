"""Rate limits on the wire: by subject and by address, behind a proxy that is trusted."""

from collections.abc import Iterator

import pytest

from tests.kit.gateway import GatewayProcess, bearer, configuration
from tests.kit.upstream import Upstream
from tests.kit.wire import Response, Wire


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A gateway with limits that are not refilled while the tests run."""
    with Upstream() as upstream:
        document = configuration(upstream.port, trusted_proxies=["127.0.0.1"])
        document["routes"] += [
            {
                "path": f"/by-{key}",
                "upstream": "raw",
                "auth": auth,
                "rate_limit": {"requests": 2, "per": "10h", "key": key},
                "cors": {"origins": ["https://app.test"]},
            }
            for key, auth in (("sub", "required"), ("address", "none"), ("org", "optional"))
        ]
        with GatewayProcess(document, tmp_path_factory.mktemp("limits")) as gateway:
            yield gateway.port


def ask(port: int, target: str, *fields: bytes, method: str = "GET") -> Response:
    """Send one request and return its answer."""
    first = f"{method} {target} HTTP/1.1\r\nHost: gw.test\r\n".encode("ascii")
    with Wire(port) as wire:
        wire.send(first + b"".join(fields) + b"\r\n")
        return wire.read_response(method.encode("ascii"))


def test_a_subject_is_limited_wherever_it_comes_from(port: int) -> None:
    """Refusals and preflights take nothing; another subject is not touched; a page can read it."""
    origin = b"Origin: https://app.test\r\n"
    asks = origin + b"Access-Control-Request-Method: GET\r\n"
    for _ in range(3):
        assert ask(port, "/by-sub").status == 401
        assert ask(port, "/by-sub", bearer(exp=1, sub="carol")).status == 401
        assert ask(port, "/by-sub", asks, method="OPTIONS").status == 204
    answers = [
        ask(port, "/by-sub", bearer(sub="carol"), origin, b"X-Forwarded-For: 1.1.1.%d\r\n" % n)
        for n in range(3)
    ]

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].reason == "rate_limited"
    (seconds,) = answers[2].header(b"retry-after")
    assert 17_900 < int(seconds) <= 18_000
    assert answers[2].header(b"access-control-allow-origin") == [b"https://app.test"]
    assert ask(port, "/by-sub", bearer(sub="dave")).status == 200


def test_an_address_is_limited_whoever_it_is(port: int) -> None:
    """The right-most one that is no proxy of ours: what a client puts before it changes nothing."""
    chains = [b"6.6.6.6", b"1.1.1.1, 6.6.6.6", b"2.2.2.2,6.6.6.6", b"6.6.6.7"]
    statuses = [
        ask(port, "/by-address", b"X-Forwarded-For: %b\r\n" % chain).status for chain in chains
    ]

    assert statuses == [200, 200, 429, 200]


def test_without_the_claim_the_address_counts(port: int) -> None:
    """Anonymous requests, and tokens that lack it, share the bucket of their address."""
    requests = [(), (bearer(),), (), (bearer(org="a"),), (bearer(org="b"),)]

    assert [ask(port, "/by-org", *fields).status for fields in requests] == [
        200, 200, 429, 200, 200,
    ]  # fmt: skip
