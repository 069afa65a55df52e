"""Names in the file, each held to the grammar of what it will be compared with or become."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from gateway.config.addresses import parse_address, parse_host_name
from gateway.config.fields import Text, refusal
from gateway.http1.names import STANDARD_KINDS, fold
from gateway.policy.claims import STANDARD_CLAIMS

# What llhttp 9.4 reads in an HTTP request (``tests/unit/config`` asks it), without CONNECT and
# TRACE, which are never forwarded, and without SOURCE, which belongs to ICE.
METHODS: Final = frozenset(
    (
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS",
        "ACL", "BIND", "CHECKOUT", "COPY", "LINK", "LOCK", "M-SEARCH", "MERGE", "MKACTIVITY",
        "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "PROPFIND", "PROPPATCH", "PURGE", "QUERY",
        "REBIND", "REPORT", "SEARCH", "SUBSCRIBE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE",
    )
)  # fmt: skip
# > The seven that need no naming: RFC 9110 section 9.3 without CONNECT and TRACE, and RFC 5789.
STANDARD_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_NEVER_FORWARDED: Final = ("CONNECT", "TRACE")

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9\-]+")
# field-value without obs-text   -- RFC 9110 section 5.5
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9._~\-]+")  # of cookies and parameters: no escapes
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9\-]*")
_UPSTREAM_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]*")
_ATTRIBUTE: Final = re.compile(r"user\.(.+)")

_FORWARDING: Final = (b"x-forwarded-", b"x-original-")
_MEANINGFUL: Final = frozenset(
    (
        b"authorization", b"cookie", b"set-cookie", b"content-type", b"content-encoding",
        b"content-range",
    )
)  # fmt: skip
_CREDENTIALS: Final = (b"authorization", b"cookie")
_ANSWER_FRAMING: Final = frozenset(
    (
        b"connection", b"content-length", b"date", b"keep-alive", b"proxy-connection", b"te",
        b"trailer", b"transfer-encoding", b"upgrade",
    )
)  # fmt: skip
_IDENTITY_CURE: Final = "choose a name of your own, for example X-User-Id"
_OTHER_SCHEMES: Final = ("digest", "negotiate", "ntlm")


def means_something(name: str) -> bool:
    """Whether HTTP or a proxy gives the field *name* a meaning, whoever sets it."""
    folded = fold(name.encode("ascii"))
    return folded in STANDARD_KINDS or folded.startswith(_FORWARDING)


def _check_header_name(value: str) -> str:
    if _HEADER_NAME.fullmatch(value) is None:
        raise refusal(
            "{value} is not a header name",
            "use letters, digits and '-' only, for example X-User-Id",
        )
    return value


def _check_identity_header(value: str) -> str:
    _check_header_name(value)
    if means_something(value) or fold(value.encode("ascii")) in _MEANINGFUL:
        raise refusal("{value} means something in HTTP or to proxies", _IDENTITY_CURE)
    return value


def _check_request_header(value: str) -> str:
    """Hold a name to what a route may set or remove of its own accord on the way to a service."""
    _check_header_name(value)
    if means_something(value) or fold(value.encode("ascii")) in _CREDENTIALS:
        raise refusal(
            "{value} is the gateway's own affair: framing, routing, forwarding or credentials",
            "remove it",
        )
    return value


def _check_answer_header(value: str) -> str:
    _check_header_name(value)
    if fold(value.encode("ascii")) in _ANSWER_FRAMING:
        raise refusal("{value} belongs to the framing of the answer", "remove it")
    return value


def _check_header_value(value: str) -> str:
    if _HEADER_VALUE.fullmatch(value) is None:
        raise refusal("{value} cannot stand in a header", "use ASCII without spaces at either end")
    return value


def _check_credential_header(value: str) -> str:
    _check_header_name(value)
    if value.lower() == "cookie":
        raise refusal("a cookie is named by its own name", "write {cookie: name}")
    folded = fold(value.encode("ascii"))
    if means_something(value) or (folded in _MEANINGFUL and folded != b"authorization"):
        raise refusal(
            "{value} means something else in HTTP or to proxies",
            "use Authorization or access-token",
        )
    return value


def _check_plain_name(value: str) -> str:
    if _PLAIN_NAME.fullmatch(value) is None:
        raise refusal(
            "{value} is not a name that can stand there", "use letters, digits and -._~ only"
        )
    return value


def _check_scheme(value: str) -> str:
    if _SCHEME.fullmatch(value) is None or value.lower() in _OTHER_SCHEMES:
        raise refusal("{value} is not a scheme that carries a token", "use Bearer")
    return value


def _check_upstream_name(value: str) -> str:
    if _UPSTREAM_NAME.fullmatch(value) is None:
        raise refusal("{value} is not a name for an upstream", "use letters, digits and -._ only")
    return value


def _check_claim_name(value: str) -> str:
    if value in STANDARD_CLAIMS:
        raise refusal("the gateway itself sets the claim {value}", "choose another name")
    return value


def _check_attribute_path(value: str) -> str:
    match = _ATTRIBUTE.fullmatch(value)
    if match is None:
        raise refusal(
            "{value} does not name an attribute of a user",
            "write user.<attribute>, for example user.email",
        )
    return match[1]


def _check_method(value: object) -> str:
    text = value if isinstance(value, str) else ""
    if text in _NEVER_FORWARDED:
        raise refusal("{value} is never forwarded", "remove it")
    if text not in METHODS:
        known = text.upper() in METHODS
        cure = f"write {text.upper()}" if known else "methods are GET, HEAD, POST, PUT and so on"
        raise refusal("unknown method {value}", cure)
    return text


def _check_host(value: str) -> str:
    name = value.removeprefix("*.")
    if parse_address(name) is not None:
        raise refusal("{value} has a port", "name the host only")
    host = parse_host_name(name)
    if value == "*":
        raise refusal("{value} is every host", "leave 'hosts' out to take them all")
    if host is None or (name != value and host.startswith("[")):
        raise refusal("{value} is not a host", "write api.example.com, or *.example.com")
    return "*." + host if name != value else host


def _check_host_mode(value: str) -> str:
    if value in ("preserve", "upstream"):
        return value
    if parse_address(value) is None and parse_host_name(value) is None:
        raise refusal(
            "{value} is not a Host", "write preserve, upstream, or a host such as api.internal:8080"
        )
    return value


Method = Annotated[
    str,
    BeforeValidator(_check_method),
    WithJsonSchema({"type": "string", "enum": sorted(METHODS)}),
]
HeaderName = Annotated[Text, AfterValidator(_check_header_name)]
RequestHeader = Annotated[Text, AfterValidator(_check_request_header)]
AnswerHeader = Annotated[Text, AfterValidator(_check_answer_header)]
HeaderValue = Annotated[Text, AfterValidator(_check_header_value)]
IdentityHeader = Annotated[Text, AfterValidator(_check_identity_header)]
CredentialHeader = Annotated[Text, AfterValidator(_check_credential_header)]
CookieName = Annotated[Text, AfterValidator(_check_plain_name)]
ParameterName = Annotated[Text, AfterValidator(_check_plain_name)]
Scheme = Annotated[Text, AfterValidator(_check_scheme)]
UpstreamName = Annotated[Text, AfterValidator(_check_upstream_name)]
ClaimName = Annotated[Text, AfterValidator(_check_claim_name)]
AttributeName = Annotated[
    Text,
    AfterValidator(_check_attribute_path),
    WithJsonSchema({"type": "string", "pattern": r"^user\..+$"}),
]
Host = Annotated[Text, AfterValidator(_check_host)]
HostMode = Annotated[Text, AfterValidator(_check_host_mode)]
