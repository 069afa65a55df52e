"""The operator's token: who presents it may do everything that the admin API can."""

import hashlib
import hmac
from typing import Final

from starlette.requests import Request

_SCHEME: Final = "bearer"


class AdminToken:
    """What an operator must present in ``Authorization: Bearer``; None: nobody has one."""

    __slots__ = ("_digest",)

    def __init__(self, token: str | None) -> None:
        self._digest = None if token is None else _digest(token)

    def __bool__(self) -> bool:
        """Whether there is one."""
        return self._digest is not None

    def is_presented(self, request: Request) -> bool:
        """Whether *request* carries it; compared in constant time, by digests of one length."""
        values = request.headers.getlist("authorization")
        if self._digest is None or len(values) != 1:
            return False
        scheme, _, presented = values[0].partition(" ")
        is_same = hmac.compare_digest(_digest(presented), self._digest)
        return is_same and scheme.lower() == _SCHEME


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
