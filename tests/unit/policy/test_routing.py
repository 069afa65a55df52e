"""Routes by specificity; ``tests/property/test_routing.py`` has the brute-force reference."""

import pytest

from gateway.policy.routing import (
    AmbiguousSegmentError,
    Leaf,
    Pattern,
    Router,
    RouteTieError,
    pattern_segments,
)


def _pattern(path: str, *hosts: str, methods: str = "") -> Pattern:
    segments = tuple(part.encode("ascii") for part in path.split("/") if part)
    names = frozenset(method.encode("ascii") for method in methods.split())
    return Pattern(segments, tuple(host.encode("ascii") for host in hosts), names)


def _find(router: Router[str], path: str, host: str = "x") -> Leaf[str] | None:
    return router.find(host.encode("ascii"), [p.encode("ascii") for p in path.split("/") if p])


def _router(*patterns: Pattern) -> Router[str]:
    return Router((p, b"/".join((*p.hosts, *p.segments)).decode("ascii")) for p in patterns)


ROUTER = _router(
    _pattern("/a/b"),
    _pattern("/a/*"),
    _pattern("/a/**"),
    _pattern("/*/b"),
    _pattern("/a/b/c", "gw.test"),
    _pattern("/**", "*.gw.test"),
    _pattern("/deep/*/x"),
    _pattern("/deep/y/z"),
)


@pytest.mark.parametrize(
    ("path", "host", "route"),
    [
        pytest.param("/a/b", "x", "a/b", id="literal"),
        pytest.param("/a/c", "x", "a/*", id="one-segment"),
        pytest.param("/a", "x", "a/**", id="rest-also-none"),
        pytest.param("/a/b/c", "x", "a/**", id="rest"),
        pytest.param("/c/b", "x", "*/b", id="first-segment-any"),
        pytest.param("/deep/y/x", "x", "deep/*/x", id="back-from-a-literal"),
        pytest.param("/c/d", "x", None, id="none"),
        pytest.param("/", "x", None, id="root"),
        pytest.param("/a/b/c", "gw.test", "gw.test/a/b/c", id="host"),
        pytest.param("/a/b", "gw.test", "a/b", id="host-without-that-path"),
        pytest.param("/z", "b.a.gw.test", "*.gw.test/**", id="wildcard-host"),
        pytest.param("/z", "gw.test", None, id="wildcard-needs-a-label"),
        pytest.param("/z", "xgw.test", None, id="wildcard-needs-the-dot"),
    ],
)
def test_the_most_specific_route_wins(path: str, host: str, route: str | None) -> None:
    """DESIGN.md section 2."""
    leaf = _find(ROUTER, path, host)

    assert route == (leaf and leaf.any_method)


@pytest.mark.parametrize(
    ("one", "other", "ties"),
    [
        pytest.param(_pattern("/a"), _pattern("/a"), True, id="same"),
        pytest.param(_pattern("/a"), _pattern("/a", methods="GET"), False, id="methods-beat-none"),
        pytest.param(
            _pattern("/a", methods="GET PUT"),
            _pattern("/a", methods="GET"),
            True,
            id="methods-meet",
        ),
        pytest.param(
            _pattern("/a", methods="PUT"), _pattern("/a", methods="GET"), False, id="methods-differ"
        ),
        pytest.param(_pattern("/a", "h"), _pattern("/a"), False, id="host-and-none"),
        pytest.param(_pattern("/a", "h", "i"), _pattern("/a", "i"), True, id="hosts-meet"),
        pytest.param(_pattern("/a", "h", "h"), _pattern("/a", "i"), False, id="host-named-twice"),
        pytest.param(_pattern("/a/**"), _pattern("/a/**"), True, id="rests"),
        pytest.param(_pattern("/a/*"), _pattern("/a/**"), False, id="one-and-rest"),
    ],
)
def test_two_routes_tie_where_neither_is_more_specific(
    *, one: Pattern, other: Pattern, ties: bool
) -> None:
    """DESIGN.md section 2: found when the file is loaded, and the first one is named."""
    for patterns in ((one, other), (other, one)):
        router = Router([(patterns[0], "first")])
        if not ties:
            router.add(patterns[1], "second")
            continue
        with pytest.raises(RouteTieError) as caught:
            router.add(patterns[1], "second")
        assert caught.value.other == "first"


@pytest.mark.parametrize(
    ("methods", "asked", "route", "allowed"),
    [
        pytest.param(["GET"], "GET", "GET", "GET HEAD", id="named"),
        pytest.param(["GET"], "HEAD", "GET", "GET HEAD", id="HEAD-follows-GET"),
        pytest.param(["GET", "HEAD"], "HEAD", "HEAD", "GET HEAD", id="HEAD-named"),
        pytest.param(["GET"], "POST", None, "GET HEAD", id="not-named"),
        pytest.param(["POST"], "HEAD", None, "POST", id="HEAD-without-GET"),
        pytest.param(["POST", ""], "PUT", "", "POST", id="any-other"),
        pytest.param(["POST", ""], "POST", "POST", "POST", id="named-before-any"),
    ],
)
def test_methods_tell_routes_of_one_path_apart(
    methods: list[str], asked: str, route: str | None, allowed: str
) -> None:
    """DESIGN.md section 2: HEAD follows GET; what is not named is refused, with ``Allow``."""
    leaf = _find(Router((_pattern("/a", methods=m), m) for m in methods), "/a")

    assert leaf is not None
    assert route == leaf.find(asked.encode("ascii"))
    assert allowed.encode("ascii") == b" ".join(leaf.allowed)


@pytest.mark.parametrize("path", ["/%61/x", "/a/%62", "/caf%c3%a9", "/deep/%79/z"])
def test_a_literal_cannot_be_hidden_by_escapes(path: str) -> None:
    """A service that decodes would see a literal that the match did not see: 400."""
    router = _router(
        _pattern("/a/**"), _pattern("/a/b"), _pattern("/**"), _pattern("/caf%C3%A9"),
        _pattern("/deep/y/z"), _pattern("/deep/*/z"),
    )  # fmt: skip

    with pytest.raises(AmbiguousSegmentError):
        _find(router, path)


@pytest.mark.parametrize("path", ["/a/%41", "/caf%C3%A9", "/a/b/%61"])
def test_escapes_that_hide_nothing_are_data(path: str) -> None:
    """Only a literal of the very place counts."""
    assert _find(_router(_pattern("/a/**"), _pattern("/a/b"), _pattern("/caf%C3%A9")), path)


def test_one_of_many_routes_is_found() -> None:
    """DESIGN.md section 11: 2,000 routes are as good as 10."""
    router = _router(*(_pattern(f"/api/r{number}/**") for number in range(2000)))

    leaf = _find(router, "/api/r1999/x")
    assert leaf is not None
    assert leaf.any_method == "api/r1999/**"


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/", ()),
        ("/a/{id}/*/**", (b"a", b"*", b"*", b"**")),
        ("/.well-known/jwks.json", (b".well-known", b"jwks.json")),
        ("/a/", (b"a",)),
    ],
)
def test_a_path_is_written_as_patterns_are_compared(path: str, segments: tuple[bytes, ...]) -> None:
    """A name of a parameter tells nothing apart, and a final slash is no segment."""
    assert segments == pattern_segments(path)
