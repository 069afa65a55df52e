"""What the admin API reads: JSON members and query parameters, all of them known, each of its type.

A member that is not known is refused, not passed over: who sends ``is_admin`` or ``id`` means
something by it, and it is not what would happen (mass assignment, THREATS OPS-13).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from starlette.requests import Request

from gateway.control.body import read_json_members
from gateway.errors import ProtocolError, Reason
from gateway.store.text import is_storable

T = TypeVar("T")

MAX_TEXT_CHARS: Final = 1024  # of an id, a name, a role; ours have 255 at most
DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 1000

# scope-token = 1*( %x21 / %x23-5B / %x5D-7E )   -- RFC 6749 section 3.3
_SCOPE: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,3}")


def bad_request(detail: str) -> ProtocolError:
    """Return the refusal of a request that has no meaning here; *detail* is a fixed sentence."""
    return ProtocolError(Reason.BAD_REQUEST, detail)


# --- bodies -----------------------------------------------------------------------------------


async def read_known_members(request: Request, known: frozenset[str]) -> Mapping[str, Any]:
    """Return the members of a request's JSON object, which has only *known* ones.

    Raises:
        ProtocolError: See ``read_json_members``; ``bad_request`` for any other member.
    """
    members = await read_json_members(request)
    if not known.issuperset(members):
        raise bad_request("The body has a member that is not taken here.")
    return members


async def read_nothing(request: Request) -> None:
    """Check that a request has no body, or an empty JSON object.

    Raises:
        ProtocolError: It has another one.
    """
    if await request.body():
        await read_known_members(request, frozenset())


def parse_text(value: object) -> str:
    """Return *value* if it is text that can name something.

    Raises:
        ProtocolError: ``bad_request``.
    """
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT_CHARS or not is_storable(value):
        raise bad_request("A name or an id is text with 1 to 1024 characters.")
    return value


def parse_roles(value: object) -> tuple[str, ...]:
    """Return *value* if it is a list of roles.

    Raises:
        ProtocolError: ``bad_request``.
    """
    return _parse_texts(value, str.isprintable, "'roles' is a list of text without line breaks.")


def parse_scopes(value: object) -> tuple[str, ...]:
    """Return *value* if it is a list of scopes.

    Raises:
        ProtocolError: ``bad_request``.
    """
    return _parse_texts(value, _is_scope, "'scopes' is a list of text without spaces.")


def parse_attributes(value: object) -> Mapping[str, Any]:
    """Return *value* if it is a JSON object.

    Raises:
        ProtocolError: ``bad_request``.
    """
    if not isinstance(value, dict):
        raise bad_request("'attributes' is an object.")
    return value


def parse_truth(value: object) -> bool:
    """Return *value* if it is true or false.

    Raises:
        ProtocolError: ``bad_request``.
    """
    if not isinstance(value, bool):
        raise bad_request("'disabled' is true or false.")
    return value


def _parse_texts(value: object, is_fit: Callable[[str], bool], fault: str) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [None]
    for item in items:
        if not isinstance(item, str) or not 0 < len(item) <= MAX_TEXT_CHARS or not is_fit(item):
            raise bad_request(fault)
    return tuple(dict.fromkeys(items))


def _is_scope(text: str) -> bool:
    return _SCOPE.fullmatch(text) is not None


# --- queries ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which part of a list is asked for."""

    after: str  # what the last page's ``next`` said; empty: from the beginning
    limit: int
    user_id: str | None = None  # whose, where that can be asked

    def cut(self, found: list[T], cursor: Callable[[T], str]) -> tuple[list[T], str | None]:
        """Return the page, and what asks for the next one; None where there is none.

        Args:
            found: One more than ``limit``, where there are so many.
            cursor: Gives what the list is ordered by.
        """
        page = found[: self.limit]
        return page, cursor(page[-1]) if len(found) > len(page) else None


def parse_page_query(request: Request, *, takes_user: bool = False) -> PageQuery:
    """Read the query of a list.

    Raises:
        ProtocolError: ``bad_request``: a parameter that is not known, twice, or of no use.
    """
    query = _parse_query(request.scope["query_string"])
    known = {"after", "limit", "user_id"} if takes_user else {"after", "limit"}
    if not known.issuperset(query):
        raise bad_request("The query has a parameter that is not taken here.")
    limit = query.get("limit", str(DEFAULT_PAGE))
    if _NUMBER.fullmatch(limit) is None or int(limit) > MAX_PAGE:
        raise bad_request("'limit' is a number from 1 to 1000.")
    after, user_id = query.get("after", ""), query.get("user_id")
    if not is_storable(after):
        raise bad_request("'after' is what 'next' of the last page said.")
    return PageQuery(after, int(limit), None if user_id is None else parse_text(user_id))


def _parse_query(query: bytes) -> dict[str, str]:
    fault = bad_request("The query is not well-formed.")
    if not query:
        return {}
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict"
        )
    except ValueError:  # UnicodeDecodeError is one
        raise fault from None
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise fault
    return parameters
