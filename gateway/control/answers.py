"""Every answer of the control plane: JSON or a problem document, never to be stored by a cache."""

import asyncio
import functools
import json
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import REASONS, CredentialError, ProtocolError, Reason
from gateway.issuer.grants import Grant
from gateway.observe.seldom import Seldom
from gateway.policy.problem import challenge_for, problem_body
from gateway.store.faults import StoreBusyError, StoreUnavailableError

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

_NO_STORE: Final = {"Cache-Control": "no-store"}  # DESIGN.md section 3; RFC 6750 section 5.3

_STORE_RETRY: Final = {"Retry-After": "1"}  # seconds: a busy or restarted database is back by then

log = logging.getLogger(__name__)


def json_answer(
    content: Mapping[str, Any],
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return one JSON object."""
    body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    fields = {**_NO_STORE, **(headers or {})}
    return Response(body.encode("utf-8"), status, fields, "application/json")


def no_content() -> Response:
    """Return a 204: it is done, and there is nothing to say."""
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=_NO_STORE)


def granted(grant: Grant, message: str) -> dict[str, Any]:
    """Return what a login or a refresh answers (DESIGN.md section 3)."""
    return {
        "message": message,
        "token": grant.access_token.text,
        "token_type": "Bearer",
        "expires_in": grant.access_token.expires_in_s,
        "refresh_token": grant.refresh_token,
        "refresh_expires_in": grant.refresh_expires_in_s,
        "session_id": grant.session_id,
    }


def refusal(
    request: Request,
    reason: Reason,
    detail: str = "",
    headers: Mapping[str, str] | None = None,
    *,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """Return the problem document of a reason, and leave the reason for the access log.

    Args:
        request: Whose ``request_id`` the document names.
        reason: Gives status, title and challenge.
        detail: A fixed sentence in place of the reason's own; never data of the request.
        headers: What this refusal carries beyond them.
        members: What its document says beyond that.
    """
    request.state.reason = reason
    fields = {**_NO_STORE, **(headers or {})}
    challenge = challenge_for(reason)
    if challenge is not None:
        fields["WWW-Authenticate"] = challenge
    return Response(
        problem_body(reason, detail, getattr(request.state, "request_id", ""), members),
        REASONS[reason].status,
        fields,
        "application/problem+json",
    )


def answer_or_refuse(handler: Handler) -> Handler:
    """Wrap an endpoint so that it always answers; an unforeseen error becomes a 500.

    Starlette's own handler for those answers and then raises again, so that the error would come
    out of the app a second time, with its text. That text may quote what the client sent (a
    password), so the log gets the error's type and where it came from, and not a word of it.
    """
    seldom = Seldom()

    @functools.wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except (ProtocolError, CredentialError) as error:
            return refusal(request, error.reason, error.detail)
        except StoreBusyError:
            return refusal(request, Reason.STORE_UNAVAILABLE, headers=_STORE_RETRY)
        except StoreUnavailableError as error:
            if count := seldom.due(asyncio.get_running_loop().time()):
                log.error("the store did not answer, %dx: %s", count, error)  # noqa: TRY400 (no bug)
            return refusal(request, Reason.STORE_UNAVAILABLE, headers=_STORE_RETRY)
        except Exception as error:  # noqa: BLE001 (the fail-closed wrapper of the control plane)
            log.error(  # noqa: TRY400 (``exception`` would log the text)
                "%s in the control plane; the request was refused\n%s",
                type(error).__qualname__,
                "".join(traceback.format_tb(error.__traceback__)).rstrip(),
            )
            return refusal(request, Reason.INTERNAL_ERROR)

    return answer


async def refuse_misrouted(request: Request, error: Exception) -> Response:
    """Answer what Starlette's router refuses: a path or a method that no endpoint takes."""
    if not isinstance(error, HTTPException):
        raise TypeError("only HTTPException is handled here") from error
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The router keeps methods in a set, whose order differs from start to start.
        allowed = sorted((error.headers or {}).get("Allow", "").split(", "))
        return refusal(request, Reason.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(allowed)})
    if error.status_code == HTTPStatus.NOT_FOUND:
        return refusal(request, Reason.ROUTE_NOT_FOUND)
    return refusal(request, Reason.INTERNAL_ERROR)
