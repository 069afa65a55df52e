"""``POST /reload`` of the admin API: the configuration file is read again, and taken over."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.admin_reading import read_nothing
from gateway.control.answers import Handler, json_answer, refusal
from gateway.errors import ConfigError, ConfigErrors, Reason

# Whether it is done; else every worker does so soon. Raises ConfigErrors where nothing changes.
Reload: TypeAlias = Callable[[], Awaitable[bool]]


def reload_handler(reload: Reload) -> Handler:
    """Return the endpoint."""

    async def answer(request: Request) -> Response:
        """``POST /reload``."""
        await read_nothing(request)
        try:
            is_done = await reload()
        except ConfigErrors as error:
            members = {"errors": [describe_fault(each) for each in error.errors]}
            return refusal(request, Reason.RELOAD_FAILED, members=members)
        if is_done:
            return json_answer({"status": "reloaded"})
        return json_answer({"status": "reloading"}, HTTPStatus.ACCEPTED)

    return answer


def describe_fault(error: ConfigError) -> dict[str, Any]:
    """Return a fault of the configuration as JSON; line 0 is the whole file."""
    place = error.place
    return {
        "file": place.file,
        "line": place.line,
        "path": place.path,
        "fault": error.fault,
        "cure": error.cure,
    }
