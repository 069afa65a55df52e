"""A configuration with a route of each kind, and explanations of requests to it."""

from ipaddress import ip_network
from typing import Any, Final

from gateway.policy.claim_headers import ClaimHeader, HeaderPlan
from gateway.policy.cors import Cors
from gateway.policy.explain import Explanation, explain
from gateway.policy.model import Auth, Endpoint, FieldChanges, Route, Upstream
from gateway.policy.peers import AddressSet
from gateway.policy.rate_limits import RateLimit
from gateway.policy.requirements import Requirement
from gateway.policy.revoked import NoRevocations, Revocations
from gateway.policy.rewriting import compile_rewrite
from tests.kit.policy import ACCESS_TOKEN, BEARER, COOKIE, PEER, QUERY, request, route, snapshot
from tests.kit.tokens import NOW_S, mint

VALID: Final = mint({"org": {"plan": "pro"}})

PRODUCTS: Final = Upstream(name="products", endpoints=(Endpoint("127.0.0.1", 9000),))
ELSEWHERE: Final = Upstream(
    name="elsewhere", endpoints=(Endpoint("::1", 1), Endpoint("b.test", 2)), host_from_endpoint=True
)
_PLAN: Final = HeaderPlan((ClaimHeader("X-User-Id", "sub"), ClaimHeader("X-User-Name", "username")))


def _route(name: str, path: str, methods: str = "", **rest: Any) -> Route:
    settings = {
        "name": name,
        "methods": frozenset(methods.encode("ascii").split()),
        "upstream": PRODUCTS,
        "places": (BEARER, ACCESS_TOKEN, QUERY, COOKIE),
        "headers": _PLAN,
    }
    return route(path, **(settings | rest))


_READERS: Final = Requirement(roles=frozenset({"user", "admin"}))
_ADMINS: Final = Requirement(roles=frozenset({"admin"}))
_BOTH_SCOPES: Final = Requirement(scopes=frozenset({"products:read", "products:write"}))
_PLANS: Final = Requirement(claims={"org.plan": ("pro", "free"), "org.size": (1,)})

INSIDE: Final = AddressSet([ip_network("10.0.0.0/8"), ip_network("::1")])
CORS: Final = Cors(origins=frozenset((b"https://app.test",)), headers=(b"Authorization",))
CHANGES: Final = FieldChanges(frozenset((b"x-a", b"x-b")), (b"X-A: set",))

SNAPSHOT: Final = snapshot(
    _route("list", "/api/products/**", "GET", strip_prefix=b"/api", require=_READERS),
    _route("create", "/api/products", "POST", max_body_bytes=100, require=_ADMINS),
    _route("item", "/api/products/{id}", "GET", hosts=("api.example.com",)),
    _route("public", "/public/**", auth=Auth.NONE, upstream=ELSEWHERE),
    _route(
        "maybe",
        "/maybe",
        "GET POST",
        auth=Auth.OPTIONAL,
        max_body_bytes=10,
        forward_credential=True,
    ),
    _route("scoped", "/scoped/*", "GET", require=_BOTH_SCOPES),
    _route("planned", "/planned", "GET", require=_PLANS),
    _route(
        "inside",
        "/inside/{id}/**",
        "GET POST",
        addresses=INSIDE,
        cors=CORS,
        request_changes=CHANGES,
        rewrite=compile_rewrite("/v2/{id}/**", "/inside/{id}/**"),
    ),
    _route(
        "limited",
        "/limited",
        "GET",
        auth=Auth.OPTIONAL,
        websocket=True,
        rate_limit=RateLimit(5, 60, "org.plan"),
    ),
    places=(BEARER, ACCESS_TOKEN),
    methods=frozenset((b"GET", b"HEAD", b"POST", b"OPTIONS", b"DELETE")),
)


def explained(
    received: bytes, revocations: Revocations | None = None, *, peer: str = PEER
) -> Explanation:
    """Return the explanation of a head at ``NOW_S``."""
    asked = request(SNAPSHOT, received, peer=peer)
    return explain(SNAPSHOT, asked, NOW_S, revocations or NoRevocations(), received=received)
