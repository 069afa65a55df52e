"""The whole story of one decision, for ``gateway explain``.

The decision itself is ``decide``'s and nothing else; around it the same stages are asked one by one
for what they saw. No credential ever stands in an explanation: only its place and its length.
"""

from dataclasses import asdict, dataclass
from typing import Any

from gateway.errors import ProtocolError
from gateway.policy.credentials import Presented, find_presented
from gateway.policy.decide import Judge, decide, find_judge
from gateway.policy.header_changes import HeaderChange, Redactor, compare_heads
from gateway.policy.model import (
    ControlEndpoint,
    CredentialPlace,
    Decision,
    Forward,
    Preflight,
    Request,
    Respond,
    Route,
    Snapshot,
)
from gateway.policy.revoked import Revocations
from gateway.policy.verdicts import Check, run_checks
from gateway.policy.why_not import find_obstacle, why_not


@dataclass(frozen=True, slots=True)
class RouteVerdict:
    """Whether a route took the request, and if not, why not."""

    name: str
    path: str
    why_not: str  # empty: it did


@dataclass(frozen=True, slots=True)
class PlaceReport:
    """What stood in one place where a credential may be."""

    place: str
    lengths_bytes: tuple[int, ...]  # of the credentials there; more than one is refused
    other_kind: bool = False  # something was there, of a scheme that is none of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A decision and how it came about."""

    decision: Decision
    target: str  # as received, credentials redacted
    route: str | None
    routes: tuple[RouteVerdict, ...]
    places: tuple[PlaceReport, ...]
    checks: tuple[Check, ...]
    upstream_urls: tuple[str, ...] = ()  # one for each endpoint
    removed: tuple[HeaderChange, ...] = ()
    added: tuple[HeaderChange, ...] = ()
    answer_headers: tuple[
        HeaderChange, ...
    ] = ()  # where the gateway itself answers, beside framing

    @property
    def outcome(self) -> str:
        """``forward``, ``serve`` or ``respond``; ``look up`` where the store says which."""
        if isinstance(self.decision, Respond) and self.decision.unchecked is not None:
            return "look up"
        return type(self.decision).__name__.lower()

    def as_dict(self) -> dict[str, Any]:
        """Return the explanation as JSON can carry it."""
        refusal = self.decision if isinstance(self.decision, Respond) else None
        refused = refusal is not None and refusal.unchecked is None
        return {
            "decision": self.outcome,
            "status": refusal.status if refusal and refused else None,
            "reason": refusal.reason if refusal and refused else None,
            "detail": refusal.detail if refusal else None,
            "target": self.target,
            "route": self.route,
            "routes": [asdict(verdict) for verdict in self.routes],
            "credential_places": [asdict(place) for place in self.places],
            "checks": [asdict(check) for check in self.checks],
            "upstream_urls": list(self.upstream_urls),
            "headers_removed": [asdict(change) for change in self.removed],
            "headers_added": [
                {"name": change.name, "value": change.value} for change in self.added
            ],
            "answer_headers": [
                {"name": header.name, "value": header.value} for header in self.answer_headers
            ],
        }


def explain(
    snapshot: Snapshot,
    request: Request,
    now_s: float,
    revocations: Revocations,
    *,
    received: bytes,
) -> Explanation:
    """Decide on a request at *now_s*, seconds since the epoch, and tell how.

    Args:
        snapshot: The configuration.
        request: The request.
        now_s: The time.
        revocations: What is known of them; ``NoRevocations`` is told of as not asked.
        received: The bytes that ``request.head`` was read from; the head keeps no dropped field.
    """
    decision = decide(snapshot, request, now_s, revocations)
    judge = find_judge(snapshot, request)
    route = judge.route if isinstance(judge, Preflight) else judge
    places = _places_of(snapshot, judge)
    presented = find_presented(request.head, places)
    redactor = Redactor.of(snapshot, [token for _, token in presented.found])
    removed: tuple[HeaderChange, ...] = ()
    added: tuple[HeaderChange, ...] = ()
    urls: tuple[str, ...] = ()
    if isinstance(decision, Forward):
        removed, added = compare_heads(snapshot, received, decision, redactor)
        urls = _urls(decision, redactor)
    return Explanation(
        decision=decision,
        target=redactor.target(received.split(b" ", 2)[1]),
        route=route.name if isinstance(route, Route) else None,
        routes=_judge_routes(snapshot, request, route),
        places=tuple(_report(place, presented, request) for place in places),
        checks=tuple(run_checks(snapshot, request, judge, presented, now_s, revocations)),
        upstream_urls=urls,
        removed=removed,
        added=added,
        answer_headers=_answer_headers(decision),
    )


def explain_malformed(snapshot: Snapshot, received: bytes, error: ProtocolError) -> Explanation:
    """Tell of a head that was refused before there was anything to decide on."""
    target = received.split(b" ", 2)[1]
    return Explanation(
        decision=Respond(error.reason, error.detail),
        target=Redactor.of(snapshot, ()).target(target),
        route=None,
        routes=(),
        places=(),
        checks=(Check("head", passed=False, detail=error.detail, reason=error.reason),),
    )


def _places_of(snapshot: Snapshot, judge: Judge) -> tuple[CredentialPlace, ...]:
    return judge.places if isinstance(judge, Route) else snapshot.places


def _judge_routes(
    snapshot: Snapshot, request: Request, judge: ControlEndpoint | Route | Respond
) -> tuple[RouteVerdict, ...]:
    chosen = None if isinstance(judge, ControlEndpoint) else judge
    obstacle = find_obstacle(snapshot, request, chosen)
    return tuple(
        RouteVerdict(
            route.name,
            route.path,
            "" if route is chosen else why_not(route, request, obstacle),
        )
        for route in snapshot.routes
    )


def _answer_headers(decision: Decision) -> tuple[HeaderChange, ...]:
    fields = decision.fields if isinstance(decision, Respond) else ()
    return tuple(
        HeaderChange(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields
    )


def _report(place: CredentialPlace, presented: Presented, request: Request) -> PlaceReport:
    lengths = tuple(len(token) for where, token in presented.found if where == place)
    other_kind = not lengths and any(
        name == place.name and line in presented.lines
        for name, _, line in request.head.fields.credentials
    )
    return PlaceReport(str(place), lengths, other_kind)


def _urls(forward: Forward, redactor: Redactor) -> tuple[str, ...]:
    target = redactor.target(forward.request_line.split(b" ")[1])
    return tuple(endpoint.url(target) for endpoint in forward.route.upstream.endpoints)
