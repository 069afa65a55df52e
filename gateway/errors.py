"""Every way in which something can end badly, in one tree and one table.

::

    GatewayError
    ├── ConfigError       the file is wrong: place, fault, cure       at load: exit 2
    ├── ProtocolError     the client's bytes are wrong: a Reason      at the downstream: 4xx, close
    ├── UpstreamError     the service failed: a Reason                at the exchange: 50x, or cut
    ├── CredentialError   the credential cannot be used: a Reason     at ``decide``: 400, 401, 503
    └── StoreUnavailableError   the database does not answer (``store.faults``)

A small ``ValueError`` that one room raises and its neighbour catches is not drawn here.

A refusal that was foreseen is a value (``policy.model.Respond``), not an exception; exceptions mean
that a parser stopped early or that machinery failed. Whatever the client hears is a ``Reason``; its
status, title and manners stand in ``REASONS`` and nowhere else.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Why a request was refused: a stable slug for clients, logs and metrics; a closed list."""

    BAD_REQUEST = "bad_request"
    AMBIGUOUS_PATH = "ambiguous_path"
    SEVERAL_CREDENTIALS = "several_credentials"
    CREDENTIAL_MALFORMED = "credential_malformed"
    WEBSOCKET_REFUSED = "websocket_refused"

    CREDENTIAL_MISSING = "credential_missing"
    TOKEN_MALFORMED = "token_malformed"
    TOKEN_ALGORITHM = "token_algorithm"
    TOKEN_KEY_UNKNOWN = "token_key_unknown"
    TOKEN_SIGNATURE = "token_signature"
    TOKEN_EXPIRED = "token_expired"
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"
    TOKEN_ISSUER = "token_issuer"
    TOKEN_AUDIENCE = "token_audience"
    TOKEN_TYPE = "token_type"
    TOKEN_CLAIM_MISSING = "token_claim_missing"
    TOKEN_REVOKED = "token_revoked"
    LOGIN_FAILED = "login_failed"
    API_KEY_INVALID = "api_key_invalid"
    REFRESH_INVALID = "refresh_invalid"
    REFRESH_EXPIRED = "refresh_expired"
    REFRESH_REUSED = "refresh_reused"

    ROLE_MISSING = "role_missing"
    SCOPE_MISSING = "scope_missing"
    CLAIM_MISMATCH = "claim_mismatch"
    ADDRESS_DENIED = "address_denied"
    ORIGIN_DENIED = "origin_denied"

    ROUTE_NOT_FOUND = "route_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    CONFLICT = "conflict"
    RELOAD_FAILED = "reload_failed"

    REQUEST_TIMEOUT = "request_timeout"
    BODY_TOO_LARGE = "body_too_large"
    URI_TOO_LONG = "uri_too_long"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    EXPECTATION_FAILED = "expectation_failed"
    MISDIRECTED_REQUEST = "misdirected_request"
    WEBSOCKET_VERSION = "websocket_version"
    HEADERS_TOO_LARGE = "headers_too_large"

    LOGIN_THROTTLED = "login_throttled"
    RATE_LIMITED = "rate_limited"
    TOO_MANY_WEBSOCKETS = "too_many_websockets"

    NOT_IMPLEMENTED = "not_implemented"
    HTTP_VERSION = "http_version"
    INTERNAL_ERROR = "internal_error"

    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_PROTOCOL = "upstream_protocol"
    UPSTREAM_OVERLOADED = "upstream_overloaded"
    KEYS_UNAVAILABLE = "keys_unavailable"
    NO_HEALTHY_ENDPOINT = "no_healthy_endpoint"
    STORE_UNAVAILABLE = "store_unavailable"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    RATE_LIMIT_UNAVAILABLE = "rate_limit_unavailable"
    DRAINING = "draining"
    UPSTREAM_TIMEOUT = "upstream_timeout"


@dataclass(frozen=True, slots=True)
class ReasonInfo:
    """What goes with a reason, whoever gives it."""

    status: int
    title: str  # RFC 9457 ``title`` and default ``detail``: for people, never with request data
    closes: bool = (
        False  # the connection cannot be trusted, or the rest of the request is not wanted
    )


REASONS: Final[dict[Reason, ReasonInfo]] = {
    Reason.BAD_REQUEST: ReasonInfo(400, "The request is not well-formed.", closes=True),
    Reason.AMBIGUOUS_PATH: ReasonInfo(400, "The path can be read in more than one way."),
    Reason.SEVERAL_CREDENTIALS: ReasonInfo(400, "The request carries more than one credential."),
    Reason.CREDENTIAL_MALFORMED: ReasonInfo(400, "The credential is not well-formed."),
    Reason.WEBSOCKET_REFUSED: ReasonInfo(
        400, "This is no websocket handshake that can be taken here.", closes=True
    ),
    Reason.CREDENTIAL_MISSING: ReasonInfo(401, "No token provided."),
    Reason.TOKEN_MALFORMED: ReasonInfo(401, "The token is not a well-formed JWT."),
    Reason.TOKEN_ALGORITHM: ReasonInfo(401, "The token's algorithm is not accepted here."),
    Reason.TOKEN_KEY_UNKNOWN: ReasonInfo(401, "The token was signed with an unknown key."),
    Reason.TOKEN_SIGNATURE: ReasonInfo(401, "The token's signature does not verify."),
    Reason.TOKEN_EXPIRED: ReasonInfo(401, "The token has expired."),
    Reason.TOKEN_NOT_YET_VALID: ReasonInfo(401, "The token is not valid yet."),
    Reason.TOKEN_ISSUER: ReasonInfo(401, "The token's issuer is not accepted here."),
    Reason.TOKEN_AUDIENCE: ReasonInfo(401, "The token was made for another audience."),
    Reason.TOKEN_TYPE: ReasonInfo(401, "The token is not an access token."),
    Reason.TOKEN_CLAIM_MISSING: ReasonInfo(401, "The token lacks a claim that is required."),
    Reason.TOKEN_REVOKED: ReasonInfo(401, "The token has been revoked."),
    Reason.LOGIN_FAILED: ReasonInfo(401, "The username or the password is wrong."),
    Reason.API_KEY_INVALID: ReasonInfo(401, "The API key does not count here."),
    Reason.REFRESH_INVALID: ReasonInfo(401, "The refresh token does not count here."),
    Reason.REFRESH_EXPIRED: ReasonInfo(401, "The refresh token has expired."),
    Reason.REFRESH_REUSED: ReasonInfo(401, "The refresh token was spent before; its session ends."),
    Reason.ROLE_MISSING: ReasonInfo(403, "None of the roles that this route asks for is held."),
    Reason.SCOPE_MISSING: ReasonInfo(403, "A scope that this route asks for is not held."),
    Reason.CLAIM_MISMATCH: ReasonInfo(403, "A claim does not have a value that can pass here."),
    Reason.ADDRESS_DENIED: ReasonInfo(403, "Requests from this address are not taken here."),
    Reason.ORIGIN_DENIED: ReasonInfo(403, "The request came from another site's page."),
    Reason.ROUTE_NOT_FOUND: ReasonInfo(404, "No route leads there."),
    Reason.METHOD_NOT_ALLOWED: ReasonInfo(405, "The route does not take this method."),
    Reason.CONFLICT: ReasonInfo(409, "It is there already, or cannot be changed here."),
    Reason.RELOAD_FAILED: ReasonInfo(409, "The configuration file was not taken over."),
    Reason.REQUEST_TIMEOUT: ReasonInfo(408, "The request did not arrive in time.", closes=True),
    Reason.BODY_TOO_LARGE: ReasonInfo(
        413, "The body is larger than this route takes.", closes=True
    ),
    Reason.URI_TOO_LONG: ReasonInfo(414, "The request target is too long.", closes=True),
    Reason.UNSUPPORTED_MEDIA_TYPE: ReasonInfo(415, "This media type is not taken here."),
    Reason.EXPECTATION_FAILED: ReasonInfo(417, "Only 100-continue can be expected.", closes=True),
    Reason.MISDIRECTED_REQUEST: ReasonInfo(421, "This host is not answered for here."),
    Reason.WEBSOCKET_VERSION: ReasonInfo(
        426, "Only version 13 of the websocket protocol is spoken.", closes=True
    ),
    Reason.HEADERS_TOO_LARGE: ReasonInfo(431, "The request head is too large.", closes=True),
    Reason.LOGIN_THROTTLED: ReasonInfo(429, "Too many logins at once; try again later."),
    Reason.RATE_LIMITED: ReasonInfo(429, "Too many requests; try again later."),
    Reason.TOO_MANY_WEBSOCKETS: ReasonInfo(
        429, "This user has too many websockets open.", closes=True
    ),
    Reason.NOT_IMPLEMENTED: ReasonInfo(
        501, "The method or the transfer coding is not implemented.", closes=True
    ),
    Reason.HTTP_VERSION: ReasonInfo(505, "Only HTTP/1.0 and HTTP/1.1 are spoken.", closes=True),
    Reason.INTERNAL_ERROR: ReasonInfo(500, "The gateway failed.", closes=True),
    Reason.UPSTREAM_UNREACHABLE: ReasonInfo(502, "The service could not be reached."),
    Reason.UPSTREAM_PROTOCOL: ReasonInfo(502, "The service did not answer in valid HTTP."),
    Reason.UPSTREAM_OVERLOADED: ReasonInfo(503, "The service has no free connection."),
    Reason.KEYS_UNAVAILABLE: ReasonInfo(503, "The keys of the token's issuer are not known yet."),
    Reason.NO_HEALTHY_ENDPOINT: ReasonInfo(503, "No endpoint of the service is healthy."),
    Reason.STORE_UNAVAILABLE: ReasonInfo(503, "The gateway's store cannot be reached."),
    Reason.TOO_MANY_CONNECTIONS: ReasonInfo(503, "Too many connections are open.", closes=True),
    Reason.RATE_LIMIT_UNAVAILABLE: ReasonInfo(503, "Nobody can say how many requests came."),
    Reason.DRAINING: ReasonInfo(503, "The gateway is about to stop."),
    Reason.UPSTREAM_TIMEOUT: ReasonInfo(504, "The service did not answer in time."),
}


class GatewayError(Exception):
    """The root of everything that this package raises on purpose."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a configuration file something stands, for people."""

    file: str
    line: int = 0  # 1 is the first; 0 when the fault concerns the whole file
    path: str = ""  # ``routes[2].upstream``

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.path}" if self.path else where


class ConfigError(GatewayError):
    """One fault of the configuration: where it is, what it is and what to do about it."""

    def __init__(self, place: Place, fault: str, cure: str = "") -> None:
        super().__init__(place, fault, cure)
        self.place = place
        self.fault = fault
        self.cure = cure

    def __str__(self) -> str:
        first = f"{self.place}: {self.fault}"
        return f"{first}\n  {self.cure}" if self.cure else first


class ConfigErrors(GatewayError):  # noqa: N818 (it holds several of them)
    """All the faults that one reading of the configuration found; never empty."""

    def __init__(self, errors: list[ConfigError]) -> None:
        super().__init__(errors)
        self.errors = errors

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class ProtocolError(GatewayError):
    """The peer's bytes are not a message that may pass. *detail* never quotes them."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail or REASONS[reason].title


class UpstreamError(GatewayError):
    """The service could not be reached, broke the protocol or took too long."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail or REASONS[reason].title


class CredentialError(GatewayError):
    """What the request presents as its credential cannot be used; *reason* says how."""

    def __init__(self, reason: Reason, detail: str = "", *, issuer: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail or REASONS[reason].title
        self.issuer = issuer  # whose keys were too few, where that is the reason
