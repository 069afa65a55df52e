"""Which route takes a request: the most specific one, found at a cost per segment, not per route.

Specificity, in this order: an exact host, a wildcard host, no host; then segment by segment a
literal, ``{name}`` or ``*``, ``**``; then a route that names its methods before one that does not.
The first pattern that matches the path decides: a method that it does not take is refused there and
never falls through to a wider route.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import unquote_to_bytes

T = TypeVar("T")

_ONE: Final = b"*"
_REST: Final = b"**"
_PERCENT: Final = 0x25


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a route matches, in the form that two patterns are compared in."""

    segments: tuple[bytes, ...]  # literals; ``*`` for one segment; a final ``**`` for the rest
    hosts: tuple[bytes, ...] = ()  # lower case; ``*.example.com`` for any name below; empty: any
    methods: frozenset[bytes] = frozenset()  # empty: any


def pattern_segments(path: str) -> tuple[bytes, ...]:
    """Return a checked path as patterns are compared: ``*`` for one segment, ``**`` for all."""
    return tuple(
        _ONE if segment.startswith("{") else segment.encode("ascii")
        for segment in path.strip("/").split("/")
        if segment
    )


class RouteTieError(ValueError):
    """Two routes take the same requests; *other* is the one that was there first."""

    def __init__(self, other: object) -> None:
        super().__init__(other)
        self.other = other


class AmbiguousSegmentError(ValueError):
    """A segment is escaped so that the service may read a literal which the match did not see."""


class Leaf(Generic[T]):
    """The routes of one path pattern, told apart by method."""

    __slots__ = ("any_method", "by_method")

    def __init__(self) -> None:
        self.by_method: dict[bytes, T] = {}
        self.any_method: T | None = None

    def find(self, method: bytes) -> T | None:
        """Return the route for a method; HEAD follows GET unless a route names it."""
        route = self.by_method.get(method)
        if route is None and method == b"HEAD":
            route = self.by_method.get(b"GET")
        return route if route is not None else self.any_method

    @property
    def allowed(self) -> tuple[bytes, ...]:
        """The methods that are taken, for ``Allow``."""
        methods = set(self.by_method)
        return tuple(sorted(methods | {b"HEAD"} if b"GET" in methods else methods))


class _Node(Generic[T]):
    """One segment's place in the tree of patterns."""

    __slots__ = ("decoded", "leaf", "literals", "one", "rest")

    def __init__(self) -> None:
        self.literals: dict[bytes, _Node[T]] = {}
        self.decoded: set[bytes] = set()  # the literals as a service reads them
        self.one: _Node[T] | None = None
        self.rest: Leaf[T] | None = None
        self.leaf: Leaf[T] | None = None

    def find(self, segments: list[bytes]) -> Leaf[T] | None:  # noqa: C901 (a call per segment costs)
        """Return the most specific pattern below here that takes *segments*.

        Goes down by literals and turns back to the nearest wider alternative where they end.
        """
        wider: list[Leaf[T] | tuple[_Node[T], int]] = []  # the nearest last
        node, depth, count = self, 0, len(segments)
        while True:
            child = None
            if depth < count:
                segment = segments[depth]
                if _PERCENT in segment and node._hides_literal(segment):
                    raise AmbiguousSegmentError(segment)
                if node.rest is not None:
                    wider.append(node.rest)
                if node.one is not None:
                    wider.append((node.one, depth + 1))
                child = node.literals.get(segment)
            elif (leaf := node.leaf or node.rest) is not None:
                return leaf
            if child is not None:
                node, depth = child, depth + 1
                continue
            if not wider:
                return None
            nearest = wider.pop()
            if isinstance(nearest, Leaf):
                return nearest
            node, depth = nearest

    def _hides_literal(self, segment: bytes) -> bool:
        return segment not in self.literals and unquote_to_bytes(segment) in self.decoded


class Router(Generic[T]):
    """All routes of a configuration, ready to be asked."""

    __slots__ = ("_any_host", "_hosts", "_wildcards")

    def __init__(self, routes: Iterable[tuple[Pattern, T]] = ()) -> None:
        self._hosts: dict[bytes, _Node[T]] = {}
        self._wildcards: dict[bytes, _Node[T]] = {}  # by suffix, with its dot
        self._any_host: _Node[T] = _Node()
        for pattern, route in routes:
            self.add(pattern, route)

    def add(self, pattern: Pattern, route: T) -> None:
        """Take in a route.

        Raises:
            RouteTieError: Another route with equally specific host and path takes its methods.
        """
        for root in self._roots(pattern.hosts):
            leaf = _leaf(root, pattern.segments)
            if not pattern.methods:
                if leaf.any_method is not None:
                    raise RouteTieError(leaf.any_method)
                leaf.any_method = route
            for method in pattern.methods:
                if method in leaf.by_method:
                    raise RouteTieError(leaf.by_method[method])
                leaf.by_method[method] = route

    def find(self, host: bytes, segments: list[bytes]) -> Leaf[T] | None:
        """Return the routes of the most specific pattern for a host and a path.

        Raises:
            AmbiguousSegmentError: The path spells a literal of some route with escapes.
        """
        if self._hosts and (root := self._hosts.get(host)) is not None:
            leaf = root.find(segments)
            if leaf is not None:
                return leaf
        if self._wildcards:
            for suffix in _suffixes(host):
                wildcard = self._wildcards.get(suffix)
                if wildcard is not None and (leaf := wildcard.find(segments)) is not None:
                    return leaf
        return self._any_host.find(segments)

    def _roots(self, hosts: tuple[bytes, ...]) -> list[_Node[T]]:
        if not hosts:
            return [self._any_host]
        return [
            self._wildcards.setdefault(host[1:], _Node())
            if host.startswith(b"*.")
            else self._hosts.setdefault(host, _Node())
            for host in dict.fromkeys(hosts)
        ]


def _leaf(node: _Node[T], segments: tuple[bytes, ...]) -> Leaf[T]:
    for segment in segments:
        if segment == _REST:
            node.rest = node.rest or Leaf()
            return node.rest
        if segment == _ONE:
            node.one = node.one or _Node()
            node = node.one
        else:
            node.decoded.add(unquote_to_bytes(segment))
            node = node.literals.setdefault(segment, _Node())
    node.leaf = node.leaf or Leaf()
    return node.leaf


def _suffixes(host: bytes) -> Iterable[bytes]:
    """Yield the wildcard keys of a host, the longest first: ``.b.c`` then ``.c`` for ``a.b.c``."""
    position = host.find(b".")
    while position >= 0:
        yield host[position:]
        position = host.find(b".", position + 1)
