"""The probes of the admin listener: whether this process turns, and whether it takes traffic.

They ask for no token and no name, since orchestrators have neither; so they say no more than that.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.answers import Handler, json_answer
from gateway.errors import Reason

OK: Final = "ok"
ISSUERS: Final = "issuers"  # the component that says whether the keys of all others are known
RATE_LIMITS: Final = "rate_limits"  # said for people: to take all hosts out would help nobody
TRAFFIC: Final = "traffic"  # the component that says whether new requests are wanted

# What each component of a worker says of itself: "ok" or a short fixed text.
Readiness = Callable[[], Mapping[str, str]]


async def livez(_: Request) -> Response:
    """``GET /livez``: that it answers at all is the answer."""
    return json_answer({"status": "alive"})


def _reason(components: Mapping[str, str]) -> Reason:
    if components.get(TRAFFIC, OK) != OK:
        return Reason.DRAINING
    if components.get(ISSUERS, OK) != OK:
        return Reason.KEYS_UNAVAILABLE
    return Reason.STORE_UNAVAILABLE


def readyz_handler(readiness: Readiness) -> Handler:
    """Return ``GET /readyz``."""

    async def readyz(request: Request) -> Response:
        components = readiness()
        if all(said == OK for name, said in components.items() if name != RATE_LIMITS):
            return json_answer({"status": "ready", "components": components})
        request.state.reason = _reason(components)
        content = {"status": "not_ready", "components": components}
        return json_answer(content, HTTPStatus.SERVICE_UNAVAILABLE)

    return readyz
