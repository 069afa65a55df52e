"""What the pages of other origins may do on a route: CORS, with the gateway as its one owner.

A preflight asks whether a request may be made, and is answered here, before any credential is
looked at: browsers send none with it. Everything else, a plain OPTIONS too, is judged like any
request; CORS decides whether a page may read the answer, never whether there is one.

Source: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.http1.fields import Fields
from gateway.http1.request import RequestHead, value_of

PREFIX: Final = b"access-control-"  # of every field of an answer that belongs to CORS
_ORIGIN: Final = b"origin"
_REQUEST_METHOD: Final = b"access-control-request-method"
_VARY_PREFLIGHT: Final = (
    b"Vary",
    b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
)

HeaderFields = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cors:
    """Which pages may call a route from a browser, and what they may send and read."""

    origins: frozenset[bytes] = frozenset()  # as browsers write them: lower case, no default port
    any_origin: bool = False  # never with credentials
    methods: tuple[bytes, ...] = ()  # empty: the one that a preflight asks for, if a route takes it
    headers: tuple[bytes, ...] = ()
    expose_headers: tuple[bytes, ...] = ()
    credentials: bool = False  # cookies, and what a browser keeps for HTTP authentication
    max_age_s: int = 600

    def allows(self, origin: bytes | None) -> bool:
        """Whether a page of *origin* may read answers; where none is named, no page asks."""
        return origin is not None and (self.any_origin or origin.lower() in self.origins)

    def answer_fields(self, fields: Fields) -> HeaderFields:
        """Return what an answer carries, a refusal as well: a page must be able to read a 401."""
        known: HeaderFields | None = fields.derived.get(self)
        if known is None:
            known = self._shared_fields(fields)
            if known and self.expose_headers:
                known.append((b"Access-Control-Expose-Headers", b", ".join(self.expose_headers)))
            if not self.any_origin:  # caches must not show one page what another one may read
                known.append((b"Vary", b"Origin"))
            fields.remember(self, known)
        return known

    def preflight_fields(self, fields: Fields, method: bytes) -> HeaderFields:
        """Return what the answer to a preflight carries; without a permission browsers refuse.

        Args:
            fields: Of the preflight.
            method: Which it asks for; the route takes it.
        """
        granted = self._shared_fields(fields)
        if granted:
            granted.append((b"Access-Control-Allow-Methods", b", ".join(self.methods or (method,))))
            if self.headers:
                granted.append((b"Access-Control-Allow-Headers", b", ".join(self.headers)))
            granted.append((b"Access-Control-Max-Age", b"%d" % self.max_age_s))
        return [*granted, _VARY_PREFLIGHT]

    def _shared_fields(self, fields: Fields) -> HeaderFields:
        if self.any_origin:
            return [(b"Access-Control-Allow-Origin", b"*")]
        origin = origin_of(fields)
        if origin is None or not self.allows(origin):
            return []
        allowed = [(b"Access-Control-Allow-Origin", origin)]
        if self.credentials:
            allowed.append((b"Access-Control-Allow-Credentials", b"true"))
        return allowed


def origin_of(fields: Fields) -> bytes | None:
    """Return the origin of the page that a request comes from; None where it is not said once."""
    return _sole_value(fields, _ORIGIN)


def preflight_method(head: RequestHead) -> bytes | None:
    """Return the method that a preflight asks for; None where a request is no true preflight.

    It is an OPTIONS that names an origin and the method once each, and has no body. So nothing that
    a service would act on passes for one (THREATS.md PATH-28).
    """
    fields = head.fields
    if head.method != b"OPTIONS" or fields.has_body or origin_of(fields) is None:
        return None
    return _sole_value(fields, _REQUEST_METHOD)


def _sole_value(fields: Fields, name: bytes) -> bytes | None:
    values = list(_values(fields, name))
    return values[0] if len(values) == 1 and values[0] else None


def _values(fields: Fields, name: bytes) -> Iterator[bytes]:
    for line in fields.lines:
        if line.partition(b":")[0].lower() == name:
            yield value_of(line)
