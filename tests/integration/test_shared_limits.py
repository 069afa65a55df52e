"""Rate limits that workers and hosts share, while Redis is well and while it is not."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.kit.gateway import GatewayProcess, bearer, configuration
from tests.kit.redis_server import PASSWORD, RedisServer
from tests.kit.upstream import Upstream
from tests.kit.wire import Response, Wire

REQUESTS = 3


@dataclass
class Stage:
    """Redis, and two gateways that share it, the first with two workers."""

    redis: RedisServer
    upstream: Upstream
    gateways: list[GatewayProcess]
    next_subject: int = 0

    def subject(self) -> str:
        """Return somebody who has asked for nothing yet."""
        self.next_subject += 1
        return f"subject-{self.next_subject}"

    def ask(
        self, subject: str, path: str = "/local", gateway: int = 0, body: bytes = b""
    ) -> Response:
        """Send one request on a connection of its own, so that any worker may get it."""
        head = b"POST %b HTTP/1.1\r\nHost: gw.test\r\n%bContent-Length: %d\r\n\r\n"
        with Wire(self.gateways[gateway].port) as wire:
            wire.send(head % (path.encode("ascii"), bearer(sub=subject), len(body)) + body)
            return wire.read_response(b"POST")

    def statuses(self, count: int) -> list[int]:
        """Ask so often for one new subject, at both gateways by turns."""
        subject = self.subject()
        return [self.ask(subject, gateway=number % 2).status for number in range(count)]

    def is_shared(self) -> bool:
        """Whether both gateways count together."""
        return self.statuses(REQUESTS + 1) == [200] * REQUESTS + [429]

    def await_sharing(self) -> float:
        """Wait until they do; return how many seconds that took."""
        begun_s = time.monotonic()
        while not self.is_shared():
            assert time.monotonic() < begun_s + 30
        return time.monotonic() - begun_s


@pytest.fixture(scope="module")
def whole_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Everything of this module."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as redis, Upstream() as upstream:
        gateways = []
        for workers in (2, 1):
            document = configuration(upstream.port, redis=redis.url, workers=workers)
            document["admin"] = {"listen": "127.0.0.1:0"}
            document["routes"] += [
                {
                    "name": mode,
                    "path": f"/{mode}",
                    "upstream": "raw",
                    "rate_limit": {
                        "requests": REQUESTS,
                        "per": "10h",
                        "key": "sub",
                        "on_redis_failure": mode,
                    },
                }
                for mode in ("local", "refuse")
            ]
            gateways.append(GatewayProcess(document, tmp_path_factory.mktemp("gateway")))
        yield Stage(redis, upstream, gateways)
        for gateway in gateways:
            gateway.stop()


@pytest.fixture
def stage(whole_stage: Stage) -> Iterator[Stage]:
    """Everything, and no gateway prints a traceback or the password."""
    whole_stage.await_sharing()
    yield whole_stage
    for gateway in whole_stage.gateways:
        gateway.check_quiet()
        assert PASSWORD not in "\n".join(gateway.lines)


def test_workers_and_hosts_share_a_limit(stage: Stage) -> None:
    """Whoever is asked; ``Retry-After`` says when there is more, and others are not touched."""
    subject = stage.subject()
    answers = [stage.ask(subject, gateway=number % 2) for number in range(8)]

    assert [answer.status for answer in answers] == [200] * REQUESTS + [429] * 5
    (seconds,) = answers[-1].header(b"retry-after")
    assert 11_900 < int(seconds) <= 12_000
    assert answers[-1].reason == "rate_limited"
    assert stage.is_shared()


def test_routes_have_limits_of_their_own(stage: Stage) -> None:
    """One subject has a bucket on each."""
    subject = stage.subject()
    paths = ["/local", "/refuse"] * REQUESTS

    assert {stage.ask(subject, path).status for path in paths} == {200}


def test_a_body_is_held_back_and_passed_on(stage: Stage) -> None:
    """All of it, whether it came with the head or is large; a second request follows."""
    for body in (b"hello", b"x" * 300_000):
        response = stage.ask(stage.subject(), body=body)
        assert (response.status, response.json()["body"]) == (200, body.decode("ascii"))


def test_keys_expire_and_tell_nothing(stage: Stage) -> None:
    """A prefix and a hash, for as long as a bucket takes to be full."""
    stage.redis.client.flushall()
    subject = stage.subject()
    stage.ask(subject)
    (name,) = (str(each) for each in stage.redis.client.scan_iter())

    assert name.startswith("gateway:rate:")
    assert len(name) == len("gateway:rate:") + 64
    assert subject not in name
    assert 0 < stage.redis.client.ttl(name) <= 36_000 / REQUESTS + 2


def _read_only(redis: RedisServer) -> None:
    redis.client.replicaof("127.0.0.1", 1)


FAULTS: list[tuple[str, Callable[[RedisServer], object], Callable[[RedisServer], object]]] = [
    ("down", lambda redis: redis.stop(), lambda redis: redis.start()),
    ("frozen", lambda redis: redis.freeze(), lambda redis: redis.thaw()),
    ("read-only", _read_only, lambda redis: redis.client.replicaof("NO", "ONE")),
    (
        "full",
        lambda redis: redis.configure(maxmemory_policy="noeviction", maxmemory=1),
        lambda redis: redis.configure(maxmemory=0),
    ),
    (
        "locked",
        lambda redis: redis.client.acl_setuser("default", commands=["-eval", "-evalsha"]),
        lambda redis: redis.client.acl_setuser("default", commands=["+@all"]),
    ),
]


@pytest.mark.parametrize(
    ("fault", "repair"), [row[1:] for row in FAULTS], ids=[r[0] for r in FAULTS]
)
def test_without_redis_requests_are_limited_all_the_same(
    stage: Stage,
    fault: Callable[[RedisServer], object],
    repair: Callable[[RedisServer], object],
) -> None:
    """Each worker counts alone, or the route refuses; nobody waits long, and it comes back."""
    fault(stage.redis)
    try:
        begun_s = time.monotonic()
        first = stage.ask(stage.subject(), "/refuse")
        first_s = time.monotonic() - begun_s
        refused = stage.ask(stage.subject(), "/refuse", gateway=1)
        alone = stage.statuses(40)
    finally:
        repair(stage.redis)
    recovered_s = stage.await_sharing()

    assert (first.status, first.reason) == (503, "rate_limit_unavailable")
    assert (refused.status, refused.header(b"retry-after")) == (503, [b"1"])
    assert first_s < 2  # 100 ms, on a machine that does other things too
    assert alone[:REQUESTS] == [200] * REQUESTS
    # three workers in all, each with a bucket of its own
    assert REQUESTS < alone.count(200) <= 3 * REQUESTS
    assert set(alone) == {200, 429}
    assert recovered_s < 4  # 1 s of pause, and a try by each of three workers
    stage.gateways[1].wait_for_line("rate limits: Redis cannot be asked")
    stage.gateways[1].wait_for_line("rate limits: Redis answers again")


def test_operators_see_it(stage: Stage) -> None:
    """Ready all the same, since to take every host out would help nobody; and a number grows."""

    def admin(path: bytes) -> Response:
        with Wire(stage.gateways[1].admin_port) as wire:
            wire.send(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path)
            return wire.read_response()

    assert admin(b"/readyz").json()["components"]["rate_limits"] == "ok"
    stage.redis.stop()
    try:
        assert stage.ask(stage.subject(), gateway=1).status == 200
        ready = admin(b"/readyz")
        page = admin(b"/metrics").body.decode("ascii")
    finally:
        stage.redis.start()

    assert (ready.status, ready.json()["components"]["rate_limits"]) == (
        200,
        "each worker for itself",
    )
    (line,) = [s for s in page.splitlines() if s.startswith("gateway_rate_limits_alone_total")]
    assert float(line.split()[-1]) > 0
