"""gateway.proxy.deferred: what happens to a request while somebody else is asked about it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.errors import Reason
from gateway.http1.request import RequestHead
from gateway.policy.model import Respond, Route
from gateway.proxy.deferred import Deferred
from gateway.proxy.roles import Call
from tests.kit.policy import request, route, snapshot

ROUTE = route("/p")
POST = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
GET = b"GET /p HTTP/1.1\r\nHost: a\r\n\r\n"


class Recorder:
    """Client and call in one: notes what is asked of either."""

    draining = False
    answered = True
    route = ROUTE
    max_body_bytes = 7

    def __init__(self) -> None:
        self.noted: list[object] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **named: self.noted.append((name, *arguments, *named.values()))


class Trial:
    """A deferred call, between a client and the call that comes of it."""

    def __init__(self, head: bytes = POST, where: Route | None = ROUTE) -> None:
        self.client, self.call = Recorder(), Recorder()
        self.found: asyncio.Future[Call | Respond] = asyncio.get_running_loop().create_future()
        self.deferred = Deferred(self.client, _head(head), where, self._find())  # type: ignore[arg-type]

    async def _find(self) -> Call | Respond:
        return await self.found

    async def settle(self) -> None:
        """Let all that is due happen."""
        for _ in range(5):
            await asyncio.sleep(0)


def _head(data: bytes) -> RequestHead:
    return request(snapshot(ROUTE), data).head


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run *test* in a loop."""

    async def main() -> None:
        await test()

    asyncio.run(main())


def test_the_body_is_held_until_the_call_is_known() -> None:
    """No more is read meanwhile; then the call has the client, and what came of the body."""

    async def test() -> None:
        trial = Trial()
        deferred = trial.deferred
        deferred.start()
        deferred.on_body(b"he")
        deferred.pause_answer()
        deferred.resume_answer()
        assert trial.client.noted == [("pause_reading",)]
        assert (deferred.answered, deferred.route) == (False, ROUTE)
        assert deferred.max_body_bytes == ROUTE.max_body_bytes
        trial.found.set_result(trial.call)
        await trial.settle()
        handed = ("hand_over", trial.call)
        assert trial.client.noted == [("pause_reading",), handed, ("resume_reading",)]
        assert trial.call.noted == [("start",), ("on_body", b"he")]

    run(test)


def test_a_body_that_ended_meanwhile_is_ended_for_the_call() -> None:
    """It came with its head."""

    async def test() -> None:
        trial = Trial()
        trial.deferred.start()
        trial.deferred.on_body(b"hello")
        trial.deferred.on_body_end()
        trial.found.set_result(trial.call)
        await trial.settle()
        assert trial.call.noted == [("start",), ("on_body", b"hello"), ("on_body_end",)]

    run(test)


def test_a_refusal_is_given_with_its_fields() -> None:
    """And nothing is paused for a request without a body."""

    async def test() -> None:
        trial = Trial(GET)
        trial.deferred.start()
        fields = ((b"Retry-After", b"1"),)
        trial.found.set_result(Respond(Reason.RATE_LIMITED, fields=fields))
        await trial.settle()
        title = Respond(Reason.RATE_LIMITED).detail
        assert trial.client.noted == [("refuse", Reason.RATE_LIMITED, title, fields)]

    run(test)


def test_what_raises_is_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    """Never a pass; the log has it."""

    async def test() -> None:
        trial = Trial(GET)
        trial.deferred.start()
        trial.found.set_exception(ZeroDivisionError())
        await trial.settle()
        assert [noted[1] for noted in trial.client.noted] == [Reason.INTERNAL_ERROR]  # type: ignore[index]

    run(test)
    assert "could not be decided" in caplog.text


def test_a_client_that_has_gone_gets_no_call() -> None:
    """Nor is what was asked broken off."""

    async def test() -> None:
        for found in (Recorder(), Respond(Reason.RATE_LIMITED)):
            trial = Trial(GET)
            trial.deferred.start()
            trial.deferred.on_client_lost()
            assert not trial.found.cancelled()
            trial.found.set_result(found)
            await trial.settle()
            assert trial.client.noted == []

    run(test)


def test_the_end_of_the_loop_is_no_answer() -> None:
    """Its connections end with it."""

    async def test() -> None:
        trial = Trial(GET)
        trial.deferred.start()
        await trial.settle()
        assert trial.deferred._task is not None
        trial.deferred._task.cancel()
        await trial.settle()
        assert trial.client.noted == []

    run(test)


def test_a_request_to_an_own_endpoint_has_no_route() -> None:
    """Its body is as long as those endpoints take."""

    async def test() -> None:
        trial = Trial(GET, where=None)
        trial.deferred.start()
        trial.found.set_result(trial.call)
        await trial.settle()
        assert (trial.deferred.route, trial.deferred.max_body_bytes) == (None, 64 * 1024)

    run(test)
