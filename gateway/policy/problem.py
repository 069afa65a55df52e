"""The answer to a refused request: problem+json, and the challenge that goes with a 401 or 403.

Source: RFC 9457 (problem details), RFC 6750 section 3 (``WWW-Authenticate``).
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from gateway.errors import REASONS, Reason

# The page that explains each reason, relative so that it can be served from anywhere.
REASONS_PAGE: Final = "docs/decisions.md"

_REALM: Final = 'Bearer realm="gateway"'
# Beside the other, where a route takes Basic (RFC 7617 section 2.1).
BASIC_CHALLENGE: Final = 'Basic realm="gateway", charset="UTF-8"'
_INVALID_TOKEN: Final = f'{_REALM}, error="invalid_token"'
# > If the request lacks any authentication information [...] the resource server SHOULD NOT include
# > an error code   -- RFC 6750 section 3.1
# A password, an API key and a refresh token are no bearer tokens.
_BARE: Final = frozenset(
    (
        Reason.CREDENTIAL_MISSING,
        Reason.LOGIN_FAILED,
        Reason.API_KEY_INVALID,
        Reason.REFRESH_INVALID,
        Reason.REFRESH_EXPIRED,
        Reason.REFRESH_REUSED,
    )
)


def challenge_for(reason: Reason) -> str | None:
    """Return the value of ``WWW-Authenticate`` for a reason, or None where none is due."""
    if reason is Reason.SCOPE_MISSING:
        return f'{_REALM}, error="insufficient_scope"'
    if REASONS[reason].status != HTTPStatus.UNAUTHORIZED:
        return None
    return _REALM if reason in _BARE else _INVALID_TOKEN


def problem_body(
    reason: Reason, detail: str, request_id: str, members: Mapping[str, Any] | None = None
) -> bytes:
    """Return the problem document; *detail* is a fixed sentence, never data of the request.

    *members* stand behind those that every document has (RFC 9457 section 3.2).
    """
    info = REASONS[reason]
    return json.dumps(
        {
            "type": f"{REASONS_PAGE}#{reason}",
            "title": HTTPStatus(info.status).phrase,
            "status": info.status,
            "detail": detail or info.title,
            "reason": reason,
            "request_id": request_id,
            **(members or {}),
        }
    ).encode("ascii")
