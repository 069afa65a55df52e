"""Why a route did not take a request, for ``gateway explain``.

The router answers for all routes at once; here each is asked alone, by a router that knows only it,
so that matching exists once. Only the number of the first segment that differs is counted here.
"""

from typing import Final

from gateway.errors import Reason
from gateway.policy.model import Request, Respond, Route, Snapshot
from gateway.policy.routing import (
    AmbiguousSegmentError,
    Leaf,
    Pattern,
    Router,
    pattern_segments,
)

_ANY_PATH: Final = (b"**",)


def find_obstacle(snapshot: Snapshot, request: Request, chosen: Route | Respond | None) -> str:
    """Return what keeps every route but the chosen one from a request that it matches by itself.

    Args:
        snapshot: The configuration.
        request: The request.
        chosen: What ``decide.find_judge`` said, or None where the gateway serves the path itself.
    """
    if chosen is None:
        return "the gateway answers this path itself"
    if isinstance(chosen, Route):
        return f"less specific than {chosen.name}"
    match chosen.reason:
        case Reason.METHOD_NOT_ALLOWED:
            names = ", ".join(_names_at_leaf(snapshot, request))
            return f"less specific than {names}, which refuses the method"
        case Reason.NOT_IMPLEMENTED:
            return "no route names the method"
        case Reason.AMBIGUOUS_PATH:
            return "the path spells a literal with escapes"
        case _:
            return "OPTIONS * is asked of the gateway, not of a route"


def why_not(route: Route, request: Request, obstacle: str) -> str:
    """Return why *route* did not take *request*; *obstacle* is why where it does match."""
    head = request.head
    hosts = tuple(host.encode("ascii") for host in route.hosts)
    segments = head.target.segments
    pattern = pattern_segments(route.path)
    if _ask(Pattern(_ANY_PATH, hosts), route, head.fields.host, []) is None:
        return f"host: {_text(head.fields.host) or 'none'} is not {' or '.join(route.hosts)}"
    try:
        leaf = _ask(Pattern(pattern, hosts, route.methods), route, head.fields.host, segments)
    except AmbiguousSegmentError:
        return "path: it spells a literal of this route with escapes"
    if leaf is None:
        return f"path: {_first_difference(pattern, segments)}"
    if leaf.find(head.method) is None:
        return f"method: takes {_text(b', '.join(leaf.allowed))}"
    return obstacle


def _ask(pattern: Pattern, route: Route, host: bytes, segments: list[bytes]) -> Leaf[Route] | None:
    return Router([(pattern, route)]).find(host, segments)


def _names_at_leaf(snapshot: Snapshot, request: Request) -> list[str]:
    leaf = snapshot.router.find(request.head.fields.host, request.head.target.segments)
    return sorted({route.name for route in leaf.by_method.values()}) if leaf else []


def _first_difference(pattern: tuple[bytes, ...], segments: list[bytes]) -> str:
    """Say where a path leaves a pattern that it is known not to match; segments count from 1."""
    for number, wanted in enumerate(pattern, start=1):
        if number > len(segments):
            return f"it ends before segment {number} ({_text(wanted)})"
        if wanted not in (b"*", segments[number - 1]):
            return f"segment {number} is {_text(segments[number - 1])}, not {_text(wanted)}"
    return f"it goes on after {len(pattern)} segments"


def _text(data: bytes) -> str:
    return data.decode("latin-1")
