"""gateway.proxy.end_watch: nothing outlives its token or its time, and nobody else pays."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.errors import ConfigError, Place, Reason
from gateway.policy.revoked import RevocableToken
from gateway.policy.tokens import TokenVerifier, VerifiedToken
from gateway.proxy.end_watch import EndWatch, find_end
from gateway.proxy.sweeper import NEVER, Sweeper
from tests.kit.policy import Told, route
from tests.kit.tokens import NOW_S, issuer_of, mint


def verified() -> VerifiedToken:
    """Return a token that is good now."""
    return TokenVerifier((issuer_of(),)).verify(mint(), NOW_S)


TOKEN = verified()


class Stream:
    """Something that goes on until it is told to end."""

    def __init__(
        self,
        token: VerifiedToken | None = TOKEN,
        *,
        is_websocket: bool = False,
        max_duration_s: float | None = None,
    ) -> None:
        self.route = route("/", max_duration_s=max_duration_s)
        self.token = token
        self.is_websocket = is_websocket
        self.is_over = False
        self.ends: list[Reason] = []

    def on_end(self, reason: Reason) -> None:
        """Note it."""
        self.ends.append(reason)


class Damaged:
    """Revocations that cannot be read."""

    def is_stale(self, now_s: float) -> bool:
        """As far as the contact goes, all is well."""
        return now_s < 0

    def is_revoked(self, token: RevocableToken, now_s: float) -> bool:  # noqa: ARG002
        """Nobody knows."""
        raise ConfigError(Place("table"), "damaged")


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test inside a loop."""

    async def main() -> None:
        await test()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("now_s", "told", "reason"),
    [
        pytest.param(NOW_S, Told(), None, id="good"),
        pytest.param(TOKEN.expires_at_s - 0.1, Told(), None, id="last-moment"),
        pytest.param(TOKEN.expires_at_s, Told(), Reason.TOKEN_EXPIRED, id="expired"),
        pytest.param(NOW_S, Told(TOKEN.claims["jti"]), Reason.TOKEN_REVOKED, id="revoked"),
        pytest.param(NOW_S, Told(stale=True), Reason.STORE_UNAVAILABLE, id="nobody-knows"),
        pytest.param(NOW_S, Damaged(), Reason.STORE_UNAVAILABLE, id="damaged"),
    ],
)
def test_a_token_ends_as_it_would_be_refused(
    now_s: float, told: Told, reason: Reason | None
) -> None:
    """The same two questions as for a request; who cannot answer them lets nothing go on."""
    assert find_end(TOKEN, now_s, told) is reason


def test_each_is_ended_once_and_forgotten() -> None:
    """The others go on."""

    async def test() -> None:
        other = verified()
        watch = EndWatch(Sweeper(), lambda t: Reason.TOKEN_REVOKED if t is TOKEN else None)
        ended, lasting = Stream(), Stream(other)
        watch.watch(ended)
        watch.watch(lasting)
        watch.on_deadline()
        watch.on_deadline()

        assert (ended.ends, lasting.ends) == ([Reason.TOKEN_REVOKED], [])
        assert watch.count == 1

    run(test)


def test_there_is_no_look_without_anybody_to_look_at() -> None:
    """What is over is let go of; what has no token is never taken."""

    async def test() -> None:
        watch = EndWatch(Sweeper(), lambda _: None)
        watch.watch(Stream(None))
        assert watch.deadline_s == NEVER
        stream = Stream()
        watch.watch(stream)
        assert watch.deadline_s < NEVER
        stream.is_over = True
        watch.on_deadline()

        assert (watch.deadline_s, watch.count, stream.ends) == (NEVER, 0, [])

    run(test)


def test_what_has_gone_on_for_its_routes_time_is_ended() -> None:
    """With a good token or with none; not a moment early."""

    async def test() -> None:
        sweeper = Sweeper()
        watch = EndWatch(sweeper, lambda _: None)
        streams = [Stream(max_duration_s=5), Stream(None, max_duration_s=5)]
        for stream in streams:
            watch.watch(stream)
        sweeper.due_s = sweeper.now_s + 4.9
        watch.on_deadline()
        assert [stream.ends for stream in streams] == [[], []]
        sweeper.due_s = sweeper.now_s + 5
        watch.on_deadline()

        assert [stream.ends for stream in streams] == [[Reason.UPSTREAM_TIMEOUT]] * 2
        assert watch.count == 0

    run(test)


def test_a_failure_ends_what_it_met_and_is_not_the_last_look() -> None:
    """Fail closed: an unforeseen error is an end, and the others are looked at again."""

    async def test() -> None:
        def fail(_: VerifiedToken) -> Reason | None:
            raise RuntimeError

        watch = EndWatch(Sweeper(), fail)
        streams = [Stream(), Stream()]
        for stream in streams:
            watch.watch(stream)
        for _ in streams:
            with pytest.raises(RuntimeError):
                watch.on_deadline()
            assert watch.deadline_s < NEVER

        assert [stream.ends for stream in streams] == [[Reason.INTERNAL_ERROR]] * 2

    run(test)


def test_websockets_are_counted_by_user() -> None:
    """By issuer and sub; what is over, or is none, does not count."""

    async def test() -> None:
        watch = EndWatch(Sweeper(), lambda _: None)
        again, bob = verified(), TokenVerifier((issuer_of(),)).verify(mint({"sub": "bob"}), NOW_S)
        streams = [Stream(TOKEN, is_websocket=True), Stream(again, is_websocket=True)]
        for stream in (*streams, Stream(TOKEN), Stream(bob, is_websocket=True)):
            watch.watch(stream)

        assert watch.count_websockets(verified()) == 2
        assert watch.count_websockets(bob) == 1
        streams[0].is_over = True
        assert watch.count_websockets(TOKEN) == 1
        watch.on_deadline()
        assert (watch.count_websockets(TOKEN), watch.count) == (1, 3)

    run(test)
