"""``gateway explain`` beside the running gateway: one table, two ways to ask, one answer.

The command is given what a person would type, the gateway is sent the bytes that this stands for.
Decision, status and reason must agree; where the request is forwarded, the service must have
received every header that was said to be added, and none that was said to be removed.
"""

import json
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.conformance.paths import PATH_CASES
from tests.kit.commands import invoke
from tests.kit.gateway import GatewayProcess, configuration, mint, write_configuration
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire

# Made for each request, taken from the connection, or told without its value.
_NOT_COMPARED: Final = frozenset(("x-request-id", "x-forwarded-for", "cookie"))


def case(name: str, target: str, *headers: str, method: str = "GET", host: str = "gw.test") -> Any:
    """Return a row: a request as the command takes it."""
    return pytest.param(method, target, host, headers, id=name)


def _bearer(**claims: Any) -> str:
    return f"Authorization: Bearer {mint(**claims)}"


PREFLIGHT: Final = ("Origin: https://app.test", "Access-Control-Request-Method: PUT")

CASES = [
    *(
        case(f"path-{row.id}", row.target, method=row.method)
        for row in PATH_CASES
        # The command reads an http URL as one; it cannot type another version or a bare blank.
        if row.version == "1.1"
        and row.target
        and " " not in row.target
        and not row.target.lower().startswith("http")
    ),
    case("no-credential", "/p"),
    case("bearer", "/p", _bearer()),
    case("raw", "/p", f"access-token: {mint()}"),
    case("cookie", "/p", f"Cookie: a=b; session={mint()}; c=d"),
    case("query", f"/p?a=b&access_token={mint()}&c=d"),
    case("expired", "/p", _bearer(exp=int(time.time()) - 60)),
    case("not-yet", "/p", _bearer(nbf=int(time.time()) + 600)),
    case("other-issuer", "/p", _bearer(iss="http://other.test")),
    case("other-audience", "/p", _bearer(aud="other")),
    case("no-subject", "/p", _bearer(sub="")),
    case("forged", "/p", _bearer()[:-4] + "AAAA"),
    case("no-jwt", "/p", "Authorization: Bearer abc"),
    case("no-token68", "/p", "Authorization: Bearer a b"),
    case("other-scheme", "/p", "Authorization: Basic YTpi"),
    case("two-that-differ", "/p", _bearer(), f"access-token: {mint(sub='bob')}"),
    case("role-missing", "/admin", _bearer()),
    case("role-held", "/admin/x", _bearer(roles=["admin"])),
    case("unfit-claim", "/p", _bearer(username="a\r\nb")),
    case("public-with-spoof", "/public", "X-User: root", "X_User: root", "x.user: root"),
    case("spoof-and-connection", "/p", _bearer(), "X-User: root", "Connection: x-user, close"),
    case("optional-anonymous", "/optional", "X-User: root"),
    case("optional-bad", "/optional", "Authorization: Bearer abc"),
    case("method", "/get", method="POST"),
    case("head-follows-get", "/get", method="HEAD"),
    case("unknown-method", "/p", method="BREW"),
    case("connect", "/p", method="CONNECT"),
    case("strip-prefix", "/api/x/y?z=1"),
    case("body-too-large", "/small", "Content-Length: 1025", method="POST"),
    case("two-lengths", "/small", "Content-Length: 1", "Content-Length: 2", method="POST"),
    case("transfer-coding", "/small", "Transfer-Encoding: gzip, chunked", method="POST"),
    case("vhost", "/vhost", _bearer(), host="VHOST.test."),
    case("vhost-unknown", "/vhost", _bearer(), host="other.test"),
    case("bad-host", "/p", host="a b"),
    case("control", "/whoami"),
    case("control-served", "/whoami", _bearer()),
    case("control-open", "/.well-known/jwks.json", "Connection: close"),
    case("control-method", "/whoami", _bearer(), method="DELETE"),
    case("optional-known", "/optional/x?y=%20", _bearer(org={"plan": "pro"})),
    case("all-claims", "/claims/a", _bearer(email="é")),
    case("forwarding", "/public", "X-Forwarded-For: 1.1.1.1", "Forwarded: for=a", "TE: gzip"),
    case("upgrade", "/public", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"),
    case("expectation", "/public", "Expect: foo"),
    case("connection-names-host", "/public", "Connection: host"),
    case("nowhere", "/none"),
    case("address-in", "/loopback", "X-Forwarded-For: 1.1.1.1"),
    case("address-out", "/elsewhere", _bearer()),
    case("headers", "/headers", _bearer(), "X-A: 1", "x-b: 2", "X_A: 3", "X-C: 4"),
    case("rewrite", "/re/7/a/b/?c=d"),
    case("rewrite-dots", "/re/../a"),
    case("rewrite-escapes", "/re/a%2fb/c"),
    case("rate-limit", "/limited", _bearer()),
    case("rate-limit-anonymous", "/limited"),
    case("cors", "/cors", _bearer(), "Origin: https://app.test"),
    case("cors-refused", "/cors", "Origin: https://app.test"),
    case("preflight", "/cors", *PREFLIGHT, method="OPTIONS"),
    case("preflight-denied", "/cors", PREFLIGHT[1], "Origin: null", method="OPTIONS"),
    case("preflight-with-body", "/cors", *PREFLIGHT, "Content-Length: 1", method="OPTIONS"),
    case("preflight-of-the-service", "/public", *PREFLIGHT, method="OPTIONS"),
]

# A route for each feature that only some have.
FEATURED: Final[list[dict[str, Any]]] = [
    {"path": "/loopback", "upstream": "raw", "auth": "none", "address_allow": ["127.0.0.0/8"]},
    {"path": "/elsewhere", "upstream": "raw", "address_allow": ["10.0.0.0/8"]},
    {
        "path": "/headers",
        "upstream": "raw",
        "request_headers": {"set": {"X-A": "set"}, "remove": ["X-B"]},
        "response_headers": {"set": {"X-Frame-Options": "DENY"}},
    },
    {"path": "/re/{id}/**", "upstream": "raw", "auth": "none", "rewrite": "/v2/{id}/x/**"},
    {
        "path": "/limited",
        "upstream": "raw",
        "auth": "optional",
        "rate_limit": {"requests": 9, "per": "1h", "key": "sub"},
    },
    {"path": "/cors", "upstream": "raw", "cors": {"origins": ["https://app.test"]}},
]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Upstream, int, str]]:
    """A service, the port of a gateway in front of it, and the gateway's configuration file."""
    folder = tmp_path_factory.mktemp("explained")
    with Upstream() as upstream:
        document = configuration(upstream.port)
        document["routes"] += FEATURED
        with GatewayProcess(document, folder) as process:
            yield upstream, process.port, str(write_configuration(folder, document))


@pytest.mark.parametrize(("method", "target", "host", "headers"), CASES)
def test_the_explanation_is_what_happens(
    live: tuple[Upstream, int, str], method: str, target: str, host: str, headers: tuple[str, ...]
) -> None:
    """DESIGN.md section 1: four callers and no copies of the decision."""
    upstream, port, path = live
    options = [part for header in (f"Host: {host}", *headers) for part in ("--header", header)]
    told = json.loads(
        invoke("explain", method, target, *options, "--config", path, "--json").stdout
    )
    upstream.settle()

    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *headers, "", ""]
    with Wire(port) as wire:
        wire.send("\r\n".join(lines).encode("utf-8", "surrogateescape"))
        answer = wire.read_response(method.encode() if method == "HEAD" else b"GET")

    if told["decision"] == "respond":
        assert (answer.status, answer.reason) == (told["status"], told["reason"] or "")
        for header in told["answer_headers"]:
            assert answer.header(header["name"].lower().encode()) == [header["value"].encode()]
        assert upstream.byte_count == 0
    elif told["decision"] == "serve":
        assert answer.status in (200, 405)  # the endpoint itself looks at the method
        assert upstream.byte_count == 0
    else:
        assert told["decision"] == "forward"
        assert answer.status == 200
        seen = upstream.requests[0]
        (url,) = told["upstream_urls"]
        assert url == f"http://{upstream.authority}{seen.target.decode('latin-1')}"
        for header in told["headers_added"]:
            if header["name"].lower() not in _NOT_COMPARED:
                assert header["value"].encode() in seen.header(header["name"].lower().encode())
        for header in told["headers_removed"]:
            if header["name"].lower() in _NOT_COMPARED:
                continue
            kept = seen.header(header["name"].lower().encode())
            assert header["value"].encode() not in kept
