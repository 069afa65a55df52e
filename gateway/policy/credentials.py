"""Which credential a request presents, and what is left of the request without it."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from gateway.errors import CredentialError, Reason
from gateway.http1.cookies import split_cookies
from gateway.http1.fields import Fields
from gateway.http1.request import RequestHead
from gateway.policy.model import CredentialPlace, PlaceKind

_PLUS: Final = re.compile(rb"\+")


class Presented:
    """What stands in the places of one route, and the rest of the request."""

    __slots__ = ("found", "lines", "place_used_twice", "query")

    def __init__(self) -> None:
        self.found: list[tuple[CredentialPlace, bytes]] = []  # credentials, not yet judged
        self.place_used_twice = False
        self.lines: list[bytes] = []  # field lines that turned out to be no credential here
        self.query: bytes | None = None  # the target's without its credential; None: it had none

    def sole_credential(self) -> bytes | None:
        """Return the one credential, or None where there is none.

        Raises:
            CredentialError: ``several_credentials``: two that differ, or one place used twice.
        """
        if self.place_used_twice:
            raise CredentialError(Reason.SEVERAL_CREDENTIALS)
        found = self.found
        if not found:
            return None
        place, token = found[0]
        if len(found) > 1 and any(
            other != token or where.holds is not place.holds for where, other in found
        ):
            raise CredentialError(Reason.SEVERAL_CREDENTIALS)
        return token


def find_presented(head: RequestHead, places: tuple[CredentialPlace, ...]) -> Presented:
    """Take the credentials out of *head*; nothing is judged yet, and *head* stays as it is.

    What the fields present is remembered with them, by the identity of *places*: hashing those
    would cost more than the search.
    """
    fields = head.fields
    if head.target.query:
        wanted = {place.name: place for place in places if place.kind is PlaceKind.QUERY}
        if wanted:
            presented = _search(fields, places)
            _search_query(presented, head.target.query, wanted)
            return presented
    known: tuple[object, Presented] | None = fields.derived.get(id(places))
    if known is not None and known[0] is places:
        return known[1]
    presented = _search(fields, places)
    fields.remember(id(places), (places, presented))
    return presented


def _search(fields: Fields, places: tuple[CredentialPlace, ...]) -> Presented:
    presented = Presented()
    _search_fields(presented, fields, places)
    if fields.cookies:
        _search_cookies(presented, fields, places)
    return presented


def _search_fields(
    presented: Presented, fields: Fields, places: tuple[CredentialPlace, ...]
) -> None:
    seen: set[bytes] = set()
    for name, value, line in fields.credentials:
        here = [place for place in places if place.name == name and place.in_header]
        if name in seen and here:
            presented.place_used_twice = True
        seen.add(name)
        for place in here:
            token = _token_of(place, value)
            if token is not None:
                presented.found.append((place, token))
                break
        else:
            presented.lines.append(line)


def _token_of(place: CredentialPlace, value: bytes) -> bytes | None:
    """Return what a field's value presents at *place*, or None where it is of another scheme."""
    if not place.scheme:
        return value
    # credentials = auth-scheme [ 1*SP ( token68 / #auth-param ) ]   -- RFC 9110 section 11.4; one
    # space only is taken, as RFC 6750 section 2.1 writes it: what else there is stays in the token.
    # A tab ends the scheme too, as some services read it; the token behind it is malformed.
    scheme = value.replace(b"\t", b" ").partition(b" ")[0]
    return value[len(scheme) :].removeprefix(b" ") if scheme.lower() == place.scheme else None


def _search_cookies(
    presented: Presented, fields: Fields, places: tuple[CredentialPlace, ...]
) -> None:
    wanted = {place.name: place for place in places if place.kind is PlaceKind.COOKIE}
    kept = []
    seen: set[bytes] = set()
    for name, value, text in split_cookies(fields.cookies):
        place = wanted.get(name)
        if place is None:
            kept.append(text)
            continue
        if name in seen:
            presented.place_used_twice = True
        seen.add(name)
        presented.found.append((place, value))
    if kept:
        presented.lines.append(b"Cookie: " + b"; ".join(kept))


def _search_query(presented: Presented, query: bytes, wanted: dict[bytes, CredentialPlace]) -> None:
    kept = []
    seen: set[bytes] = set()
    for parameter in query[1:].split(b"&"):
        name, _, value = parameter.partition(b"=")
        name = unquote_to_bytes(_PLUS.sub(b" ", name))
        place = wanted.get(name)
        if place is None:
            kept.append(parameter)
            continue
        if name in seen:
            presented.place_used_twice = True
        seen.add(name)
        presented.found.append((place, unquote_to_bytes(value)))
    if seen:
        presented.query = b"?" + b"&".join(kept) if kept else b""
