"""A service that answers everything: ``python -m bench.service PORT``; it is killed at will."""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def _answer(request: Request) -> Response:
    try:
        return JSONResponse({"received": len(await request.body())})
    except ClientDisconnect:  # as some are meant to
        return Response()


def main() -> None:
    """Serve until killed."""
    app = Starlette(routes=[Route("/{path:path}", _answer, methods=["GET", "POST", "PUT"])])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", workers=1)


if __name__ == "__main__":
    main()
