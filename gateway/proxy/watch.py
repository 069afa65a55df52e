"""What a worker does for its upstreams beside serving requests: health checks, names, certificates.

It follows the snapshot: where a reload brings other upstreams the tasks of the old ones end.
"""

import asyncio
from typing import Final

from gateway.proxy.names import follow_name, has_name
from gateway.proxy.worker import Worker

_LOOK_S: Final = 1.0  # how soon a change of the snapshot is noticed


async def watch_upstreams(worker: Worker) -> None:
    """Keep watch as long as the worker runs; a watch that breaks ends this too, loudly."""
    while True:
        upstreams = worker.snapshot.upstreams
        groups = [worker.endpoints_of(upstream) for upstream in upstreams]
        pools = [pool for group in groups for pool in group.pools]
        watches = [follow_name(pool) for pool in pools if has_name(pool)]
        watches += [group.tls.follow() for group in groups if group.tls.has_files]
        if any(upstream.health for upstream in upstreams):
            # Not above: httpx would make every start half as long again.
            from gateway.proxy.health import check_endpoints  # noqa: PLC0415

            watches.append(check_endpoints(pools))
        async with asyncio.TaskGroup() as watching:
            tasks = [watching.create_task(watch) for watch in watches]
            while worker.snapshot.upstreams is upstreams:  # noqa: ASYNC110 (it tells nobody)
                await asyncio.sleep(_LOOK_S)
            for task in tasks:
                task.cancel()
