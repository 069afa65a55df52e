"""What programs ask of the gateway itself: its keys, and where its endpoints are.

These are ``no-store`` like every answer here. Verifiers keep keys by their own rules; a copy in a
shared cache between would only hold on to a key that has been taken back.
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.answers import Handler, json_answer
from gateway.issuer.key_ring import KeyRing

_AUTH_METHODS = ["bearer"]


def jwks_handler(keys: Callable[[], KeyRing]) -> Handler:
    """Return ``GET /.well-known/jwks.json``: the public keys, none of them for HS* (RFC 7517)."""

    async def jwks(_: Request) -> Response:
        return json_answer({"keys": keys().public_jwks()})

    return jwks


def metadata_handler(issuer: str) -> Handler:
    """Return ``GET /.well-known/oauth-authorization-server``.

    There is no ``token_endpoint``: ``/authenticate`` and ``/refresh`` speak no OAuth grant, and who
    discovers one would send it what it does not take.

    Source: RFC 8414 section 2.
    """
    base = issuer.rstrip("/")
    document = {
        "issuer": issuer,
        "jwks_uri": f"{base}/.well-known/jwks.json",
        "introspection_endpoint": f"{base}/introspect",
        "introspection_endpoint_auth_methods_supported": _AUTH_METHODS,
        "response_types_supported": [],
        "grant_types_supported": [],
    }

    async def metadata(_: Request) -> Response:
        return json_answer(document)

    return metadata
