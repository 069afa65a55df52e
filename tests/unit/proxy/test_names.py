"""gateway.proxy.names: addresses come from the resolver, and stay when it fails."""

import asyncio
import socket
from typing import Any

import pytest

from gateway.proxy import names
from gateway.proxy.names import follow_name, has_name, resolve
from tests.unit.proxy.services import pool_to


@pytest.mark.parametrize(
    ("host", "named"), [("127.0.0.1", False), ("::1", False), ("localhost", True), ("a.b", True)]
)
def test_only_a_name_is_resolved(host: str, named: bool) -> None:  # noqa: FBT001
    """An address is one already."""

    async def main() -> bool:
        return has_name(pool_to(1, address=host))

    assert asyncio.run(main()) is named


class Resolver(asyncio.SelectorEventLoop):
    """A loop whose resolver says what the test has written down, one after the other."""

    def __init__(self, *answers: list[str] | None) -> None:
        super().__init__()
        self.answers = list(answers)
        self.done = asyncio.Event()

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        """Answer, or fail with None; stay silent when all is said."""
        assert host == "api.test"
        if not self.answers:
            self.done.set()
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if answer is None:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return [(0, 0, 0, "", (address, port)) for address in answer]


def test_each_address_counts_once() -> None:
    """In the resolver's order."""
    with asyncio.Runner(loop_factory=lambda: Resolver(["b", "a", "b"])) as runner:
        assert runner.run(resolve("api.test", 1)) == ("b", "a")


def test_a_resolver_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """DOS-19: slow DNS has a deadline."""
    monkeypatch.setattr(names, "_TIMEOUT_S", 0.01)
    with asyncio.Runner(loop_factory=Resolver) as runner:
        assert runner.run(resolve("api.test", 1)) == ()


def test_addresses_stay_when_the_resolver_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Stale if error; the trouble and its end are told once."""
    monkeypatch.setattr(names, "REFRESH_S", 0.0)
    seen: list[tuple[str, ...]] = []

    async def main() -> None:
        pool = pool_to(1, address="api.test")
        use_addresses = pool.use_addresses

        def note(addresses: tuple[str, ...]) -> None:
            use_addresses(addresses)
            seen.append(pool.addresses)

        monkeypatch.setattr(pool, "use_addresses", note)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Resolver)
        task = loop.create_task(follow_name(pool))
        await loop.done.wait()
        assert pool.addresses == ("b", "c")
        task.cancel()

    answers: list[list[str] | None] = [["a", "b"], None, None, [], ["b", "c"]]
    with asyncio.Runner(loop_factory=lambda: Resolver(*answers)) as runner:
        runner.run(main())

    assert seen == [("a", "b"), ("b", "c")]
    assert caplog.messages == [
        "upstream service: api.test cannot be resolved",
        "upstream service: api.test is known again",
    ]
