"""What becomes of a request's headers on the way to the service, for ``gateway explain``.

Found by comparing the head that was received with the one that ``decide`` made of it, never by
following the rules a second time; the rules are asked only for the words. Credentials are redacted.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway.http1.names import STANDARD_KINDS, FieldKind, fold
from gateway.policy.model import CredentialPlace, Forward, PlaceKind, Route, Snapshot

REDACTED: Final = b"<redacted>"

# Fields that hold secrets whether or not a route looks for its credential there.
_SECRET_NAMES: Final = frozenset(
    (b"authorization", b"proxy-authorization", b"cookie", b"access-token", b"x-api-key")
)
_FRAMING: Final = frozenset((FieldKind.CONTENT_LENGTH, FieldKind.TRANSFER_ENCODING))
_WHY: Final = {
    FieldKind.PASS: "named in Connection",
    FieldKind.HOST: "the upstream has a Host of its own",
    FieldKind.CONNECTION: "hop-by-hop",
    FieldKind.UPGRADE: "hop-by-hop",
    FieldKind.EXPECT: "answered by the gateway",
    FieldKind.CONTENT_LENGTH: "framing is made anew",
    FieldKind.TRANSFER_ENCODING: "framing is made anew",
    FieldKind.FORWARDING: "only a trusted proxy may send it",
    FieldKind.REQUEST_ID: "only a trusted proxy may send it",
    FieldKind.CREDENTIAL: "holds the credential",
    FieldKind.COOKIE: "holds the credential",
}


@dataclass(frozen=True, slots=True)
class HeaderChange:
    """One field that is sent on and was not received, or the other way round."""

    name: str
    value: str  # redacted where it is a credential
    why: str = ""  # of a removal


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes credentials out of what is shown.

    Attributes:
        names: Fields, lower case, whose values are credentials.
        parameters: Query parameters whose values are credentials.
        tokens: Credentials that were found in the request; hidden wherever else they stand.
    """

    names: frozenset[bytes] = _SECRET_NAMES
    parameters: frozenset[bytes] = frozenset()
    tokens: frozenset[bytes] = field(default=frozenset(), repr=False)

    @classmethod
    def of(cls, snapshot: Snapshot, tokens: Iterable[bytes]) -> "Redactor":
        """Return one that knows every credential place of a configuration."""
        places: set[CredentialPlace] = set(snapshot.places)
        for route in snapshot.routes:
            places.update(route.places)
        headers = {p.name for p in places if p.kind in (PlaceKind.SCHEME, PlaceKind.RAW)}
        parameters = {p.name for p in places if p.kind is PlaceKind.QUERY}
        return cls(_SECRET_NAMES | headers, frozenset(parameters), frozenset(tokens) - {b""})

    def field_value(self, name: bytes, value: bytes) -> str:
        """Return a field's value as it may be shown; the name of a scheme stays."""
        if name.lower() not in self.names:
            return self.text(value)
        scheme, space, rest = value.partition(b" ")
        shown = scheme + space + REDACTED if rest and scheme.isalpha() else REDACTED
        return shown.decode("ascii")

    def target(self, target: bytes) -> str:
        """Return a request target as it may be shown."""
        path, mark, query = target.partition(b"?")
        shown = b"&".join(self._parameter(parameter) for parameter in query.split(b"&"))
        return self.text(path + mark + shown)

    def text(self, data: bytes) -> str:
        """Return any other text of the request as it may be shown."""
        for token in self.tokens:
            data = data.replace(token, REDACTED)
        return data.decode("utf-8", "backslashreplace")

    def _parameter(self, parameter: bytes) -> bytes:
        name, equals, _ = parameter.partition(b"=")
        return name + equals + REDACTED if name in self.parameters else parameter


def compare_heads(
    snapshot: Snapshot, received: bytes, forward: Forward, redactor: Redactor
) -> tuple[tuple[HeaderChange, ...], tuple[HeaderChange, ...]]:
    """Return the fields that are removed and those that are added, each in the order of its head.

    Args:
        snapshot: The configuration.
        received: The client's head, from the request line to the empty line.
        forward: What is sent in its place.
        redactor: Hides the credentials.
    """
    before = _fields(received.split(b"\r\n", 1)[1])
    after = _fields(forward.fields)
    route = forward.route
    if not forward.names_host:
        after.insert(0, (b"Host", route.upstream.endpoints[0].authority))
    removed = [
        HeaderChange(
            _text(name), redactor.field_value(name, value), _why_removed(snapshot, route, name)
        )
        for name, value in _without(before, after)
    ]
    added = [
        HeaderChange(_text(name), redactor.field_value(name, value))
        for name, value in _without(after, before)
    ]
    return tuple(removed), tuple(added)


def _fields(lines: bytes) -> list[tuple[bytes, bytes]]:
    pairs = (line.partition(b":") for line in lines.split(b"\r\n") if line)
    return [(name, value.strip(b" \t")) for name, _, value in pairs]


def _without(
    fields: list[tuple[bytes, bytes]], others: list[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    """Return the fields that do not stand in *others* as well, as often as they stand there."""
    there = Counter((name.lower(), value) for name, value in others)
    kept = []
    for name, value in fields:
        key = (name.lower(), value)
        if there[key]:
            there[key] -= 1
        else:
            kept.append((name, value))
    return kept


def _why_removed(snapshot: Snapshot, route: Route, name: bytes) -> str:
    kind = snapshot.names[name]
    changes = route.request_changes
    if kind is FieldKind.PASS and changes is not None and fold(name) in changes.removed:
        return "the route removes or replaces it"
    if kind is not FieldKind.DROP:
        return _WHY[kind]
    folded = fold(name)
    if any(
        fold(h.name.encode("ascii")) == folded for r in snapshot.routes for h in r.headers.headers
    ):
        return "only the gateway may set it"
    if STANDARD_KINDS.get(folded) is FieldKind.DROP:
        return "hop-by-hop, or overrides the method"
    return "an odd spelling"


def _text(data: bytes) -> str:
    return data.decode("latin-1")
