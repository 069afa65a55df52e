"""The head for the service; ``tests/property/test_heads.py`` has the reference."""

from ipaddress import ip_network
from typing import Any

import pytest

from gateway.policy.claim_headers import UnfitClaimError
from gateway.policy.credentials import find_presented
from gateway.policy.decide import decide
from gateway.policy.forwarding import client_of, plan_forward
from gateway.policy.model import Auth, Endpoint, FieldChanges, Forward, Upstream
from gateway.policy.peers import TrustedProxies
from gateway.policy.revoked import NoRevocations
from gateway.policy.rewriting import compile_rewrite
from gateway.policy.tokens import VerifiedToken
from tests.kit.policy import (
    COOKIE,
    PEER,
    PLACES,
    QUERY,
    answer,
    bearer,
    fields_of,
    head,
    request,
    route,
    snapshot,
    values_of,
)
from tests.kit.tokens import NOW_S, claims_of, issuer_of, mint

TRUSTED: dict[str, Any] = {"trusted_proxies": TrustedProxies([ip_network(PEER)])}
ENDPOINTS = (Endpoint("127.0.0.1", 9000),)
TOKEN = mint()


def _line(target: str, **settings: Any) -> bytes:
    decision = answer(snapshot(route("/a/**", auth=Auth.NONE, **settings)), head(target))
    assert isinstance(decision, Forward)
    return decision.request_line


@pytest.mark.parametrize(
    ("target", "prefix", "sent"),
    [
        pytest.param("/a/b?c", b"", b"/a/b?c", id="as-it-came"),
        pytest.param("/a/b?c", b"/a", b"/b?c", id="prefix"),
        pytest.param("/a", b"/a", b"/", id="nothing-but-the-prefix"),
        pytest.param("/a/", b"/a", b"/", id="prefix-and-slash"),
        pytest.param("/a?b", b"/a", b"/?b", id="prefix-and-query"),
    ],
)
def test_the_path_is_forwarded_byte_for_byte(target: str, prefix: bytes, sent: bytes) -> None:
    """DESIGN.md section 5: but for strip_prefix, by whole segments."""
    assert _line(target, strip_prefix=prefix) == b"GET " + sent + b" HTTP/1.1\r\n"


def test_a_peer_without_an_address_is_unknown() -> None:
    """A Unix socket's: an empty field would be malformed (RFC 7239 section 6); never trusted."""
    known = snapshot(route("/", auth=Auth.NONE), **TRUSTED)
    asked = request(known, head("/", b"X-Forwarded-For: 127.0.0.1"), peer="")
    decision = decide(known, asked, NOW_S, NoRevocations())

    assert values_of(decision, "X-Forwarded-For") == [b"unknown"]


@pytest.mark.parametrize(
    ("settings", "host"),
    [
        pytest.param({}, [b"GW.test:80"], id="preserved"),
        pytest.param({"host": b"internal"}, [b"internal"], id="literal"),
        pytest.param({"host_from_endpoint": True}, [], id="set-with-the-endpoint"),
    ],
)
def test_host_is_the_clients_unless_the_upstream_says_otherwise(
    settings: dict[str, Any], host: list[bytes]
) -> None:
    """DESIGN.md section 5, step 4; what the client called us stays in X-Forwarded-Host."""
    upstream = Upstream(name="u", endpoints=ENDPOINTS, **settings)
    known = snapshot(route("/", auth=Auth.NONE, upstream=upstream))
    decision = answer(known, head("/", host="GW.test:80"))

    assert host == values_of(decision, "Host")
    assert values_of(decision, "X-Forwarded-Host") == [b"GW.test:80"]
    assert isinstance(decision, Forward)
    assert decision.names_host is bool(host)


def test_a_client_that_names_no_host_has_none() -> None:
    """HTTP/1.0 without Host: the endpoint gives its own name."""
    for settings in ({}, TRUSTED):
        known = snapshot(route("/", auth=Auth.NONE), **settings)
        decision = answer(known, b"GET / HTTP/1.0\r\n\r\n")

        assert values_of(decision, "Host") == []
        assert values_of(decision, "X-Forwarded-Host") == [b""]


def test_the_connection_says_whether_it_was_https() -> None:
    """DESIGN.md section 5, step 4."""
    known = snapshot(route("/", auth=Auth.NONE))
    decision = decide(known, request(known, head("/"), secure=True), NOW_S, NoRevocations())

    assert values_of(decision, "X-Forwarded-Proto") == [b"https"]


@pytest.mark.parametrize(
    ("lines", "name", "values"),
    [
        pytest.param([], "X-Forwarded-For", [PEER.encode()], id="for-none"),
        pytest.param(
            [b"X-Forwarded-For: 192.0.2.1", b"X-Forwarded-For: 192.0.2.2"],
            "X-Forwarded-For",
            [b"192.0.2.1, 192.0.2.2, " + PEER.encode()],
            id="for-continued",
        ),
        pytest.param(
            [b"X-Forwarded-Proto: https"], "X-Forwarded-Proto", [b"https"], id="proto-kept"
        ),
        pytest.param([b"X-Forwarded-Host: a"], "X-Forwarded-Host", [b"a"], id="host-kept"),
        pytest.param([], "X-Forwarded-Proto", [b"http"], id="proto-made"),
        pytest.param([], "X-Forwarded-Host", [b"gw.test"], id="host-made"),
        pytest.param([b"Forwarded: for=a"], "Forwarded", [b"for=a"], id="forwarded-kept"),
        pytest.param([b"X-Request-Id: one"], "X-Request-Id", [b"one"], id="id-kept"),
        pytest.param([b'X-Request-Id: "'], "X-Request-Id", [b"request-1"], id="id-unfit"),
        pytest.param([], "X-Request-Id", [b"request-1"], id="id-made"),
    ],
)
def test_a_trusted_proxy_is_believed(lines: list[bytes], name: str, values: list[bytes]) -> None:
    """DESIGN.md section 5, steps 2 and 4."""
    decision = answer(snapshot(route("/", auth=Auth.NONE), **TRUSTED), head("/", *lines))

    assert values == values_of(decision, name)


@pytest.mark.parametrize("forward", [True, False])
def test_the_credential_is_forwarded_only_where_the_route_says_so(*, forward: bool) -> None:
    """DESIGN.md section 5, step 3, for each place."""
    token = TOKEN.decode("ascii")
    known = snapshot(route("/", places=(*PLACES, COOKIE, QUERY), forward_credential=forward))
    received = head(f"/?access_token={token}&a=b", bearer(TOKEN), b"Cookie: c=d;session=" + TOKEN)
    decision = answer(known, received)

    assert isinstance(decision, Forward)
    assert (TOKEN in decision.request_line) is forward
    assert values_of(decision, "Authorization") == ([b"Bearer " + TOKEN] if forward else [])
    assert values_of(decision, "Cookie") == [b"c=d;session=" + TOKEN if forward else b"c=d"]
    assert decision.request_line.split(b" ")[1].endswith(b"a=b")


def test_identity_comes_last_and_is_made_once_per_token() -> None:
    """DESIGN.md section 5, step 5."""
    known = snapshot(route("/a"), route("/b"))
    first = answer(known, head("/a", bearer(TOKEN)))
    second = answer(known, head("/b", bearer(TOKEN)))

    assert isinstance(first, Forward)
    assert isinstance(second, Forward)
    assert first.token is not None
    assert first.token is second.token
    assert len(first.token.rendered) == 1
    assert fields_of(first)[-2:] == [(b"x-user", b"alice"), (b"x-user-roles", b"user")]


def test_a_claim_that_cannot_be_mapped_is_no_plan() -> None:
    """``decide`` makes a 403 of it."""
    only = route("/")
    known = snapshot(only)
    asked = request(known, head("/"))
    presented = find_presented(asked.head, only.places)
    token = VerifiedToken(claims_of(sub="a\n"), issuer_of())

    with pytest.raises(UnfitClaimError):
        plan_forward(known, only, asked, presented, token)


def test_what_passes_is_remembered_for_one_route_only() -> None:
    """Equal fields pass the same on the same route; one that forwards credentials is another."""
    known = snapshot(route("/a"), route("/b", forward_credential=True))
    sent = [answer(known, head(target, bearer(TOKEN))) for target in ("/a", "/b", "/a", "/b")]

    assert [values_of(decision, "Authorization") for decision in sent] == [
        [],
        [b"Bearer " + TOKEN],
    ] * 2


def test_what_is_remembered_of_fields_is_bounded() -> None:
    """4,096 hostile sections of 4 KiB on 200 public routes would be 3 GiB."""
    known = snapshot(*(route(f"/r{number}", auth=Auth.NONE) for number in range(200)))
    for number in range(200):
        answer(known, head(f"/r{number}"))

    assert len(request(known, head("/r0")).head.fields.derived) <= 32


@pytest.mark.parametrize(
    ("peer", "client"),
    [(PEER, "6.6.6.6"), ("11.0.0.1", "11.0.0.1"), ("", "")],
)
def test_the_client_is_who_a_trusted_proxy_says(peer: str, client: str) -> None:
    """THREATS.md IP-01 to IP-03: of the chain the right-most that is no proxy of ours."""
    known = snapshot(route("/a"), **TRUSTED)
    chain = (b"X-Forwarded-For: 127.0.0.1", b"X-Forwarded-For: 6.6.6.6")

    assert client_of(known, request(known, head("/a", *chain), peer=peer)) == client


def test_a_route_changes_the_clients_fields_and_never_identity() -> None:
    """R11: the client's fields, the route's changes, forwarding, identity, in this order."""
    changed = route(
        "/a",
        request_changes=FieldChanges(frozenset((b"x-a", b"x-b")), (b"X-A: set",)),
    )
    decision = answer(
        snapshot(changed),
        head("/a", b"X-A: 1", b"x-b: 2", b"X-C: 3", b"X-User: root", bearer(TOKEN)),
    )

    names = [name for name, _ in fields_of(decision)]
    assert names[:3] == [b"host", b"x-c", b"x-a"]
    assert names.index(b"x-forwarded-for") < names.index(b"x-user")
    assert values_of(decision, "X-A") == [b"set"]
    assert values_of(decision, "X-User") == [b"alice"]


def test_a_rewritten_path_keeps_the_query() -> None:
    """Only the path is made anew."""
    rewrite = compile_rewrite("/v2/**", "/a/**")

    assert _line("/a/b/?c=/d", rewrite=rewrite) == b"GET /v2/b/?c=/d HTTP/1.1\r\n"


SPAN = b"00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
CONTEXT = (
    b"TraceParent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"tracestate: vendor=1",
)


@pytest.mark.parametrize(
    ("lines", "changes", "parents", "states"),
    [
        pytest.param(CONTEXT, None, [SPAN], [b"vendor=1"], id="in-the-parents-place"),
        pytest.param((), None, [SPAN], [], id="a-new-trace"),
        pytest.param(CONTEXT[1:], None, [SPAN], [], id="a-state-alone"),
        pytest.param(
            CONTEXT, FieldChanges(frozenset((b"x-a",))), [SPAN], [b"vendor=1"], id="other-changes"
        ),
        pytest.param(
            CONTEXT, FieldChanges(frozenset((b"traceparent", b"tracestate"))), [], [], id="removed"
        ),
        pytest.param(
            CONTEXT,
            FieldChanges(frozenset((b"traceparent",)), (b"Traceparent: x",)),
            [b"x"],
            [b"vendor=1"],
            id="set",
        ),
    ],
)
def test_our_span_is_the_parent_of_the_services(
    lines: tuple[bytes, ...],
    changes: FieldChanges | None,
    parents: list[bytes],
    states: list[bytes],
) -> None:
    """Each request has its own, though its other fields are remembered; a route may keep it."""
    known = snapshot(route("/a", auth=Auth.NONE, request_changes=changes))
    for _ in range(2):
        asked = request(known, head("/a", b"X-C: 3", *lines))
        asked.traceparent = SPAN
        decision = decide(known, asked, NOW_S, NoRevocations())

        assert values_of(decision, "Traceparent") == parents
        assert values_of(decision, "Tracestate") == states
        assert values_of(decision, "X-C") == [b"3"]
