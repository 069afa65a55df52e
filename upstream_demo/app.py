"""The application: its table of routes, and one JSON form for every error."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from upstream_demo.echo import Echo
from upstream_demo.products import Catalogue, ProductEndpoints
from upstream_demo.streams import download, events, slow, upload


def build_app() -> Starlette:
    """Return the service with a fresh catalogue."""
    products = ProductEndpoints(Catalogue.with_examples())
    echo = Echo()
    app = Starlette(
        routes=[
            Route("/", hello),
            Route("/health", health),
            Route("/products", products.list_all, methods=["GET"]),
            Route("/products", products.create, methods=["POST"]),
            Route("/products/{id}", products.show),
            Route("/echo", echo),
            Route("/echo/{rest:path}", echo),
            Route("/events", events),
            Route("/slow", slow),
            Route("/download", download),
            Route("/upload", upload, methods=["POST", "PUT"]),
        ],
        exception_handlers={HTTPException: answer_error},
    )
    app.router.redirect_slashes = False  # a redirect would name this host, not the gateway's
    return app


async def hello(_: Request) -> JSONResponse:
    """Say hello."""
    return JSONResponse({"message": "Hello from the products service.", "try": "/products"})


async def health(_: Request) -> JSONResponse:
    """Say that the service is up."""
    return JSONResponse({"status": "ok"})


async def answer_error(_: Request, error: Exception) -> JSONResponse:
    """Answer an ``HTTPException`` in JSON."""
    assert isinstance(error, HTTPException)  # noqa: S101 (Starlette types every handler this wide)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
