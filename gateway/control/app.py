"""The Starlette app of the public listener's control endpoints. Begin reading here.

No middleware of ours: the data plane has bounded the body and made the decision, each endpoint
reads what it needs, and ``answer_or_refuse`` is around every one of them.
"""

from collections.abc import Callable, Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.control.answers import (
    Handler,
    answer_or_refuse,
    json_answer,
    refusal,
    refuse_misrouted,
)
from gateway.control.login import LoginEndpoint
from gateway.errors import Reason
from gateway.issuer.keys import SigningKey
from gateway.issuer.login import Login
from gateway.policy.tokens import VerifiedToken


def build_control(
    login: Login, key_set: Iterable[SigningKey], clock: Callable[[], float]
) -> Starlette:
    """Build the app.

    Args:
        login: Lets users in.
        key_set: The keys whose public halves are published.
        clock: Gives the time in seconds since the epoch; only ``gateway.server`` reads it itself.
    """
    app = Starlette(
        routes=[
            _route("/authenticate", "POST", LoginEndpoint(login, clock).answer),
            _route("/whoami", "GET", whoami),
            _route("/.well-known/jwks.json", "GET", jwks_handler(key_set)),
        ],
        exception_handlers={HTTPException: refuse_misrouted},
    )
    app.router.redirect_slashes = False  # one path has one reading
    return app


def _route(path: str, method: str, handler: Handler) -> Route:
    return Route(path, answer_or_refuse(handler), methods=[method])


async def whoami(request: Request) -> Response:
    """``GET /whoami``: the caller's claims, as the data plane has verified them."""
    token: VerifiedToken | None = getattr(request.state, "token", None)
    if token is None:
        return refusal(request, Reason.CREDENTIAL_MISSING)
    return json_answer(token.claims)


def jwks_handler(key_set: Iterable[SigningKey]) -> Handler:
    """Return ``GET /.well-known/jwks.json``: the public keys, none of them for HS* (RFC 7517).

    It is ``no-store`` like every answer here. Verifiers keep keys by their own rules; a copy in a
    shared cache between would only hold on to a key that has been taken back.
    """
    published = [jwk for jwk in (key.public_jwk() for key in key_set) if jwk is not None]

    async def jwks(_: Request) -> Response:
        return json_answer({"keys": published})

    return jwks
