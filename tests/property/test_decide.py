"""What holds of every decision, whatever the request (DESIGN.md section 8)."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ProtocolError
from gateway.http1.request import RequestHead
from gateway.policy.decide import decide
from gateway.policy.model import (
    CONTROL_ENDPOINTS,
    Auth,
    Decision,
    Forward,
    Respond,
    Serve,
    Snapshot,
)
from gateway.policy.requirements import Requirement
from gateway.policy.revoked import NoRevocations
from tests.kit.policy import (
    COOKIE,
    PLACES,
    QUERY,
    Told,
    answer,
    bearer,
    fields_of,
    head,
    request,
    route,
    snapshot,
)
from tests.kit.tokens import NOW_S, mint, resigned

_ADMIN: Final = Requirement(roles=frozenset(("admin",)))
_EVERYWHERE: Final = (*PLACES, COOKIE, QUERY)
_ROUTES: Final = (
    route("/public/**", auth=Auth.NONE),
    route("/optional/**", auth=Auth.OPTIONAL, places=_EVERYWHERE),
    route("/p/**", places=_EVERYWHERE),
    route("/admin/**", require=_ADMIN),
    route("/host", hosts=("other.test",), auth=Auth.NONE),
)
_GOOD: Final = (mint(), mint({"sub": "root", "roles": ["admin"], "email": "r@x"}))
_BAD: Final = (mint({"exp": NOW_S}), resigned(mint(), b"x" * 32), b"x", b"", b"a b", mint() + b"=")
_TOKENS: Final = st.sampled_from([*_GOOD, *_GOOD, *_BAD])
_LINES: Final = st.one_of(
    _TOKENS.map(bearer),
    _TOKENS.map(lambda token: b"access-token: " + token),
    _TOKENS.map(lambda token: b"Cookie: a=b; session=" + token),
    st.sampled_from(
        [
            b"X-User: admin",
            b"X_User: admin",
            b"X-User-Email: root@x",
            b"x-user-roles: admin",
            b"Connection: X-User, X-User-Roles, Authorization",
            b"X-Original-URL: /public/x",
            b"X-Forwarded-Uri: /public/x",
            b"X-HTTP-Method-Override: DELETE",
            b"Content-Length: 99999999999",
            b"Content-Length: 3",
            b"Authorization: Digest a",
        ]
    ),
)
_SEGMENTS: Final = st.sampled_from(
    ["public", "optional", "p", "admin", "host", "x", "..", "%2e", "%61dmin", "%2f", "whoami",
     "sessions", "logout", "%73essions"]
)  # fmt: skip
_QUERIES: Final = st.one_of(
    st.sampled_from(["", "?", "?a=b", "?a=b&&c"]),
    _TOKENS.map(lambda token: "?a=b&access_token=" + token.decode().replace(" ", "%20")),
)
_HEADS: Final = st.builds(
    lambda segments, query, lines, method, host: head(
        "/" + "/".join(segments) + query, *lines, method=method, host=host
    ),
    st.lists(_SEGMENTS, max_size=3),
    _QUERIES,
    st.lists(_LINES, max_size=4),
    st.sampled_from(["GET", "HEAD", "POST", "DELETE", "OPTIONS", "LINK"]),
    st.sampled_from(["gw.test", "other.test", "OTHER.test.", "[::1]:80"]),
)


def _compile() -> Snapshot:
    return snapshot(*_ROUTES)


def _visible(head: RequestHead) -> list[str]:
    """Return all that a request head shows; ``derived`` is the memory of the policy itself."""
    parts = (head.fields, head.target)
    shown = [repr(getattr(part, n)) for part in parts for n in part.__slots__ if n != "derived"]
    return [*shown, repr((head.method, head.minor, head.keep_alive))]


def _essence(decision: Decision) -> tuple[object, ...]:
    """Return all that there is to a decision, comparable."""
    match decision:
        case Forward():
            claims = decision.token and decision.token.claims
            return decision.request_line, decision.fields, claims
        case Serve():
            claims = decision.token and decision.token.claims
            return decision.endpoint, decision.refused, claims
        case Respond():
            return decision.reason, decision.status, decision.detail, decision.fields


@given(st.lists(st.tuples(_HEADS, st.integers(-100, 700)), min_size=1, max_size=5))
def test_the_same_question_gets_the_same_answer(asked: list[tuple[bytes, int]]) -> None:
    """Pure: nothing that was asked before, and remembered of it, changes a decision."""
    used = _compile()

    for received, offset_s in [*asked, *asked]:
        fresh = answer(_compile(), received, now_s=NOW_S + offset_s)
        assert _essence(fresh) == _essence(answer(used, received, now_s=NOW_S + offset_s))


@given(_HEADS, st.lists(st.sampled_from(["/public/x", "/optional/x", "/p/x", "/admin"])))
def test_the_same_fields_are_judged_anew_on_each_route(head: bytes, targets: list[str]) -> None:
    """What is remembered of a field section on one route does not serve another."""
    used = _compile()
    section = head.partition(b"\r\n")[2]

    for target in targets:
        asked = f"GET {target} HTTP/1.1\r\n".encode() + section
        assert _essence(answer(_compile(), asked)) == _essence(answer(used, asked))


@given(_HEADS)
def test_deciding_leaves_the_request_as_it_was(head: bytes) -> None:
    """``decide`` changes nothing of what it is given: a second caller sees the same request."""
    known = _compile()
    try:
        asked = request(known, head)
    except ProtocolError:
        return
    before = _visible(asked.head)
    decide(known, asked, NOW_S, NoRevocations())

    assert before == _visible(asked.head)


@given(_HEADS)
def test_nothing_is_forwarded_without_a_route_that_allows_it(head: bytes) -> None:
    """Everything is denied that no route allows; control paths are never forwarded."""
    decision = answer(_compile(), head)

    if isinstance(decision, Forward):
        first = decision.request_line.split(b" ")[1].partition(b"?")[0].split(b"/")[1]
        assert decision.route in _ROUTES
        assert decision.route.path.split("/")[1] == first.decode("ascii")
        assert decision.route.hosts == () or b"other.test" in head.lower()
        assert decision.request_line.split(b" ")[0] == head.split(b" ")[0]
        if decision.route.auth is Auth.REQUIRED:
            assert decision.token is not None
        if decision.route.require is _ADMIN:
            assert decision.token is not None
            assert decision.token.claims["sub"] == "root"
    elif isinstance(decision, Serve):
        assert decision.endpoint in CONTROL_ENDPOINTS
        assert (decision.token is None) == (decision.endpoint.auth is Auth.NONE)
        assert decision.refused is None or decision.endpoint.takes_ended_tokens


@given(_HEADS, st.sampled_from([Told("5f0c"), Told(stale=True), Told("5f0c", stale=True)]))
def test_nothing_passes_with_a_token_that_may_not_count(head: bytes, revocations: Told) -> None:
    """DESIGN.md section 8, guarantees 2 and 3: all tokens here are revoked, or nobody can say."""
    revocations.calls.clear()
    decision = answer(_compile(), head, revocations=revocations)

    assert len(revocations.calls) <= 2
    if isinstance(decision, Forward):
        assert decision.token is None
        assert decision.route.auth is not Auth.REQUIRED
    elif isinstance(decision, Serve):
        assert decision.token is None or decision.endpoint.takes_ended_tokens
        assert "5f0c" not in revocations.revoked or bool(decision.token) == bool(decision.refused)


@given(_HEADS)
def test_no_identity_header_without_a_verified_token(head: bytes) -> None:
    """DESIGN.md section 8, guarantee 1, on every kind of route."""
    decision = answer(_compile(), head)
    if not isinstance(decision, Forward):
        return
    identity = {n: v for n, v in fields_of(decision) if n.replace(b"_", b"-")[:6] == b"x-user"}

    if decision.token is None:
        assert identity == {}
    else:
        assert identity[b"x-user"].decode() == decision.token.claims["sub"]
        assert identity.get(b"x-user-email", b"").decode() == decision.token.claims.get("email", "")


@given(_HEADS)
def test_a_credential_does_not_reach_the_service(head: bytes) -> None:
    """DESIGN.md section 5: the credential is stripped from wherever the route looks for it."""
    decision = answer(_compile(), head)

    if isinstance(decision, Forward):
        sent = decision.request_line + decision.fields
        assert not any(bearer(token) in sent for token in (*_GOOD, *_BAD[:2]))
        if decision.route.places == _EVERYWHERE:
            assert not any(token in sent for token in _GOOD)
