"""The Starlette app of the public listener's control endpoints. Begin reading here.

No middleware of ours: the data plane has bounded the body and made the decision, each endpoint
reads what it needs, and ``answer_or_refuse`` is around every one of them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.control.admin_token import AdminToken
from gateway.control.answers import (
    Handler,
    answer_or_refuse,
    json_answer,
    refusal,
    refuse_misrouted,
)
from gateway.control.discovery import jwks_handler, metadata_handler
from gateway.control.introspection import Introspect, IntrospectionEndpoint
from gateway.control.login import LoginEndpoint
from gateway.control.sessions import SessionEndpoints
from gateway.errors import Reason
from gateway.issuer.grants import Granter
from gateway.issuer.key_ring import KeyRing
from gateway.issuer.login import Login
from gateway.issuer.sessions import Sessions
from gateway.policy.tokens import VerifiedToken


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlServices:
    """What the endpoints act through."""

    login: Login
    granter: Granter
    sessions: Sessions
    keys: Callable[[], KeyRing]  # as they are now
    introspect: Introspect
    issuer: str
    admin_token: AdminToken
    clock: Callable[[], float]  # seconds since the epoch; ``gateway.process`` reads it


def build_control(services: ControlServices) -> Starlette:
    """Build the app."""
    login = LoginEndpoint(services.login, services.clock)
    sessions = SessionEndpoints(services.granter, services.sessions, services.clock)
    introspection = IntrospectionEndpoint(services.introspect, services.admin_token)
    return build_app(
        (
            ("POST", "/authenticate", login.answer),
            ("POST", "/refresh", sessions.refresh),
            ("POST", "/logout", sessions.log_out),
            ("GET", "/whoami", whoami),
            ("GET", "/sessions", sessions.list),
            ("DELETE", "/sessions/{id}", sessions.end),
            ("POST", "/introspect", introspection.answer),
            ("GET", "/.well-known/jwks.json", jwks_handler(services.keys)),
            (
                "GET",
                "/.well-known/oauth-authorization-server",
                metadata_handler(services.issuer),
            ),
        )
    )


def build_app(table: Iterable[tuple[str, str, Handler]]) -> Starlette:
    """Build an app of rows of method, path and handler; whatever else is asked of it is refused."""
    paths: dict[str, dict[str, Handler]] = {}
    for method, path, handler in table:
        paths.setdefault(path, {})[method] = answer_or_refuse(handler)
    # One route per path: the router would take the first one's methods for all that there are.
    app = Starlette(
        routes=[
            Route(path, _by_method(handlers), methods=list(handlers))
            for path, handlers in paths.items()
        ],
        exception_handlers={HTTPException: refuse_misrouted},
    )
    app.router.redirect_slashes = False  # one path has one reading
    return app


def _by_method(handlers: Mapping[str, Handler]) -> Handler:
    """Return what hands a request to the handler of its method; HEAD follows GET."""

    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await handlers[method](request)

    return answer


async def whoami(request: Request) -> Response:
    """``GET /whoami``: the caller's claims, as the data plane has verified them."""
    token: VerifiedToken | None = getattr(request.state, "token", None)
    if token is None:
        return refusal(request, Reason.CREDENTIAL_MISSING)
    return json_answer(token.claims)
