"""Identity headers: at the service they are the gateway's, or there are none.

The rows are THREATS.md A1, HDR-01 to HDR-28. Guarantee 1 of DESIGN.md section 8 rests on them.
"""

import base64
import json
from typing import Any

import pytest

from tests.conformance.claims import CLAIM_CASES, ClaimCase
from tests.conftest import StartGateway
from tests.kit.commands import invoke
from tests.kit.gateway import (
    GatewayProcess,
    bearer,
    configuration,
    write_configuration,
)
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire, replay

HOST = b"Host: gw.test\r\n"


def get(fields: bytes, path: bytes = b"/p") -> bytes:
    """Return a GET."""
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path, HOST, fields)


def spelled_like_identity(name: bytes) -> bool:
    """Whether some service may read *name* as ``X-User...``: CGI, WSGI, Rack and PHP."""
    folded = bytes(byte if chr(byte).isalnum() else ord("-") for byte in name.lower())
    return folded.startswith(b"x-user")


SPOOFS = [
    pytest.param(b"X-User: admin\r\n", id="HDR-01"),
    pytest.param(b"x-uSeR: admin\r\n", id="HDR-04"),
    pytest.param(b"X_User: admin\r\n", id="HDR-05"),
    pytest.param(b"X_USER: admin\r\n", id="HDR-05-upper"),
    pytest.param(b"X-User_Email: a\r\nX_User-Email: a\r\n", id="HDR-06"),
    pytest.param(b"X.User: admin\r\n", id="HDR-07-dot"),
    pytest.param(b"X!User: admin\r\n", id="HDR-07-mark"),
    pytest.param(b"X'User: admin\r\n", id="HDR-07-quote"),
    pytest.param(b"X~User: admin\r\n", id="HDR-07-tilde"),
    pytest.param(b"X-User: a\r\nX-User: b\r\n", id="HDR-08"),
    pytest.param(b"X-User:\r\n", id="empty"),
    pytest.param(b"X-User-Email: root@x\r\n", id="HDR-03-absent-claim"),
    pytest.param(b"X-User-Plan: pro\r\n", id="absent-claim-with-default"),
    pytest.param(b"X-User-Claims: e30\r\n", id="name-of-another-route"),
]


@pytest.mark.parametrize("fields", SPOOFS)
def test_what_the_client_says_of_itself_is_replaced(
    gateway: GatewayProcess, upstream: Upstream, fields: bytes
) -> None:
    """HDR-01 to HDR-08: with a token, the service sees the token's claims and nothing beside."""
    verdicts = replay(gateway.port, get(fields + bearer() + fields))

    assert verdicts == {(200, "", False)}
    for request in upstream.requests:
        identity = {n: v for n, v in request.headers if spelled_like_identity(n)}
        assert identity == {b"X-User": b"alice", b"X-User-Roles": b"user", b"X-User-Plan": b"free"}
        assert sum(map(spelled_like_identity, request.names)) == 3


@pytest.mark.parametrize("path", [b"/public", b"/optional"])
@pytest.mark.parametrize("fields", SPOOFS)
def test_what_the_client_says_of_itself_is_dropped(
    gateway: GatewayProcess, upstream: Upstream, fields: bytes, path: bytes
) -> None:
    """HDR-02: without a token there is no identity at all, not even a default."""
    verdicts = replay(gateway.port, get(fields, path))

    assert verdicts == {(200, "", False)}
    names = {name for request in upstream.requests for name in request.names}
    assert not any(map(spelled_like_identity, names))


@pytest.mark.parametrize("in_one_segment", [True, False])
def test_a_trailer_is_no_header(wire: Wire, upstream: Upstream, *, in_one_segment: bool) -> None:
    """HDR-14, HDR-15: a trailer that names an identity header reaches nobody."""
    head = b"POST /p HTTP/1.1\r\n" + HOST + bearer() + b"Transfer-Encoding: chunked\r\n\r\n"
    trailer = b"X-User: admin\r\n\r\n"
    wire.send(head + b"1\r\na\r\n0\r\n" + (trailer if in_one_segment else b""))
    upstream.wait_for_requests(1)
    if not in_one_segment:
        wire.send(trailer)

    assert wire.read_response(b"POST").status == 200
    assert upstream.requests[0].header(b"x-user") == [b"alice"]


def test_a_user_agent_is_no_credential(wire: Wire, upstream: Upstream) -> None:
    """HDR-20: nobody passes for being a health check."""
    for agent in (b"GoogleHC/1.0", b"kube-probe/1.30"):
        wire.send(get(b"User-Agent: " + agent + b"\r\n"))
        assert wire.read_response().reason == "credential_missing"
    assert upstream.byte_count == 0


BELIEVED_BY_OTHERS = [
    b"X-Gw-Verified: 1",
    b"X-Gateway-User: alice",
    b"X-Authenticated: true",
    b"X-Envoy-Internal: true",
    b"X-Middleware-Subrequest: middleware:middleware:middleware",
    b"X-Forwarded-User: alice",
    b"X-Auth-Request-User: alice",
    b"Remote-User: alice",
]


@pytest.mark.parametrize("line", BELIEVED_BY_OTHERS)
def test_no_field_stands_for_a_token(wire: Wire, upstream: Upstream, line: bytes) -> None:
    """HDR-18: there is no internal header (CVE-2024-45806, CVE-2025-29927); only a token counts."""
    wire.send(get(line + b"\r\n"))

    assert wire.read_response().reason == "credential_missing"
    assert upstream.byte_count == 0


UNFIT = [
    pytest.param({"sub": "u\r\nX-Role: admin"}, 403, "claim_mismatch", id="HDR-21-crlf"),
    pytest.param({"sub": "u\nX-Role: admin"}, 403, "claim_mismatch", id="HDR-21-lf"),
    pytest.param({"email": "a\x00b"}, 403, "claim_mismatch", id="HDR-22-nul"),
    pytest.param({"email": "a\x7fb"}, 403, "claim_mismatch", id="HDR-22-del"),
    pytest.param({"email": "a\tb"}, 403, "claim_mismatch", id="HDR-22-tab"),
    pytest.param({"email": "a\x85b"}, 403, "claim_mismatch", id="HDR-22-c1"),
    pytest.param({"roles": ["user", "a\r\nb"]}, 403, "claim_mismatch", id="control-in-a-list"),
    pytest.param(
        {"extra": {"a\r\n": 1, "b": "\x7f"}}, 403, "claim_mismatch", id="control-in-object"
    ),
    pytest.param({"email": "\ud800"}, 401, "token_malformed", id="HDR-23-surrogate"),
    pytest.param({"roles": ["r" * 8] * 2000}, 401, "token_malformed", id="HDR-26-long-token"),
]


@pytest.mark.parametrize(("claims", "status", "reason"), UNFIT)
def test_a_claim_that_no_field_can_carry_is_refused(
    wire: Wire, upstream: Upstream, claims: dict[str, Any], status: int, reason: str
) -> None:
    """HDR-21 to HDR-26: never raw, never cut short, never a 500."""
    wire.send(get(bearer(**claims)))

    response = wire.read_response()
    assert (response.status, response.reason) == (status, reason)
    assert upstream.byte_count == 0


CARRIED = [
    pytest.param({"email": " a "}, b"x-user-email", [b"%20a%20"], id="HDR-22-spaces"),
    pytest.param({"email": "é"}, b"x-user-email", [b"%C3%A9"], id="HDR-24-latin"),
    pytest.param({"email": "日本"}, b"x-user-email", [b"%E6%97%A5%E6%9C%AC"], id="HDR-24-cjk"),
    pytest.param({"email": "%41"}, b"x-user-email", [b"%2541"], id="percent"),
    pytest.param({"roles": ["user", "x,admin"]}, b"x-user-roles", [b"user,x%2Cadmin"], id="HDR-25"),
    pytest.param({"roles": []}, b"x-user-roles", [b""], id="empty-list"),
    pytest.param({"email": None}, b"x-user-email", [], id="HDR-27-null"),
    pytest.param({"extra": True}, b"x-user-extra", [b"true"], id="HDR-27-true"),
    pytest.param({"extra": 1000}, b"x-user-extra", [b"1000"], id="HDR-27-number"),
    pytest.param({"extra": {"a": ["b"]}}, b"x-user-extra", [b'{"a":["b"]}'], id="HDR-27-object"),
    pytest.param({"org": {"plan": "pro"}}, b"x-user-plan", [b"pro"], id="path"),
    pytest.param({"org": {"plan": None}}, b"x-user-plan", [b"free"], id="path-to-null"),
    pytest.param({"org": "text"}, b"x-user-plan", [b"free"], id="path-through-text"),
]


@pytest.mark.parametrize(("claims", "name", "values"), CARRIED)
def test_a_claim_is_carried_in_one_way(
    wire: Wire, upstream: Upstream, claims: dict[str, Any], name: bytes, values: list[bytes]
) -> None:
    """DESIGN.md section 5, step 5: each value decodes to the claim in one way only."""
    wire.send(get(bearer(**claims)))

    assert wire.read_response().status == 200
    assert upstream.requests[0].header(name) == values


@pytest.mark.parametrize("case", CLAIM_CASES, ids=lambda case: case.id)
def test_a_claim_becomes_one_value_or_refuses_the_request(
    wire: Wire, upstream: Upstream, case: ClaimCase
) -> None:
    """HDR-21 to HDR-27: the rows that the core is asked for, on sockets."""
    wire.send(get(b"%b: spoofed\r\n" % case.header.encode() + bearer(**case.claims)))

    response = wire.read_response()
    assert (response.status, response.reason) == (case.status, case.reason or "")
    if case.status == 200:
        expected = [] if case.value is None else [case.value]
        assert upstream.requests[0].header(case.header.lower().encode()) == expected
        assert upstream.requests[0].header(b"x-role") == []
    else:
        assert upstream.byte_count == 0


def test_all_claims_fit_into_one_field(wire: Wire, upstream: Upstream) -> None:
    """``claim: "*"`` with base64url-json carries every claim, and nothing else."""
    wire.send(get(bearer(email="é\r\n"), b"/claims"))
    assert wire.read_response().reason == "claim_mismatch"  # X-User-Email is still there
    wire.send(get(bearer(nested={"a": "é"}), b"/claims"))

    assert wire.read_response().status == 200
    (value,) = upstream.requests[0].header(b"x-user-claims")
    claims = json.loads(base64.urlsafe_b64decode(value + b"=" * (-len(value) % 4)))
    assert (claims["sub"], claims["nested"]) == ("alice", {"a": "é"})


IMPOSSIBLE = ["Host", "Content-Length", "Connection", "Transfer-Encoding"]


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_claim_cannot_become_framing(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """HDR-28: such a configuration is refused when it is loaded."""
    document = configuration(9, claim_headers={name: "sub"})
    path = write_configuration(tmp_path_factory.mktemp("bad"), document)

    done = invoke("check", "--config", str(path))
    assert done.returncode == 2
    assert name in done.stderr + done.stdout


def test_two_names_that_are_one_cannot_both_be_set(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """HDR-28: ``X-User-Id`` and ``X-USER-ID`` are one header, which cannot have two claims."""
    document = configuration(9, claim_headers={"X-User-Id": "user-id", "X-USER-ID": "user_id"})
    path = write_configuration(tmp_path_factory.mktemp("bad"), document)

    assert invoke("check", "--config", str(path)).returncode == 2


def test_odd_names_pass_only_when_the_file_says_so(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """``limits.odd_header_names: keep`` lets ``X_Other`` through, and still no spelling of ours."""
    document = configuration(own_upstream.port, limits={"odd_header_names": "keep"})
    gateway = start_gateway(document)
    with Wire(gateway.port) as wire:
        wire.send(get(b"X_Other: a\r\nX_User: admin\r\nX.User: b\r\n", b"/public"))
        assert wire.read_response().status == 200

    names = own_upstream.requests[0].names
    assert b"x_other" in names
    assert not any(map(spelled_like_identity, names))
