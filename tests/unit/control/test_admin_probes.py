"""``/livez`` and ``/readyz``."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from gateway.control.admin_probes import livez, readyz_handler
from gateway.control.answers import Handler
from gateway.errors import Reason


def asked() -> Request:
    """Return the request of an orchestrator."""
    return Request({"type": "http", "method": "GET", "headers": [], "state": {}})


def answer_of(handler: Handler, request: Request | None = None) -> Response:
    """Let a probe answer."""

    async def answer() -> Response:
        return await handler(request or asked())

    return asyncio.run(answer())


def content_of(response: Response) -> Any:
    """Return what an answer says."""
    return json.loads(bytes(response.body))


def test_a_process_that_answers_is_alive() -> None:
    """Whatever else is wrong with it: to kill it would mend none of that."""
    response = answer_of(livez)

    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    assert content_of(response) == {"status": "alive"}


def test_a_process_is_ready_when_all_of_it_is() -> None:
    """200 with the map of its components."""
    components = {"configuration": "ok", "store": "ok", "traffic": "ok"}
    response = answer_of(readyz_handler(lambda: components))

    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    assert content_of(response) == {"status": "ready", "components": components}


@pytest.mark.parametrize(
    ("components", "reason"),
    [
        pytest.param({"store": "unreachable", "traffic": "ok"}, "store_unavailable", id="store"),
        pytest.param({"store": "stale"}, "store_unavailable", id="no-traffic"),
        pytest.param({"store": "ok", "traffic": "draining"}, "draining", id="draining"),
        pytest.param({"store": "ok", "issuers": "keys unavailable"}, "keys_unavailable", id="keys"),
        pytest.param({"store": "stale", "traffic": "draining"}, "draining", id="both"),
    ],
)
def test_a_process_with_a_part_that_is_not_ready_takes_no_traffic(
    components: Mapping[str, str], reason: str
) -> None:
    """503 with the map, which says what it is; the access log has a reason like any other."""
    request = asked()
    response = answer_of(readyz_handler(lambda: components), request)

    assert response.status_code == 503
    assert content_of(response) == {"status": "not_ready", "components": components}
    assert request.state.reason is Reason(reason)


def test_readiness_is_asked_anew_each_time() -> None:
    """What was ready may drain."""
    components = {"traffic": "ok"}
    readyz = readyz_handler(lambda: components)
    first = answer_of(readyz)
    components["traffic"] = "draining"

    assert (first.status_code, answer_of(readyz).status_code) == (200, 503)
