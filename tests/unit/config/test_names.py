"""Names: methods, hosts, headers, claims."""

from typing import Any

import httptools
import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.config import names
from gateway.http1.names import STANDARD_KINDS

TAKEN = [
    (names.Method, "GET", "GET"),
    (names.Method, "M-SEARCH", "M-SEARCH"),
    (names.Host, "API.example.com", "api.example.com"),
    (names.Host, "*.Example.com", "*.example.com"),
    (names.Host, "a.example.", "a.example"),
    (names.Host, "[::1]", "[::1]"),
    (names.HostMode, "preserve", "preserve"),
    (names.HostMode, "upstream", "upstream"),
    (names.HostMode, "a.internal", "a.internal"),
    (names.HostMode, "[::1]:80", "[::1]:80"),
    (names.IdentityHeader, "X-User-Id", "X-User-Id"),
    (names.CredentialHeader, "Authorization", "Authorization"),
    (names.CredentialHeader, "access-token", "access-token"),
    (names.CookieName, "__Host-s", "__Host-s"),
    (names.Scheme, "Bearer", "Bearer"),
    (names.UpstreamName, "products-1", "products-1"),
    (names.ClaimName, "email", "email"),
    (names.AttributeName, "user.a.b", "a.b"),
]

REFUSED = [
    (names.Method, "NO", "unknown method {value}", "methods are GET, HEAD, POST, PUT and so on"),
    (names.Method, False, "unknown method {value}", "methods are GET, HEAD, POST, PUT and so on"),
    (names.Method, "get", "unknown method {value}", "write GET"),
    (names.Method, "CONNECT", "{value} is never forwarded", "remove it"),
    (names.Method, "TRACE", "{value} is never forwarded", "remove it"),
    (names.Host, "*", "{value} is every host", "leave 'hosts' out to take them all"),
    (names.Host, "a:80", "{value} has a port", "name the host only"),
    (names.Host, "a.*.b", "{value} is not a host", "write api.example.com, or *.example.com"),
    (names.Host, "*.[::1]", "{value} is not a host", "write api.example.com, or *.example.com"),
    (names.Host, "b\xfccher", "{value} is not a host", "write api.example.com, or *.example.com"),
    (
        names.HostMode,
        "a b",
        "{value} is not a Host",
        "write preserve, upstream, or a host such as api.internal:8080",
    ),
    (
        names.IdentityHeader,
        "X_User",
        "{value} is not a header name",
        "use letters, digits and '-' only, for example X-User-Id",
    ),
    (names.CredentialHeader, "Cookie", "a cookie is named by its own name", "write {cookie: name}"),
    (
        names.CookieName,
        "a=b",
        "{value} is not a name that can stand there",
        "use letters, digits and -._~ only",
    ),
    (names.Scheme, "Digest", "{value} is not a scheme that carries a token", "use Bearer"),
    (names.Scheme, "a b", "{value} is not a scheme that carries a token", "use Bearer"),
    (
        names.UpstreamName,
        "a b",
        "{value} is not a name for an upstream",
        "use letters, digits and -._ only",
    ),
    (names.ClaimName, "sub", "the gateway itself sets the claim {value}", "choose another name"),
    (
        names.AttributeName,
        "email",
        "{value} does not name an attribute of a user",
        "write user.<attribute>, for example user.email",
    ),
]


@pytest.mark.parametrize(("kind", "value", "expected"), TAKEN)
def test_what_is_taken(kind: Any, value: object, expected: str) -> None:
    """Hosts are compared in lower case; all else stays as written."""
    assert TypeAdapter(kind).validate_python(value) == expected


@pytest.mark.parametrize(("kind", "value", "fault", "cure"), REFUSED)
def test_what_is_refused(kind: Any, value: object, fault: str, cure: str) -> None:
    """Each name is held to the grammar of what it is compared with."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)

    (error,) = caught.value.errors()
    assert (error["ctx"]["fault"], error["ctx"]["cure"]) == (fault, cure)


@pytest.mark.parametrize(
    "name",
    [
        *sorted(name.decode() for name in STANDARD_KINDS),
        *("Content-Type", "Cookie", "X-Forwarded-User", "X-Original-Url"),
    ],
)
def test_names_with_a_meaning_carry_no_identity_and_no_credential(name: str) -> None:
    """THREATS.md HDR-28: Host, Content-Length, hop-by-hop and forwarding fields are not ours."""
    for kind in (names.IdentityHeader, names.CredentialHeader):
        with pytest.raises(ValidationError):
            TypeAdapter[str](kind).validate_python(name)


def test_authorization_carries_no_identity() -> None:
    """It carries credentials only."""
    with pytest.raises(ValidationError):
        TypeAdapter[str](names.IdentityHeader).validate_python("Authorization")


class Completion:
    """Notes that a head was complete."""

    done = False

    def on_headers_complete(self) -> None:
        """Note it."""
        self.done = True


@pytest.mark.parametrize("method", sorted(names.METHODS))
def test_llhttp_knows_every_method(method: str) -> None:
    """A method that the parser refuses could be configured and never arrive."""
    completion = Completion()
    parser = httptools.HttpRequestParser(completion)
    parser.feed_data(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())

    assert completion.done
