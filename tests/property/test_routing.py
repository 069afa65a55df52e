"""The router against a brute-force reference: every pattern tried, the most specific one taken."""

from random import Random
from typing import Final

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.policy.routing import Pattern, Router, RouteTieError

_SEGMENTS: Final = st.sampled_from([b"a", b"b", b"c", b"*"])
_HOSTS: Final = st.sampled_from([b"gw.test", b"a.gw.test", b"*.gw.test", b"*.a.gw.test", b"*.test"])
_METHODS: Final = st.sampled_from([b"GET", b"HEAD", b"POST"])
_PATTERNS: Final = st.builds(
    lambda head, rest, hosts, methods: Pattern((*head, *rest), tuple(hosts), methods),
    st.lists(_SEGMENTS, max_size=3),
    st.sampled_from([(), (b"**",)]),
    st.lists(_HOSTS, max_size=2),
    st.frozensets(_METHODS, max_size=2),
)
_TABLES: Final = st.lists(_PATTERNS, max_size=8)
_PATHS: Final = st.lists(st.sampled_from([b"a", b"b", b"c", b"d"]), max_size=4)
_ASKED_HOSTS: Final = st.sampled_from(
    [b"gw.test", b"a.gw.test", b"b.a.gw.test", b"x.gw.test", b"other.test", b"test", b"", b"."]
)


def _host_rank(pattern: Pattern, host: bytes) -> tuple[int, int] | None:
    """Return how specific the best of a pattern's hosts is for *host*; less is more specific."""
    if not pattern.hosts:
        return (2, 0)
    ranks = []
    for wanted in pattern.hosts:
        if wanted == host:
            ranks.append((0, 0))
        elif wanted.startswith(b"*") and host.endswith(wanted[1:]):
            ranks.append((1, -len(wanted)))
    return min(ranks, default=None)


def _path_rank(pattern: Pattern, path: list[bytes]) -> tuple[int, ...] | None:
    """Return how specific each segment of a pattern is for *path*."""
    rest = pattern.segments[-1:] == (b"**",)
    wanted = pattern.segments[:-1] if rest else pattern.segments
    if len(path) < len(wanted) or (len(path) > len(wanted) and not rest):
        return None
    if any(want not in (b"*", segment) for want, segment in zip(wanted, path, strict=False)):
        return None
    return (*(int(want == b"*") for want in wanted), 2 if rest else -1)


def _reference(table: list[Pattern], host: bytes, path: list[bytes]) -> dict[bytes, int]:
    """Return the routes of the winning pattern by method; ``b""`` stands for any other."""
    best: tuple[object, object] | None = None
    winners: list[int] = []
    for number, pattern in enumerate(table):
        host_rank, path_rank = _host_rank(pattern, host), _path_rank(pattern, path)
        if host_rank is None or path_rank is None:
            continue
        rank = (host_rank, path_rank)
        if best is None or rank < best:
            best, winners = rank, []
        if rank == best:
            winners.append(number)
    return {m: n for n in winners for m in table[n].methods or {b""}}


def _router_of(table: list[Pattern]) -> tuple[Router[int], list[Pattern]]:
    """Return a router of all routes of *table* that do not tie with an earlier one."""
    kept: list[Pattern] = []
    router: Router[int] = Router()
    for pattern in table:
        try:
            Router((p, n) for n, p in enumerate([*kept, pattern]))
        except RouteTieError:
            continue
        router.add(pattern, len(kept))
        kept.append(pattern)
    return router, kept


@given(_TABLES, _ASKED_HOSTS, _PATHS, _METHODS)
@example([Pattern((b"a", b"b")), Pattern((b"*", b"c"))], b"x", [b"a", b"c"], b"GET")
@example([Pattern((b"a",), (b"gw.test",)), Pattern((b"**",))], b"gw.test", [b"b"], b"GET")
def test_the_router_equals_the_reference(
    table: list[Pattern], host: bytes, path: list[bytes], method: bytes
) -> None:
    """DESIGN.md section 2: host before no host, literal before one before rest, then methods."""
    router, kept = _router_of(table)
    expected = _reference(kept, host, path)
    leaf = router.find(host, path)

    if not expected:
        assert leaf is None
        return
    assert leaf is not None
    by_get = expected.get(b"GET") if method == b"HEAD" else None
    wanted = expected.get(method, by_get)
    assert leaf.find(method) == (expected.get(b"") if wanted is None else wanted)


@given(_TABLES, _ASKED_HOSTS, _PATHS, st.randoms(use_true_random=False))
def test_the_order_of_the_file_does_not_matter(
    table: list[Pattern], host: bytes, path: list[bytes], rng: Random
) -> None:
    """PATH-30: the winner depends on the patterns, never on which stands first."""
    _, kept = _router_of(table)
    shuffled = list(enumerate(kept))
    rng.shuffle(shuffled)
    one = Router((pattern, number) for number, pattern in enumerate(kept)).find(host, path)
    other = Router((pattern, number) for number, pattern in shuffled).find(host, path)

    assert (one and (one.by_method, one.any_method)) == (
        other and (other.by_method, other.any_method)
    )
