"""What a decision is made from, and the three kinds that it has.

Everything that comes from the configuration is compiled once, frozen, and hangs on one
``Snapshot``; a reload builds a new one and swaps it in one assignment. What is made per request is
a plain class with slots (a frozen dataclass takes three times as long to build).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, TypeAlias, assert_never

from gateway.errors import REASONS, Reason
from gateway.http1.names import NameTable, fold
from gateway.http1.request import RequestHead, RequestParser
from gateway.policy.checked import CheckedCredentials, CredentialKind, UncheckedError
from gateway.policy.claim_headers import HeaderPlan
from gateway.policy.cors import Cors
from gateway.policy.peers import AddressSet, TrustedProxies
from gateway.policy.rate_limits import RateLimit
from gateway.policy.requirements import Requirement
from gateway.policy.rewriting import Rewrite
from gateway.policy.routing import Pattern, Router, pattern_segments
from gateway.policy.tokens import TokenVerifier, VerifiedToken


class Auth(Enum):
    """Whether a route asks for a credential."""

    REQUIRED = "required"
    OPTIONAL = "optional"  # none is anonymous; a bad one is refused
    NONE = "none"  # not looked at, and not passed on


class Balance(Enum):
    """How the next endpoint of an upstream is chosen."""

    ROUND_ROBIN = "round_robin"
    LEAST_REQUESTS = "least_requests"
    RANDOM = "random"  # the less busy of two


class PlaceKind(Enum):
    """Where in a request a credential may sit."""

    SCHEME = auto()  # ``Authorization: Bearer <token>``
    RAW = auto()  # ``access-token: <token>``
    COOKIE = auto()
    QUERY = auto()


@dataclass(frozen=True, slots=True)
class CredentialPlace:
    """One place where a route looks for its credential."""

    kind: PlaceKind
    name: bytes  # of the field (lower case), the cookie or the query parameter
    scheme: bytes = b""  # lower case; with SCHEME only
    holds: CredentialKind = CredentialKind.TOKEN
    in_header: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "in_header", self.kind in (PlaceKind.SCHEME, PlaceKind.RAW))

    @property
    def takes_basic(self) -> bool:
        """Whether it holds a username and a password."""
        return self.holds is CredentialKind.BASIC

    def __str__(self) -> str:
        suffix = ", API key" if self.holds is CredentialKind.API_KEY else ""
        return self.where + suffix

    @property
    def where(self) -> str:
        """Where it is, whatever it holds."""
        name = self.name.decode("ascii")
        match self.kind:
            case PlaceKind.SCHEME:
                return f"header {name} ({self.scheme.decode('ascii')})"
            case PlaceKind.RAW:
                return f"header {name}"
            case PlaceKind.COOKIE:
                return f"cookie {name}"
            case PlaceKind.QUERY:
                return f"query parameter {name}"
            case _:
                assert_never(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client connection may cost. Every default says where it comes from."""

    head_bytes: int = 32 * 1024  # nginx: large_client_header_buffers 4 x 8k
    target_bytes: int = 8 * 1024  # nginx: one of those buffers
    fields: int = 100  # Envoy: 100, HAProxy: 101
    head_timeout_s: float = (
        10.0  # first byte to end of head; nginx and Caddy 60, slowloris wants less
    )
    idle_timeout_s: float = 75.0  # between requests; nginx: keepalive_timeout 75
    body_timeout_s: float = 30.0  # between two reads of a body; nginx: client_body_timeout 60
    write_timeout_s: float = 60.0  # a client that takes no byte; nginx: send_timeout 60
    body_rate_bytes: int = 240  # a second, after 10 s of waiting; Kestrel's figure
    connections: int = 10_000  # per worker; Envoy's edge guide: 10,000 a listener
    connections_per_address: int = 256  # per worker; a browser opens 6 to a host; 0: any number
    websockets_per_user: int = 256  # per worker; as of an address; 0: any number
    upstream_wait_s: float = 1.0  # for a free connection to an endpoint; nginx waits for ever
    upstream_pending: int = 1024  # waiting for one, at each endpoint; Envoy: max_pending 1024
    upstream_head_bytes: int = 64 * 1024  # Envoy: 60 KiB
    tunnel_idle_timeout_s: float = 300.0  # no byte either way; Envoy: stream_idle_timeout 5 m
    buffer_bytes: int = 64 * 1024  # held per direction before the other side is paused


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address at which an upstream answers."""

    host: str  # a name or an address, IPv6 without brackets
    port: int
    weight: int = 1  # its share of the requests, relative to the other endpoints'
    secure: bool = False  # it speaks TLS
    socket: str = ""  # the path of its Unix socket, in place of host and port

    def __str__(self) -> str:
        if self.socket:
            return f"unix:{self.socket}"
        address = f"{self._url_host}:{self.port}"
        return f"https://{address}" if self.secure else address

    @property
    def authority(self) -> bytes:
        """The value of ``Host`` that names this endpoint; the scheme's own port is left out."""
        if self.socket:
            return b"localhost"  # as curl and httpx say
        is_usual = self.port == (443 if self.secure else 80)
        return (self._url_host if is_usual else f"{self._url_host}:{self.port}").encode("ascii")

    def url(self, target: str) -> str:
        """Return the URL of *target* there, for people; a socket's as nginx writes it."""
        if self.socket:
            return f"unix:{self.socket}:{target}"
        return f"{'https' if self.secure else 'http'}://{self.authority.decode('ascii')}{target}"

    @property
    def _url_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamTls:
    """How endpoints that speak TLS are known, and what we prove ourselves with."""

    ca: str = ""  # file of the only roots that are trusted; empty: those of the system
    certificate: str = ""  # file of our own; empty: none
    key: str = ""
    server_name: str = ""  # in place of the endpoint's host
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How each worker asks each endpoint of an upstream whether it is well."""

    path: str
    interval_s: float = 5.0  # between two; Envoy's examples 5, HAProxy 2
    timeout_s: float = 2.0
    unhealthy_after: int = 3  # failed ones in a row; HAProxy: fall 3
    healthy_after: int = 2  # passed ones in a row; HAProxy: rise 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A service behind the gateway."""

    name: str
    endpoints: tuple[Endpoint, ...]  # at least one
    connect_timeout_s: float = 2.0  # Envoy: 5; a neighbour answers in milliseconds or not at all
    response_timeout_s: float = 30.0  # to the response head; oauth2-proxy and Pomerium: 30
    idle_timeout_s: float = 60.0  # between two reads of a body; nginx: proxy_read_timeout 60
    max_connections: int = 256  # per endpoint and worker
    balance: Balance = Balance.ROUND_ROBIN
    retries: int = 1  # at other endpoints; THREATS.md B2
    health: HealthCheck | None = None
    tls: UpstreamTls = field(default_factory=UpstreamTls)  # of those endpoints that speak it
    host: bytes | None = None  # the Host that it is sent; None keeps the client's
    host_from_endpoint: bool = False


@dataclass(frozen=True, slots=True)
class FieldChanges:
    """Fields that a route sets or removes, on the way to the service or back."""

    removed: frozenset[bytes]  # folded names, those of the lines among them
    lines: tuple[bytes, ...] = ()  # ``Name: value``

    def apply(self, lines: Iterable[bytes]) -> list[bytes]:
        """Return *lines* without any spelling of a removed name, then those that are set."""
        kept = [line for line in lines if fold(line.partition(b":")[0]) not in self.removed]
        return [*kept, *self.lines]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """One rule: which requests it takes, what it asks of them, where they go."""

    name: str
    path: str  # as configured
    upstream: Upstream
    hosts: tuple[str, ...] = ()
    methods: frozenset[bytes] = frozenset()  # empty: every method
    auth: Auth = Auth.REQUIRED
    require: Requirement = field(default_factory=Requirement)
    places: tuple[CredentialPlace, ...] = ()
    headers: HeaderPlan = field(default_factory=lambda: HeaderPlan(()))
    strip_prefix: bytes = b""  # whole segments, without a final "/"
    rewrite: Rewrite | None = None  # in place of strip_prefix
    response_timeout_s: float | None = None  # to the response head; None: the upstream's
    max_body_bytes: int = 10 * 1024 * 1024
    forward_credential: bool = False
    addresses: AddressSet | None = None  # the clients that it takes; None: all
    cors: Cors | None = None  # None: CORS is the service's own affair
    request_changes: FieldChanges | None = None
    answer_changes: FieldChanges | None = None
    rate_limit: RateLimit | None = None  # counted where there is state: ``proxy.dispatch``
    websocket: bool = False  # a handshake may become a tunnel
    ends_with_token: bool = False  # an answer that is not complete when its token ends is cut
    max_duration_s: float | None = None  # what goes on for longer is ended; None: nothing is
    edits_answers: bool = field(init=False, repr=False)  # the heads of the service's answers
    may_end: bool = field(init=False, repr=False)  # what goes on is judged again and again

    def __post_init__(self) -> None:
        edits = self.cors is not None or self.answer_changes is not None
        object.__setattr__(self, "edits_answers", edits)
        lasts = self.ends_with_token or self.websocket or self.max_duration_s is not None
        object.__setattr__(self, "may_end", lasts)


@dataclass(frozen=True, slots=True)
class ControlEndpoint:
    """A path that the gateway answers itself; it wins over every route."""

    path: str  # begins with a literal segment; then literals and ``{name}``
    auth: Auth = Auth.NONE
    # A token that has expired or been revoked is no refusal but a fact (``Serve.refused``); nor
    # does it matter when nobody can say. All else about it is judged as ever.
    takes_ended_tokens: bool = False
    # Sessions and subjects are ours: another issuer's ``alice`` is another person.
    takes_own_tokens_only: bool = False


# What the public listener serves (DESIGN.md section 3). A route cannot take these paths away.
CONTROL_ENDPOINTS: Final[tuple[ControlEndpoint, ...]] = (
    ControlEndpoint("/authenticate"),
    ControlEndpoint("/refresh"),
    ControlEndpoint(  # THREATS.md SES-08
        "/logout", Auth.REQUIRED, takes_ended_tokens=True, takes_own_tokens_only=True
    ),
    ControlEndpoint("/whoami", Auth.REQUIRED),
    ControlEndpoint("/sessions", Auth.REQUIRED, takes_own_tokens_only=True),
    ControlEndpoint("/sessions/{id}", Auth.REQUIRED, takes_own_tokens_only=True),
    ControlEndpoint("/introspect"),  # its credential is the admin token, which it reads itself
    ControlEndpoint("/.well-known/jwks.json"),
    ControlEndpoint("/.well-known/oauth-authorization-server"),
)


def build_control_router(endpoints: Iterable[ControlEndpoint]) -> Router[ControlEndpoint]:
    """Return what finds the endpoint of a path, whatever the host and the method."""
    return Router((Pattern(pattern_segments(e.path)), e) for e in endpoints)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """One compiled configuration; a request keeps the one that it began with."""

    router: Router[Route]
    names: NameTable
    verifier: TokenVerifier
    checked: CheckedCredentials  # API keys and the like, as they were looked up lately
    places: tuple[CredentialPlace, ...]  # where the control plane looks for its credential
    routes: tuple[Route, ...] = ()  # in the order of the file
    upstreams: tuple[Upstream, ...] = ()
    methods: frozenset[bytes] = frozenset()  # every method that some route takes
    trusted_proxies: TrustedProxies = field(default_factory=TrustedProxies)
    limits: Limits = field(default_factory=Limits)
    endpoints: tuple[ControlEndpoint, ...] = CONTROL_ENDPOINTS
    control: Router[ControlEndpoint] = field(init=False)
    control_names: frozenset[bytes] = field(init=False)  # first segments: others need not be asked
    answers_preflights: bool = field(init=False)  # for some route
    parser: RequestParser = field(init=False)

    def __post_init__(self) -> None:
        limits = self.limits
        parser = RequestParser(
            self.names, max_fields=limits.fields, max_target_bytes=limits.target_bytes
        )
        object.__setattr__(self, "parser", parser)
        preflights = any(route.cors is not None for route in self.routes)
        object.__setattr__(self, "answers_preflights", preflights)
        object.__setattr__(self, "control", build_control_router(self.endpoints))
        names = frozenset(pattern_segments(endpoint.path)[0] for endpoint in self.endpoints)
        object.__setattr__(self, "control_names", names)


class Request:
    """One request as the decision sees it: the head and what the connection knows."""

    __slots__ = ("head", "peer", "request_id", "secure", "traceparent")

    def __init__(self, head: RequestHead, *, peer: str, secure: bool, request_id: bytes) -> None:
        self.head = head
        self.peer = peer  # the address of the other end, without port
        self.secure = secure  # whether it came over TLS
        self.request_id = request_id  # a trusted proxy's, or a new one
        self.traceparent: bytes | None = None  # names our own span, where there is one


class Preflight:
    """A browser's question whether a page may send a request that *route* takes."""

    __slots__ = ("cors", "method", "route")

    def __init__(self, route: Route, cors: Cors, method: bytes) -> None:
        self.route = route
        self.cors = cors  # the route's
        self.method = method


class Forward:
    """Send the request to the service, with this head in place of the client's."""

    __slots__ = ("accept", "fields", "request_line", "route", "token")

    def __init__(
        self,
        route: Route,
        request_line: bytes,
        fields: bytes,
        token: VerifiedToken | None,
    ) -> None:
        self.route = route
        self.request_line = request_line  # with its CRLF
        self.fields = fields  # field lines, each with its CRLF, Host first; framing comes later
        self.token = token  # None: anonymous
        self.accept: bytes | None = None  # of a handshake: what the service must prove

    @property
    def names_host(self) -> bool:
        """Whether Host is known; else the authority of the endpoint that is chosen becomes it."""
        return self.fields.startswith(b"Host: ")


class Serve:
    """Let the gateway's own endpoint answer."""

    __slots__ = ("endpoint", "refused", "token")

    def __init__(
        self,
        endpoint: ControlEndpoint,
        token: VerifiedToken | None,
        refused: Reason | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.token = token
        self.refused = refused  # ``token_expired`` or ``token_revoked``, where that is taken


class Respond:
    """Answer here and now; the service never hears of the request."""

    __slots__ = ("detail", "fields", "issuer", "reason", "route", "status", "token", "unchecked")

    def __init__(
        self,
        reason: Reason | None,
        detail: str = "",
        *,
        status: int = 204,
        route: Route | None = None,
        token: VerifiedToken | None = None,
        fields: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        self.reason = reason  # None: not a refusal, and *status* says what it is
        self.status = REASONS[reason].status if reason else status
        self.detail = detail or (REASONS[reason].title if reason else "")
        self.route = route  # the one that refused, where one was found
        self.token = token  # that was good, and not enough
        self.issuer = ""  # whose keys were too few: new ones may be had
        self.fields = fields  # what else the answer carries
        self.unchecked: UncheckedError | None = None  # looked up, it may be decided otherwise


Decision: TypeAlias = Forward | Serve | Respond
