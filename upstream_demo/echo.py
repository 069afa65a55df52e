"""``/echo``: the request as this service received it, whatever the method."""

import base64
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from upstream_demo.reading import read_body

MAX_ECHO_BYTES: Final = 1024 * 1024  # it is held in memory; /upload takes bodies of any length


class Echo:
    """An ASGI application, since a Starlette function endpoint takes only the methods it names."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request with a description of it."""
        request = Request(scope, receive)
        body = await read_body(request, max_bytes=MAX_ECHO_BYTES)
        response = JSONResponse(describe(scope, body))
        await response(scope, receive, send)


def describe(scope: Scope, body: bytes) -> dict[str, Any]:
    """Return a request as JSON; field names are in lower case, as ASGI hands them on."""
    query: bytes = scope["query_string"]
    target: bytes = scope["raw_path"] + (b"?" + query if query else b"")
    return {
        "method": scope["method"],
        "target": target.decode("latin-1"),
        "http_version": scope["http_version"],
        "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in scope["headers"]],
        **describe_body(body),
    }


def describe_body(body: bytes) -> dict[str, str]:
    """Return a body as text, or as base64 where it is not UTF-8."""
    try:
        return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode("ascii")}
