"""gateway.proxy.watch: who is watched, and that it follows the snapshot."""

import asyncio
from dataclasses import replace

import pytest

from gateway.policy.model import Endpoint, HealthCheck, Snapshot, Upstream
from gateway.proxy import names, watch
from gateway.proxy.watch import watch_upstreams
from tests.kit.policy import route, snapshot
from tests.kit.transport import Client
from tests.unit.proxy.services import serving

CHECK = HealthCheck(path="/up", interval_s=0.01, timeout_s=5.0)


def snapshot_of(*upstreams: Upstream) -> Snapshot:
    """Return one with these upstreams, and no more."""
    return replace(snapshot(route("/p")), upstreams=upstreams)


def test_names_are_resolved_and_health_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the start, before any request, and for the upstreams of a later snapshot too."""
    monkeypatch.setattr(watch, "_LOOK_S", 0.01)

    async def resolve(host: str, _: int) -> tuple[str, ...]:
        return (f"address of {host}",)

    monkeypatch.setattr(names, "resolve", resolve)

    async def main() -> None:
        async with serving() as service:
            named = Upstream(name="a", endpoints=(Endpoint("a.test", 1), Endpoint("::1", 1)))
            checked = Upstream(
                name="b", endpoints=(Endpoint("127.0.0.1", service.port),), health=CHECK
            )
            worker = Client(snapshot_of(named)).worker
            task = asyncio.get_running_loop().create_task(watch_upstreams(worker))
            first, second = worker.endpoints_of(named).pools
            while not first.addresses:  # noqa: ASYNC110
                await asyncio.sleep(0)
            assert first.addresses == ("address of a.test",)
            assert second.addresses == ()
            worker.snapshot = snapshot_of(checked)
            while len(service.heads) < 2:
                assert not task.done()
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_a_watch_that_breaks_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The duty breaks with it, and so the worker ends."""

    async def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(watch, "follow_name", broken)

    async def main() -> None:
        named = Upstream(name="a", endpoints=(Endpoint("a.test", 1),))
        await watch_upstreams(Client(snapshot_of(named)).worker)

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(main())
    assert isinstance(caught.value.exceptions[0], ZeroDivisionError)
