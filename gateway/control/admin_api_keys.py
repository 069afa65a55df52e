"""``/api-keys`` of the admin API: the API keys of all users, of the configuration file's too.

A key's text is in one answer, that of its making, and nowhere else (THREATS OPS-19).
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.admin_reading import (
    bad_request,
    parse_page_query,
    parse_scopes,
    parse_text,
    read_known_members,
    read_nothing,
)
from gateway.control.answers import json_answer, no_content, refusal
from gateway.errors import Reason
from gateway.issuer.api_keys import MAX_LIFETIME_S, ApiKeys, NewApiKey, UnfitApiKeyError
from gateway.store.api_keys import StoredApiKey

_OF_NEW: Final = frozenset(("user_id", "name", "scopes", "expires_in"))


class ApiKeyEndpoints:
    """Answers about API keys."""

    __slots__ = ("_api_keys", "_clock")

    def __init__(self, api_keys: ApiKeys, clock: Callable[[], float]) -> None:
        self._api_keys = api_keys
        self._clock = clock  # gives seconds since the epoch

    async def list_page(self, request: Request) -> Response:
        """``GET /api-keys``: a page of them, in the order of their ids."""
        query = parse_page_query(request, takes_user=True)
        found = await self._api_keys.list_page(
            owner_id=query.user_id, after=query.after, limit=query.limit + 1
        )
        page, cursor = query.cut(found, lambda key: key.id)
        return json_answer({"api_keys": [describe_api_key(key) for key in page], "next": cursor})

    async def create(self, request: Request) -> Response:
        """``POST /api-keys``: a new one; its text is told here and never again."""
        members = await read_known_members(request, _OF_NEW)
        new = NewApiKey(
            owner_id=parse_text(members.get("user_id")),
            name=parse_text(members["name"]) if members.get("name") else "",
            scopes=parse_scopes(members.get("scopes", [])),
            lifetime_s=_parse_lifetime(members.get("expires_in")),
        )
        try:
            key, text = await self._api_keys.create(new, self._clock())
        except UnfitApiKeyError:
            raise bad_request(
                "There is no such user, or it does not have the scopes, or the name is unfit."
            ) from None
        location = {"Location": f"/api-keys/{key.id}"}
        return json_answer({**describe_api_key(key), "key": text}, HTTPStatus.CREATED, location)

    async def revoke(self, request: Request) -> Response:
        """``DELETE /api-keys/{id}``: it counts no more; doing it twice is no fault."""
        await read_nothing(request)
        if await self._api_keys.revoke(request.path_params["id"], self._clock()):
            return no_content()
        return refusal(request, Reason.ROUTE_NOT_FOUND, "There is no such API key.")


def describe_api_key(key: StoredApiKey) -> dict[str, Any]:
    """Return a key as JSON; times are whole seconds since the epoch, as in tokens."""
    return {
        "id": key.id,
        "user_id": key.owner_id,
        "name": key.name,
        "scopes": list(key.scopes),
        "created_at": int(key.created_at_s),
        "expires_at": None if key.expires_at_s is None else int(key.expires_at_s),
        "revoked_at": None if key.revoked_at_s is None else int(key.revoked_at_s),
    }


def _parse_lifetime(value: object) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 0 < value <= MAX_LIFETIME_S:
        raise bad_request("'expires_in' is a number of seconds, up to ten years.")
    return value
