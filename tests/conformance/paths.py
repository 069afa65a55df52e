"""Request targets and methods that someone has used to get past a gateway (THREATS.md A3).

The rows are data: ``test_paths`` asks the pure core, tests on sockets send the same bytes. The
configuration is ``/public/**`` (open), ``/admin/**`` (role admin), ``/p`` (a token), ``/api/**``
(open, strip_prefix ``/api``) and ``/get`` (open, GET only); the requests carry no token. Where the
table of threats would repair a path, DESIGN.md section 5 stands: it is refused.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class PathCase:
    """One request line and its right answer."""

    id: str
    target: str
    status: int  # 200 where the service answers
    reason: str | None = None  # the refusal's, where there is one
    method: str = "GET"
    forwarded: str | None = None  # the target that the service must see; None: as it was sent
    version: str = "1.1"

    @property
    def request_line(self) -> bytes:
        """The line as bytes, without its CRLF."""
        return f"{self.method} {self.target} HTTP/{self.version}".encode("latin-1")


def _ambiguous(row: str, *targets: str) -> list[PathCase]:
    return [
        PathCase(f"{row}-{number}", target, 400, "ambiguous_path")
        for number, target in enumerate(targets, 1)
    ]


PATH_CASES: Final[tuple[PathCase, ...]] = (
    *_ambiguous("PATH-01", "/public/../admin/x"),
    *_ambiguous(
        "PATH-02",
        "/public/%2e%2e/admin/x",
        "/public/%2E%2E/admin/x",
        "/public/.%2e/admin/x",
        "/public/%2e./admin/x",
        "/public/%2e/x",
    ),
    *_ambiguous("PATH-03", "/public/..%2fadmin", "/public/..%2Fadmin", "/public/x%2Fy"),
    *_ambiguous(
        "PATH-04",
        "/public/..%5cadmin",
        "/public/..%5Cadmin",
        "/public/..\\admin",
        "/public\\..\\admin",
    ),
    *_ambiguous(
        "PATH-05",
        "/public/%252e%252e%252fadmin",
        "/public/%25%32%65%25%32%65/admin",  # every character of the inner escape is escaped
        "/public/%252%65%252%65/admin",
        "/public/%25%32e%25%32e/admin",
        "/public/%25252e%25252e/admin",
        "/public/%2500",
    ),
    *_ambiguous(
        "PATH-06",
        "/public/..;/admin",
        "/public;x=1/../admin",
        "/;/admin",
        "/public/a;b",
        "/public/..%3b/admin",
        "/public/.%3B/admin",
    ),
    *_ambiguous("PATH-07", "//admin/x", "/public//../admin", "///admin", "/public/x//"),
    *_ambiguous("PATH-08", "/./admin/x", "/admin/.", "/admin/x/..", "/public/."),
    PathCase("PATH-09", "/ADMIN/x", 404, "route_not_found"),
    PathCase("PATH-10-space", "/admin%20", 404, "route_not_found"),
    PathCase("PATH-10-dot", "/admin.", 404, "route_not_found"),
    *_ambiguous("PATH-10-tab", "/admin%09"),
    PathCase("PATH-10-segment", "/admin/%20", 401, "credential_missing"),
    *_ambiguous("PATH-11", "/public/admin%00.png", "/public/%00", "/%00", "/public/%0d%0a"),
    *_ambiguous("PATH-12", "/public/x#/../admin", "/admin#/public", "/public/x#", "/public?a#b"),
    PathCase("PATH-13", "/admin?x=/public/", 401, "credential_missing"),
    *_ambiguous("PATH-14", "/public%3f/../admin", "/public%23/.."),
    *_ambiguous("PATH-15", "/public/a%zz", "/public/a%2", "/public/a%", "/public/%u002e"),
    *_ambiguous(
        "PATH-16", "/public/%c0%ae%c0%ae/admin", "/public/%e0%80%af", "/public/%ff", "/public/%c0"
    ),
    PathCase("PATH-17-full-width-dots", "/public/%ef%bc%8e%ef%bc%8e/admin", 200),
    PathCase("PATH-17-full-width-p", "/%ef%bd%90ublic/x", 404, "route_not_found"),
    PathCase("PATH-17-raw", "/\xef\xbd\x90ublic/x", 400, "bad_request"),
    *_ambiguous("PATH-18", "/public/../../admin", "/.."),
    PathCase("PATH-19-inside", "/api/x", 200, forwarded="/x"),
    PathCase("PATH-19-itself", "/api", 200, forwarded="/"),
    PathCase("PATH-19-slash", "/api/?a=b", 200, forwarded="/?a=b"),
    PathCase("PATH-19-dots-glued", "/api../admin", 404, "route_not_found"),
    *_ambiguous("PATH-19", "/api/../admin", "/api%2f..%2fadmin", "/api//admin", "/%61pi/x"),
    PathCase("PATH-19-longer-name", "/apiadmin", 404, "route_not_found"),
    PathCase("PATH-21", "*", 400, "bad_request"),
    PathCase("PATH-22", "*", 204, method="OPTIONS"),
    PathCase("PATH-23", "gw.test:443", 501, "not_implemented", method="CONNECT"),
    PathCase("PATH-24", "/public/x", 501, "not_implemented", method="TRACE"),
    PathCase("PATH-25-lower", "/public/x", 400, "bad_request", method="get"),
    PathCase("PATH-25-unknown", "/public/x", 400, "bad_request", method="FOO"),
    PathCase("PATH-25-preface", "*", 400, "bad_request", method="PRI", version="2.0"),
    PathCase("PATH-26-search", "/public/x", 501, "not_implemented", method="M-SEARCH"),
    PathCase("PATH-26-source", "/public/x", 501, "not_implemented", method="SOURCE"),
    PathCase("PATH-26-query", "/public/x", 501, "not_implemented", method="QUERY"),
    PathCase("PATH-27-head", "/get", 200, method="HEAD"),
    PathCase("PATH-27-post", "/get", 405, "method_not_allowed", method="POST"),
    PathCase("PATH-28", "/admin", 401, "credential_missing", method="OPTIONS"),
    PathCase("PATH-31-long", "/public/" + "a" * 8185, 414, "uri_too_long"),
    PathCase("PATH-31-longest", "/public/" + "a" * 8184, 200),
    PathCase("PATH-31-query", '/public/x?a=1;b=2&a=%zz&c=\\[]{}|^"<>', 200),
    PathCase("PATH-32-marks", "/public/a?b?c", 200),
    PathCase("PATH-32-empty", "/public/?", 200),
    PathCase("PATH-32-no-path", "?x", 400, "bad_request"),
    *_ambiguous("PATH-32", "/public/a?b?c#d"),
    # Of our own: an escape that needs none may hide a literal of some route.
    *_ambiguous("hidden-literal", "/%61dmin/x", "/%70ublic/x"),
    *_ambiguous("hidden-own-path", "/%77hoami", "/.well-known/jwk%73.json", "/%73essions/x"),
    PathCase("own-path", "/sessions/x", 401, "credential_missing"),
    PathCase("own-path-any-method", "/sessions/x", 401, "credential_missing", "DELETE"),
    PathCase("own-path-no-prefix-1", "/sessions/x/y", 404, "route_not_found"),
    PathCase("own-path-no-prefix-2", "/.well-known/x", 404, "route_not_found"),
    PathCase("escaped-data", "/public/caf%C3%A9%20%41", 200),
    PathCase("percent-sign", "/public/100%25", 200),
    # Absolute form (A2, HOST-11 to HOST-13).
    PathCase("HOST-11", "http://evil/public/x", 400, "bad_request"),
    PathCase("HOST-12-scheme", "foo://gw.test/public/x", 400, "bad_request"),
    PathCase("HOST-12-user", "http://u@gw.test/public/x", 400, "bad_request"),
    PathCase("HOST-12-nul", "http://a%00b/", 400, "bad_request"),
    PathCase("HOST-13", "http://gw.test", 404, "route_not_found"),
    PathCase("absolute", "http://gw.test/public/x?y", 200, forwarded="/public/x?y"),
    PathCase("absolute-https", "HTTPS://GW.test/public/x", 200, forwarded="/public/x"),
)
