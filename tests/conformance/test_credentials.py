"""Where a credential sits, how many there are, and that it never goes further than the gateway.

The rows are THREATS.md A1, HDR-31, and A6, JWT-28.

Source: DESIGN.md sections 2 and 5; RFC 6750 section 2.
"""

import pytest

from tests.kit.gateway import GatewayProcess, bearer, mint
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire, read_verdict, replay

HOST = b"Host: gw.test\r\n"


def get(fields: bytes, path: bytes = b"/p") -> bytes:
    """Return a GET."""
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path, HOST, fields)


PLACES = [
    pytest.param(b"/p", b"Authorization: Bearer %b\r\n", id="bearer"),
    pytest.param(b"/p", b"authorization: bEARER %b\r\n", id="bearer-any-case"),
    pytest.param(b"/p", b"access-token: %b\r\n", id="raw"),
    pytest.param(b"/p", b"Cookie: app=1; session=%b; b=2\r\n", id="HDR-31-cookie"),
    pytest.param(b"/p?a=b&access_token=%b&c", b"", id="query"),
]


@pytest.mark.parametrize(("path", "fields"), PLACES)
def test_a_credential_stays_with_the_gateway(
    gateway: GatewayProcess, upstream: Upstream, path: bytes, fields: bytes
) -> None:
    """HDR-31, DESIGN.md section 5, step 3: the service never sees the token, only the rest."""
    token = mint().encode()
    sent = get(fields.replace(b"%b", token), path.replace(b"%b", token))

    assert replay(gateway.port, sent) == {(200, "", False)}
    for request in upstream.requests:
        assert token not in request.head
        assert request.header(b"x-user") == [b"alice"]
        if b"Cookie" in fields:
            assert request.header(b"cookie") == [b"app=1; b=2"]
        if b"?" in path:
            assert request.target == b"/p?a=b&c"


@pytest.mark.parametrize(("path", "fields"), PLACES)
def test_a_credential_stays_with_the_gateway_on_open_routes(
    wire: Wire, upstream: Upstream, path: bytes, fields: bytes
) -> None:
    """Section 5 holds on public routes too: a token in a configured place goes no further."""
    token = mint().encode()
    target = path.replace(b"%b", token).replace(b"/p", b"/public")
    wire.send(get(fields.replace(b"%b", token), target))

    assert wire.read_response().status == 200
    assert token not in upstream.requests[0].head
    assert upstream.requests[0].header(b"x-user") == []


SEVERAL = [
    pytest.param(b"Authorization: Bearer %a\r\nAuthorization: Bearer %a\r\n", 400, id="twice"),
    pytest.param(b"Authorization: Bearer %a\r\nAuthorization: Bearer %b\r\n", 400, id="two"),
    pytest.param(b"Authorization: Bearer %a\r\naccess-token: %b\r\n", 400, id="two-places"),
    pytest.param(b"Authorization: Bearer %a\r\nCookie: session=%b\r\n", 400, id="and-cookie"),
    pytest.param(b"Cookie: session=%a; session=%a\r\n", 400, id="cookie-twice"),
    pytest.param(b"Authorization: Bearer %a\r\naccess-token: %a\r\n", 200, id="same-token"),
]


@pytest.mark.parametrize("path", [b"/p", b"/optional"])
@pytest.mark.parametrize(("fields", "status"), SEVERAL)
def test_one_request_has_one_credential(
    gateway: GatewayProcess, upstream: Upstream, fields: bytes, status: int, path: bytes
) -> None:
    """DESIGN.md section 2: two that differ, or one place used twice, are 400."""
    filled = fields.replace(b"%a", mint().encode()).replace(b"%b", mint(sub="bob").encode())
    verdicts = replay(gateway.port, get(filled, path))

    reason = "several_credentials" if status == 400 else ""
    assert {(verdict.status, verdict.reason) for verdict in verdicts} == {(status, reason)}
    assert len(verdicts) == 1
    assert bool(upstream.requests) == (status == 200)


MISSPELT = [
    pytest.param(
        b"Authorization: Bearer %t, Bearer %t\r\n", 400, "credential_malformed", id="list"
    ),
    pytest.param(b"Authorization: Bearer  %t\r\n", 400, "credential_malformed", id="two-spaces"),
    pytest.param(b"Authorization: Bearer\t%t\r\n", 400, "credential_malformed", id="tab"),
    pytest.param(b"Authorization: Bearer %t x\r\n", 400, "credential_malformed", id="more"),
    pytest.param(b"Authorization: Bearer\r\n", 400, "credential_malformed", id="no-token"),
    pytest.param(b"Authorization: Bearer%t\r\n", 401, "credential_missing", id="no-space"),
    pytest.param(b"Authorization: %t\r\n", 401, "credential_missing", id="no-scheme"),
    pytest.param(b"Authorization: Basic YTpi\r\n", 401, "credential_missing", id="basic"),
    pytest.param(b"Authorization:\r\n", 401, "credential_missing", id="nothing"),
    pytest.param(b"access-token: Bearer %t\r\n", 400, "credential_malformed", id="scheme-too"),
]


@pytest.mark.parametrize(("fields", "status", "reason"), MISSPELT)
def test_a_credential_is_spelled_in_one_way(
    gateway: GatewayProcess, upstream: Upstream, fields: bytes, status: int, reason: str
) -> None:
    """JWT-28, RFC 6750 section 2.1: a scheme in any case, one space, one token."""
    verdicts = replay(gateway.port, get(fields.replace(b"%t", mint().encode())))

    assert {(verdict.status, verdict.reason) for verdict in verdicts} == {(status, reason)}
    assert len(verdicts) == 1
    assert upstream.byte_count == 0


LONG = [
    pytest.param(b"A" * 8193, 401, "token_malformed", id="8-kib-and-one"),
    pytest.param(b"." * 30_000, 401, "token_malformed", id="30000-dots"),
    pytest.param(b"A" * 65_536, 431, "headers_too_large", id="64-kib"),
    pytest.param(b"A." * 500_000, 431, "headers_too_large", id="1-mib"),
]


@pytest.mark.parametrize(("token", "status", "reason"), LONG)
def test_a_long_token_is_not_looked_into(
    wire: Wire, upstream: Upstream, token: bytes, status: int, reason: str
) -> None:
    """JWT-26, J8: more than 8 KiB is refused before any of it is decoded."""
    wire.send(get(b"Authorization: Bearer %b\r\n" % token))

    response = wire.read_response()
    assert (response.status, response.reason) == (status, reason)
    assert upstream.byte_count == 0


def test_a_bad_credential_is_never_anonymous(wire: Wire, upstream: Upstream) -> None:
    """``auth: optional`` without a credential is anonymous; with a bad one it is 401."""
    wire.send(get(bearer(expires_in_s=-3600), b"/optional"))

    response = wire.read_response()
    assert (response.status, response.reason) == (401, "token_expired")
    assert b'error="invalid_token"' in response.header(b"www-authenticate")[0]
    assert upstream.byte_count == 0


def test_another_scheme_is_no_credential_of_ours(wire: Wire, upstream: Upstream) -> None:
    """Digest where Bearer is configured: missing on a protected route, passed on on an open one."""
    digest = b'Authorization: Digest username="a"\r\n'
    wire.send(get(digest) + get(digest, b"/public"))

    assert wire.read_response().reason == "credential_missing"
    assert wire.read_response().status == 200
    assert upstream.requests[0].header(b"authorization") == [b'Digest username="a"']


def test_a_role_is_asked_for(wire: Wire, upstream: Upstream) -> None:
    """``require.roles``: the verified claim decides, not a header that says so."""
    wire.send(get(bearer() + b"X-User-Roles: admin\r\n", b"/admin"))
    assert read_verdict(wire) == (403, "role_missing", False)
    assert upstream.byte_count == 0
    wire.send(get(bearer(roles=["admin"]), b"/admin"))

    assert wire.read_response().status == 200
    assert upstream.requests[0].header(b"x-user-roles") == [b"admin"]
