"""Every key of the file: its type, its default and what it means.

The models are the one source of the JSON Schema (``gateway schema``) and of the configuration's
reference; ``config/routes.yaml`` is their example. What a value can be checked for by itself is
checked by its type; what several values say together is checked here where they are neighbours, and
in ``compile`` where they are not.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from gateway.config.access_log import OFF, AccessLog
from gateway.config.addresses import Address, PublicListeners, TrustedNetwork
from gateway.config.admin_settings import AdminSettings
from gateway.config.fields import (
    Count,
    CountOrZero,
    Duration,
    DurationOrZero,
    Id,
    Lenient,
    NotEmpty,
    Scope,
    Size,
    SizeOrZero,
    Text,
    Truth,
    plain,
    refusal,
)
from gateway.config.issuer_settings import IssuerSettings
from gateway.config.names import UpstreamName
from gateway.config.route_settings import ClaimHeaders, RouteSettings
from gateway.config.secret_values import PasswordHash, RedisUrl, StoreKey, StoreUrl
from gateway.config.section import Section, size_field, time_field
from gateway.config.tls_settings import TlsSettings
from gateway.config.token_settings import CredentialSettings, TokensSettings
from gateway.config.tracing_settings import TracingSettings
from gateway.config.upstream_settings import UpstreamSettings
from gateway.config.workers import Workers
from gateway.policy.model import Limits

_LIMITS: Final = Limits()
_STORE: Final = "sqlite:///var/gateway.db"
_STALL_S: Final = 30.0  # as uvicorn's supervisor waits for a worker; HAProxy's watchdog: 2
_STORE_SILENCE_S: Final = 60.0  # a restart or a failover of PostgreSQL takes less, as a rule


class LimitsSettings(Section):
    """What clients may cost, and how long a worker can do without the store."""

    head: Size = size_field(_LIMITS.head_bytes, "Largest request head (431).")
    target: Size = size_field(_LIMITS.target_bytes, "Longest request target (414).")
    fields: Count = Field(
        default=_LIMITS.fields, description="Most header fields in a request (431)."
    )
    head_timeout: Duration = time_field(
        _LIMITS.head_timeout_s, "From the first byte of a head to its end (408)."
    )
    idle_timeout: Duration = time_field(
        _LIMITS.idle_timeout_s, "How long a connection is kept open between two requests."
    )
    body_timeout: Duration = time_field(
        _LIMITS.body_timeout_s, "Longest pause of a client within a body (408)."
    )
    stall_timeout: Duration = time_field(
        _STALL_S, "How long a worker may be stuck before it is replaced."
    )
    write_timeout: Duration = time_field(
        _LIMITS.write_timeout_s, "How long a client may take no byte before it is cut off."
    )
    body_rate: SizeOrZero = size_field(
        _LIMITS.body_rate_bytes,
        "What a body must bring in a second, on the average, after ten (408); 0B is anything.",
    )
    tunnel_idle_timeout: Duration = time_field(
        _LIMITS.tunnel_idle_timeout_s,
        "How long no byte may pass in a websocket, either way, before it is ended.",
    )
    connections: Count = Field(
        default=_LIMITS.connections, description="Most open client connections of a worker (503)."
    )
    connections_per_address: CountOrZero = Field(
        default=_LIMITS.connections_per_address,
        description="Most of one client address, or of an IPv6 /64 (503); 0 is any number. "
        "trusted_proxies and this host are exempt.",
    )
    websockets_per_user: CountOrZero = Field(
        default=_LIMITS.websockets_per_user,
        description="Most websockets of one user: of one issuer and sub (429); 0 is any number.",
    )
    upstream_wait: Duration = time_field(
        _LIMITS.upstream_wait_s, "Longest wait for a free connection to an endpoint (503)."
    )
    upstream_pending: Count = Field(
        default=_LIMITS.upstream_pending,
        description="Most requests that wait for one, at each endpoint (503).",
    )
    upstream_head: Size = size_field(
        _LIMITS.upstream_head_bytes, "Largest head of an answer (502)."
    )
    buffer: Size = size_field(
        _LIMITS.buffer_bytes, "Bytes held per direction before the sending side is paused."
    )
    store_silence: Duration = time_field(
        _STORE_SILENCE_S,
        "How long a worker relies on the revocations that it knows without the store (then 503).",
    )
    drain_delay: DurationOrZero = time_field(
        0, "How long a gateway that is told to end goes on, and says at /readyz that it ends."
    )
    odd_header_names: Literal["drop", "keep"] = Field(
        default="drop",
        description="What happens to header names with other bytes than A-Z a-z 0-9 and -.",
    )


class UserSettings(Section):
    """One who can log in."""

    username: Id = Field(description="The name to log in with.")
    password_hash: PasswordHash = Field(
        description="From 'gateway hash-password': argon2id; or a legacy system's."
    )
    id: Id | None = Field(
        default=None, description="The subject of the tokens (sub), if not the username."
    )
    roles: Annotated[tuple[Text, ...], Lenient] = Field(default=(), description="The roles held.")
    scopes: Annotated[tuple[Scope, ...], Lenient] = Field(
        default=(), description="The scopes held."
    )
    attributes: Annotated[dict[Text, Any], BeforeValidator(plain)] = Field(
        default={}, description="Anything else; tokens.claims makes claims of it."
    )


def _check_version(value: object) -> object:
    if type(value) is not int or value != 1:  # true == 1 in Python
        raise refusal("{value} is not a version of this format", "write 1")
    return value


class Settings(Section):
    """The configuration of the gateway."""

    version: Annotated[Literal[1], BeforeValidator(_check_version)] = Field(
        description="The version of this format."
    )
    listen: PublicListeners = Field(
        default=(Address("127.0.0.1", 8080),),
        description="Where clients connect: host:port, [v6]:port or unix:/path, or a list of them.",
        json_schema_extra={"default": "127.0.0.1:8080"},
    )
    tls: TlsSettings | None = Field(
        default=None, description="The certificate of 'listen', which then speaks TLS only."
    )
    admin: AdminSettings | None = Field(
        default=None, description="Probes and the admin API; there are none without it."
    )
    access_log: AccessLog = Field(
        default=OFF,
        description="Where a JSON line for each request goes: off, stdout, or a file.",
    )
    tracing: TracingSettings | None = Field(
        default=None, description="Spans of OpenTelemetry (the extra 'otel'); none without it."
    )
    workers: Workers = Field(default=1, description="Processes that serve; auto is one per core.")
    store: StoreUrl = Field(
        default=SecretStr(_STORE),
        description="The database of users, sessions, revocations and keys: SQLite or PostgreSQL.",
        json_schema_extra={"default": _STORE},
    )
    store_key: StoreKey = Field(
        default=None,
        description="Encrypts the signing keys in the store: 32 bytes or more; empty is none.",
    )
    redis: RedisUrl | None = Field(
        default=None,
        description="Where workers and hosts share their rate limits: redis://host:6379/0, or "
        "rediss:// for TLS. Without it each worker counts for itself.",
    )
    runtime_dir: Text = Field(
        default="var",
        description="Directory in which the processes of this host share what they know of "
        "revocations while they run.",
    )
    reload_on_change: Truth = Field(
        default=True,
        description="Whether the file is read again by itself once it, or a file that it takes a "
        "value of, has changed.",
    )
    trusted_proxies: Annotated[tuple[TrustedNetwork, ...], Lenient] = Field(
        default=(), description="Networks whose X-Forwarded-* and Forwarded are believed."
    )
    limits: LimitsSettings = Field(
        default=LimitsSettings(),
        description="Limits and deadlines.",
        json_schema_extra={"default": {}},
    )
    tokens: TokensSettings = Field(description="The tokens that are issued and accepted.")
    issuers: Annotated[tuple[IssuerSettings, ...], Lenient] = Field(
        default=(), description="Others whose tokens are accepted too."
    )
    credentials: Annotated[tuple[CredentialSettings, ...], Lenient, NotEmpty] = Field(
        default=(CredentialSettings(header="Authorization", scheme="Bearer"),),
        description="Where a credential may sit; a route may narrow this list.",
        json_schema_extra={"default": [{"header": "Authorization", "scheme": "Bearer"}]},
    )
    claim_headers: ClaimHeaders = Field(
        default={}, description="Identity headers: each from the path of a claim."
    )
    users: Annotated[tuple[UserSettings, ...], Lenient] = Field(
        default=(), description="Who can log in."
    )
    upstreams: dict[UpstreamName, UpstreamSettings] = Field(
        default={}, description="The services behind the gateway, by name."
    )
    routes: Annotated[tuple[RouteSettings, ...], Lenient] = Field(
        default=(), description="What is allowed; whatever no route allows is 404."
    )

    @model_validator(mode="after")
    def _check_listeners(self) -> "Settings":
        for address in self.admin.listen if self.admin else ():
            public = [each for each in self.listen if isinstance(each, Address)]
            if any(address.overlaps(each) for each in public):
                raise refusal(
                    f"clients connect to {address} too",
                    "give the admin listener an address and port that 'listen' has not",
                    "admin.listen",
                )
        return self


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file, for editors."""
    schema: dict[str, Any] = _without_noise(Settings.model_json_schema())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of the gateway",
    } | schema


def _without_noise(schema: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """Drop what says nothing in a file: generated titles, and null, which no key takes."""
    if isinstance(schema, list):
        return [_without_noise(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: {name: _without_noise(part) for name, part in value.items()}
        if key in _NAMED_PARTS
        else _without_noise(value)
        for key, value in schema.items()
        if key != "title" and not (key == "default" and value is None)
    }
    choices = [choice for choice in kept.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        del kept["anyOf"]
        return choices[0] | kept
    return kept | {"anyOf": choices} if choices else kept


_NAMED_PARTS: Final = ("properties", "$defs")  # their keys are names, not keywords
