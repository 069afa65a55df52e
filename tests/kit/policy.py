"""Builds snapshots and requests for tests of the core, without the YAML file between.

Heads go through the same validation as on the wire (``proxy.heads``), so that no test decides on a
head which llhttp would have refused.
"""

from typing import Any, Final

from gateway.errors import ProtocolError, Reason
from gateway.http1.names import NameTable
from gateway.policy.checked import CheckedCredentials
from gateway.policy.claim_headers import ClaimHeader, HeaderPlan
from gateway.policy.decide import decide
from gateway.policy.forwarding import make_request
from gateway.policy.model import (
    CredentialPlace,
    Decision,
    Endpoint,
    Forward,
    PlaceKind,
    Request,
    Respond,
    Route,
    Snapshot,
    Upstream,
)
from gateway.policy.revoked import NoRevocations, RevocableToken, Revocations
from gateway.policy.routing import Pattern, Router
from gateway.policy.tokens import Issuer, TokenVerifier
from gateway.proxy.heads import read_request_head
from tests.kit.tokens import NOW_S, issuer_of

BEARER: Final = CredentialPlace(PlaceKind.SCHEME, b"authorization", b"bearer")
ACCESS_TOKEN: Final = CredentialPlace(PlaceKind.RAW, b"access-token")
COOKIE: Final = CredentialPlace(PlaceKind.COOKIE, b"session")
QUERY: Final = CredentialPlace(PlaceKind.QUERY, b"access_token")
PLACES: Final = (BEARER, ACCESS_TOKEN)

CLAIM_HEADERS: Final = HeaderPlan(
    (
        ClaimHeader("X-User", "sub"),
        ClaimHeader("X-User-Email", "email"),
        ClaimHeader("X-User-Roles", "roles"),
    )
)
SERVICE: Final = Upstream(name="service", endpoints=(Endpoint("127.0.0.1", 9000),))
ALL_METHODS: Final = frozenset(
    (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"PURGE")
)
PEER: Final = "203.0.113.7"
REQUEST_ID: Final = b"request-1"


class Told:
    """Revocations as a test tells them, which count how often they were asked."""

    def __init__(self, *revoked: str, stale: bool = False) -> None:
        self.revoked = revoked  # values of ``jti``
        self.stale = stale
        self.calls: list[str] = []

    def is_stale(self, now_s: float) -> bool:
        """Whether the test said so."""
        assert now_s
        self.calls.append("is_stale")
        return self.stale

    def is_revoked(self, token: RevocableToken, now_s: float) -> bool:
        """Whether the test named it."""
        assert now_s
        self.calls.append("is_revoked")
        return token.claims["jti"] in self.revoked


def route(path: str, **settings: Any) -> Route:
    """Return a route to the service that takes Bearer and access-token, and sets ``X-User*``."""
    settings = {"upstream": SERVICE, "places": PLACES, "headers": CLAIM_HEADERS, **settings}
    return Route(name=settings.pop("name", path), path=path, **settings)


def pattern_of(route: Route) -> Pattern:
    """Return what a route matches; ``{name}`` is one segment."""
    segments = tuple(
        b"*" if part.startswith("{") else part.encode("ascii")
        for part in route.path.split("/")
        if part
    )
    hosts = tuple(host.encode("ascii") for host in route.hosts)
    return Pattern(segments, hosts, route.methods)


def snapshot(
    *routes: Route,
    issuers: tuple[Issuer, ...] | None = None,
    keep_odd_names: bool = False,
    **settings: Any,
) -> Snapshot:
    """Compile routes; what may not pass follows from their claim headers and credentials."""
    places = {place for route in routes for place in route.places} | set(PLACES)
    names = NameTable(
        reserved=[h.name.encode("ascii") for r in routes for h in r.headers.headers],
        credentials=[p.name for p in places if p.kind in (PlaceKind.SCHEME, PlaceKind.RAW)],
        cookies=any(place.kind is PlaceKind.COOKIE for place in places),
        keep_odd_names=keep_odd_names,
    )
    return Snapshot(
        router=Router((pattern_of(route), route) for route in routes),
        names=names,
        verifier=TokenVerifier((issuer_of(),) if issuers is None else issuers),
        checked=CheckedCredentials(b"a key of the tests"),
        routes=routes,
        **{"places": PLACES, "methods": ALL_METHODS, **settings},
    )


def head(target: str, *lines: bytes, method: str = "GET", host: str = "gw.test") -> bytes:
    """Return the head of an HTTP/1.1 request."""
    first = f"{method} {target} HTTP/1.1\r\nHost: {host}".encode("latin-1")
    return b"\r\n".join([first, *lines, b"", b""])


def bearer(token: bytes) -> bytes:
    """Return the field line that presents a token."""
    return b"Authorization: Bearer " + token


def request(snapshot: Snapshot, head: bytes, *, peer: str = PEER, secure: bool = False) -> Request:
    """Read a head as the data plane does.

    Raises:
        ProtocolError: The head is refused before there is anything to decide.
    """
    read = read_request_head(head, snapshot)
    return make_request(snapshot, read, peer=peer, secure=secure, new_id=REQUEST_ID)


def answer(
    snapshot: Snapshot,
    head: bytes,
    *,
    now_s: float = NOW_S,
    peer: str = PEER,
    revocations: Revocations | None = None,
) -> Decision:
    """Decide on a head; one that cannot be read is the refusal that the client would get."""
    try:
        read = request(snapshot, head, peer=peer)
    except ProtocolError as error:
        return Respond(error.reason, error.detail)
    return decide(snapshot, read, now_s, revocations or NoRevocations())


def reason_of(decision: Decision) -> Reason | None:
    """Return why a request was refused, or None where it was not."""
    return decision.reason if isinstance(decision, Respond) else None


def fields_of(decision: Decision) -> list[tuple[bytes, bytes]]:
    """Return (lower-case name, value) of each field that the service is sent, in order."""
    assert isinstance(decision, Forward)
    assert decision.fields.endswith(b"\r\n")
    lines = decision.fields[:-2].split(b"\r\n")
    return [(n.lower(), v.strip(b" \t")) for n, _, v in (line.partition(b":") for line in lines)]


def values_of(decision: Decision, name: str) -> list[bytes]:
    """Return the values of each field of that name that the service is sent."""
    return [v for n, v in fields_of(decision) if n == name.lower().encode("ascii")]
