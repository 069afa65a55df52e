"""The token buckets of one worker."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.model import Auth
from gateway.policy.rate_limits import RateLimit
from gateway.proxy.rate_limiter import RateLimiter
from tests.kit.policy import head, route, snapshot
from tests.kit.transport import Client

LIMIT = RateLimit(3, 60, "address")


def test_a_bucket_empties_and_fills_evenly() -> None:
    """So many at once, then one in each part of the period."""
    limiter = RateLimiter()

    def take(now_s: float) -> float:
        return limiter.take("r", LIMIT, b"k", now_s)

    assert [take(0), take(0), take(0)] == [0, 0, 0]
    assert [take(0), take(5)] == [20, 15]
    assert [take(20), take(20)] == [0, 20]
    assert [take(1000), take(1000), take(1000), take(1000)] == [0, 0, 0, 20]


def test_each_key_and_each_route_has_a_bucket_of_its_own() -> None:
    """One client's flood is not another's."""
    limiter = RateLimiter()
    one = RateLimit(1, 60, "address")

    assert [limiter.take("r", one, b"a", 0), limiter.take("r", one, b"a", 0)] == [0, 60]
    assert [limiter.take("r", one, b"b", 0), limiter.take("s", one, b"a", 0)] == [0, 0]


def test_a_reload_that_leaves_the_limit_alone_gives_no_new_bucket() -> None:
    """Else whoever can make the gateway reload is never limited."""
    limiter = RateLimiter()
    assert limiter.take("r", RateLimit(1, 60, "address"), b"a", 0) == 0

    assert limiter.take("r", RateLimit(1, 60, "address"), b"a", 0) == 60
    assert limiter.take("r", RateLimit(2, 60, "address"), b"a", 0) == 0


def test_the_memory_of_buckets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of keys costs so much and no more; a key in use is not forgotten for it."""
    monkeypatch.setattr("gateway.proxy.rate_limiter.MAX_KEYS", 4)
    limiter = RateLimiter()
    for n in range(100):
        limiter.take("r", LIMIT, b"%d" % n, 0)
        limiter.take("r", LIMIT, b"used", 0)

    assert len(limiter._limits["r"][1]) <= 8
    assert limiter.take("r", LIMIT, b"used", 0) > 0


@given(
    waits=st.lists(st.floats(0, 30), max_size=60),
    requests=st.integers(1, 5),
)
def test_no_period_lets_more_through_than_twice_the_limit(
    waits: list[float], requests: int
) -> None:
    """A full bucket and what flows in meanwhile; and who waits as told is let in."""
    limiter, limit, period_s = RateLimiter(), RateLimit(requests, 10, "address"), 10
    now_s, taken = 0.0, []
    for wait_s in waits:
        now_s += wait_s
        left_s = limiter.take("r", limit, b"k", now_s)
        if left_s == 0:
            taken.append(now_s)
        else:
            assert 0 < left_s <= period_s / requests

    for start_s in taken:
        assert len([t for t in taken if start_s <= t < start_s + period_s]) <= 2 * requests


def test_a_request_over_the_limit_is_429_and_says_for_how_long() -> None:
    """Only what would be forwarded counts; the connection stays."""

    async def main() -> None:
        open_route = route("/open", auth=Auth.NONE, rate_limit=RateLimit(1, 60, "address"))
        client = Client(snapshot(open_route, route("/p", rate_limit=RateLimit(1, 60, "sub"))))
        connection, service = client.connect_upstream(open_route.upstream)
        for _ in range(2):
            client.protocol.data_received(head("/p"))
        assert client.transport.written.count(b"HTTP/1.1 401") == 2

        client.protocol.data_received(head("/open"))
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        client.pass_time(1.5)
        client.protocol.data_received(head("/open"))
        assert client.transport.written.count(b"HTTP/1.1 429 ") == 1
        assert b"Retry-After: 59\r\n" in client.transport.written
        assert b'"reason": "rate_limited"' in client.transport.written
        client.pass_time(58.5)
        client.protocol.data_received(head("/open"))
        assert service.written.count(b"GET /open") == 2

    asyncio.run(main())
