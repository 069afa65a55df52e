"""``GET /metrics``: the numbers of all workers, for Prometheus.

The page is made elsewhere; it has no names of users and nothing that a client has sent.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.answers import Handler
from gateway.observe.exposition import CONTENT_TYPE


def metrics_handler(page: Callable[[], Awaitable[str]]) -> Handler:
    """Return ``GET /metrics``."""

    async def metrics(_: Request) -> Response:
        headers = {"Cache-Control": "no-store", "Content-Type": CONTENT_TYPE}
        return Response((await page()).encode("utf-8"), headers=headers)

    return metrics
