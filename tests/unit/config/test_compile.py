"""From settings to a snapshot."""

import pytest

from gateway.config.compile import compile_snapshot, find_warnings
from gateway.policy.model import Auth, Endpoint, Limits, Upstream
from gateway.policy.signature import VerificationKey
from tests.unit.config.conftest import Complain, Read

FAULTS = [
    pytest.param(
        "routes:\n- {path: /x, upstream: product}",
        "f:6: routes[0].upstream: there is no upstream 'product' -> add it to 'upstreams'; there "
        "are: products",
        id="unknown-upstream",
    ),
    pytest.param(
        "routes:\n- {name: a, path: /x, upstream: products}\n"
        "- {name: a, path: /y, upstream: products}",
        "f:7: routes[1].name: the route on line 6 has this name too -> give each route a name of "
        "its own",
        id="name-twice",
    ),
    pytest.param(
        "routes:\n- {path: '/{a}/b', upstream: products}\n- path: /*/b/\n  upstream: products",
        "f:7: routes[1].path: this route takes the same requests as the one on line 6 -> tell them "
        "apart by path, hosts or methods, or remove one",
        id="tie",
    ),
    pytest.param(
        "routes:\n- {path: /a, upstream: products, methods: [GET, PUT]}\n"
        "- {path: /a, upstream: products, methods: [PUT]}\n- {path: /a, upstream: products}",
        "f:7: routes[1].path: this route takes the same requests as the one on line 6 -> tell them "
        "apart by path, hosts or methods, or remove one",
        id="tie-of-methods",
    ),
    pytest.param(
        "routes:\n- {path: /whoami, upstream: products}\n"
        "- {path: /.well-known/jwks.json, upstream: products}",
        "f:6: routes[0].path: this route hides /whoami, which the gateway itself answers -> choose "
        "another path\n"
        "f:7: routes[1].path: this route hides /.well-known/jwks.json, which the gateway itself "
        "answers -> choose another path",
        id="OPS-18-hides",
    ),
    pytest.param(
        "routes:\n- {path: /sessions/abc, upstream: products}\n"
        "- {path: '/sessions/{x}', upstream: products, hosts: [a.test]}\n"
        "- {path: /sessions/*/, upstream: products, methods: [PUT]}",
        "".join(
            f"f:{line}: routes[{line - 6}].path: this route hides /sessions/{{id}}, which the "
            "gateway itself answers -> choose another path\n"
            for line in (6, 7, 8)
        ).rstrip(),
        id="OPS-18-hides-a-parameter",
    ),
    pytest.param(
        "routes:\n- {path: /api/x, upstream: products, strip_prefix: /apis}\n"
        "- {path: '/api/{v}/x', upstream: products, strip_prefix: /api/v1}\n"
        "- {path: /api, upstream: products, strip_prefix: /api/v1}",
        "f:6: routes[0].strip_prefix: the path does not begin with these literal segments -> name "
        "a beginning of '/api/x'\n"
        "f:7: routes[1].strip_prefix: the path does not begin with these literal segments -> name "
        "a beginning of '/api/{v}/x'\n"
        "f:8: routes[2].strip_prefix: the path does not begin with these literal segments -> name "
        "a beginning of '/api'",
        id="strip-prefix",
    ),
    pytest.param(
        "routes:\n- path: /x\n  upstream: products\n  auth: none\n  require: {roles: [a]}",
        "f:9: routes[0].require: with 'auth: none' a request without a token passes unchecked -> "
        "remove 'auth: none', or remove 'require'",
        id="require-without-auth",
    ),
    pytest.param(
        "routes:\n- path: /x\n  upstream: products\n  auth: optional\n  require: {roles: [a]}",
        "f:9: routes[0].require: with 'auth: optional' a request without a token passes unchecked "
        "-> remove 'auth: optional', or remove 'require'",
        id="require-with-optional-auth",
    ),
]


@pytest.mark.parametrize(("more", "expected"), FAULTS)
def test_what_does_not_fit_together_is_refused(
    more: str, expected: str, complain_more: Complain
) -> None:
    """Names that lead nowhere, routes that meet: each at its line, all in one run."""
    assert complain_more(more) == expected


@pytest.mark.parametrize(
    "path",
    ["/**", "/sessions/**", "/sessions/*/**", "/whoami/x", "/*", "/*/abc", "/.well-known/*",
     "/sessions/foo/bar", "/.well-known/acme-challenge/{x}", "/"],
)  # fmt: skip
def test_a_route_may_stand_beside_the_gateways_own_paths(path: str, read_more: Read) -> None:
    """It takes more than they do; where they meet, the gateway itself answers."""
    config = read_more(f"routes: [{{path: '{path}', upstream: products}}]")

    assert [route.path for route in compile_snapshot(config, ()).routes] == [path]


def test_without_upstreams_the_cure_says_so(complain: Complain) -> None:
    """An empty list of names would read like a slip."""
    said = complain(
        "version: 1\ntokens: {issuer: i, audience: a}\nroutes: [{path: /, upstream: products}]"
    )

    assert said.endswith("there are: none yet")


def test_a_route_is_compiled(read_more: Read) -> None:
    """Every key of a route reaches the route."""
    config = read_more(
        "routes:\n- name: r\n  hosts: [A.test, '*.b.test']\n  path: /api/{id}/**\n"
        "  methods: [PURGE]\n  upstream: products\n  strip_prefix: /api\n  auth: required\n"
        "  require: {roles: [r], scopes: [s], claims: {c: 1}}\n  max_body: 1KiB\n"
        "  forward_credential: true\n"
    )
    snapshot = compile_snapshot(config, ())
    (route,) = snapshot.routes

    assert (route.name, route.hosts, route.path) == ("r", ("a.test", "*.b.test"), "/api/{id}/**")
    assert (route.methods, route.auth) == (frozenset((b"PURGE",)), Auth.REQUIRED)
    assert (route.require.roles | route.require.scopes) == {"r", "s"}
    assert route.require.claims == {"c": (1,)}
    assert (route.strip_prefix, route.max_body_bytes) == (b"/api", 1024)
    assert route.forward_credential
    assert route.upstream is snapshot.upstreams[0]
    leaf = snapshot.router.find(b"x.b.test", [b"api", b"1"])
    assert leaf is not None
    assert leaf.find(b"PURGE") is route
    assert snapshot.methods == {
        b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"PURGE",
    }  # fmt: skip


def test_the_defaults_are_those_of_the_model(read_more: Read) -> None:
    """One default per setting, wherever it is written."""
    snapshot = compile_snapshot(read_more("routes: [{path: /x, upstream: products}]"), ())

    assert snapshot.limits == Limits()
    assert snapshot.upstreams == (
        Upstream(name="products", endpoints=(Endpoint("127.0.0.1", 9000),)),
    )
    (route,) = snapshot.routes
    assert (route.name, route.max_body_bytes) == ("/x", 10 * 1024 * 1024)


def test_limits_upstreams_and_proxies_are_compiled(read: Read) -> None:
    """Every key reaches its place, in seconds and bytes."""
    config = read(
        "version: 1\ntokens: {issuer: i, audience: [a, b], leeway: 5s, max_lifetime: 1h}\n"
        "trusted_proxies: [10.0.0.0/8]\n"
        "limits: {head: 1KiB, target: 2KiB, fields: 3, head_timeout: 4s, idle_timeout: 5s,"
        " body_timeout: 6s, write_timeout: 7s, connections: 8, upstream_wait: 9s,"
        " upstream_pending: 10, upstream_head: 11KiB, buffer: 12KiB, tunnel_idle_timeout: 13s}\n"
        "upstreams:\n  a: {endpoints: ['http://[::1]:1'], host: upstream, connect_timeout: 1s,"
        " response_timeout: 2s, idle_timeout: 3s, max_connections: 4}\n"
        "  b: {endpoints: ['http://b:1'], host: b.internal}\n"
    )
    snapshot = compile_snapshot(config, ())

    assert "10.1.2.3" in snapshot.trusted_proxies
    assert snapshot.limits == Limits(
        head_bytes=1024, target_bytes=2048, fields=3, head_timeout_s=4, idle_timeout_s=5,
        body_timeout_s=6, write_timeout_s=7, connections=8, upstream_wait_s=9,
        upstream_pending=10, upstream_head_bytes=11264, buffer_bytes=12288,
        tunnel_idle_timeout_s=13,
    )  # fmt: skip
    assert snapshot.upstreams == (
        Upstream(
            name="a", endpoints=(Endpoint("::1", 1),), connect_timeout_s=1, response_timeout_s=2,
            idle_timeout_s=3, max_connections=4, host_from_endpoint=True,
        ),
        Upstream(name="b", endpoints=(Endpoint("b", 1),), host=b"b.internal"),
    )  # fmt: skip


def test_the_issuer_of_the_file_is_the_one_that_is_accepted(read_more: Read) -> None:
    """The keys come from outside: a configuration compiles without knowing how they were made."""
    key = VerificationKey("k", "HS256", b"x" * 32)
    verifier = compile_snapshot(read_more(""), (key,)).verifier

    (issuer,) = verifier._issuers.values()
    assert (issuer.name, issuer.keys) == ("http://gw.test", (key,))
    assert issuer.audiences == {"gateway"}
    assert (issuer.leeway_s, issuer.max_lifetime_s, issuer.own) == (30, None, True)


def test_warnings_come_in_the_order_of_their_lines(read_more: Read) -> None:
    """One reads a file from the top."""
    config = read_more("routes: [{path: /x, upstream: products}]\ncredentials: [{query: t}]\n")
    warnings = find_warnings(config, compile_snapshot(config, ()))

    assert [warning.place.line for warning in warnings] == [5, 6]
