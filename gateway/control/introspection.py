"""``POST /introspect``: whether a token counts, for services that do not verify it themselves.

Source: RFC 7662. Who asks must present the admin token; with none configured, nobody may.
"""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.admin_token import AdminToken
from gateway.control.answers import json_answer, refusal
from gateway.control.body import read_members
from gateway.errors import ProtocolError, Reason
from gateway.policy.claims import Claims
from gateway.policy.tokens import MAX_TOKEN_BYTES

# Returns the claims of a token that counts now, or None. Raises StoreUnavailableError, or a
# CredentialError that says ``keys_unavailable``, where nobody can say: "not active" would be a lie
# that caches believe.
Introspect = Callable[[str], Claims | None]

_INACTIVE: Final = {"active": False}


class IntrospectionEndpoint:
    """Answers about tokens."""

    __slots__ = ("_admin_token", "_introspect")

    def __init__(self, introspect: Introspect, admin_token: AdminToken) -> None:
        self._introspect = introspect
        self._admin_token = admin_token

    async def answer(self, request: Request) -> Response:
        """Return the token's claims, or that it is not active; never why."""
        if not self._admin_token.is_presented(request):
            return refusal(
                request, Reason.CREDENTIAL_MISSING, "Introspection takes the admin token."
            )
        token = (await read_members(request)).get("token")
        if not isinstance(token, str) or not token:
            raise ProtocolError(Reason.BAD_REQUEST, "An introspection has a token.")
        claims = self._introspect(token) if len(token) <= MAX_TOKEN_BYTES else None
        if claims is None:
            return json_answer(_INACTIVE)
        return json_answer({**claims, "active": True, "token_type": "Bearer"})
