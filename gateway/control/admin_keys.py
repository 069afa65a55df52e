"""``/keys`` of the admin API: the keys that sign and verify, by their names alone."""

from collections.abc import Callable
from http import HTTPStatus
from math import ceil
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.admin_reading import read_nothing
from gateway.control.answers import json_answer, refusal
from gateway.errors import Reason
from gateway.issuer.key_rotation import KeyKeeper
from gateway.store.keys import StoredKey


class KeyEndpoints:
    """Answers about keys; of one in the configuration there is nothing to tell or to change."""

    __slots__ = ("_clock", "_keeper")

    def __init__(self, keeper: KeyKeeper | None, clock: Callable[[], float]) -> None:
        self._keeper = keeper
        self._clock = clock  # gives seconds since the epoch

    async def list_all(self, _: Request) -> Response:
        """``GET /keys``: those of the store, the oldest first."""
        found = [] if self._keeper is None else await self._keeper.list_keys()
        return json_answer({"keys": [describe_key(key) for key in found]})

    async def rotate(self, request: Request) -> Response:
        """``POST /keys/rotate``: publish a new key now, which signs later."""
        await read_nothing(request)
        if self._keeper is None:
            return refusal(
                request, Reason.CONFLICT, "The key stands in the configuration: change it there."
            )
        signs_from_s = await self._keeper.rotate(self._clock())
        if signs_from_s is None:
            return refusal(request, Reason.CONFLICT, "A key is published already, to sign next.")
        return json_answer({"signs_from": ceil(signs_from_s)}, HTTPStatus.ACCEPTED)


def describe_key(key: StoredKey) -> dict[str, Any]:
    """Return a key as JSON, without its material; times are whole seconds since the epoch."""
    return {
        "kid": key.kid,
        "algorithm": key.algorithm,
        "state": key.state.value,
        "created_at": int(key.created_at_s),
        "current_from": _whole(key.current_from_s),
        "retiring_from": _whole(key.retiring_from_s),
        "verifies_until": _whole(key.verifies_until_s),
    }


def _whole(time_s: float | None) -> int | None:
    return None if time_s is None else int(time_s)
