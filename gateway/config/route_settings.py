"""The keys of a route, and of the identity headers that a route or the whole file may name."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from gateway.config.addresses import ClientNetwork
from gateway.config.feature_settings import (
    CorsSettings,
    RateLimitSettings,
    RequestHeadersSettings,
    ResponseHeadersSettings,
)
from gateway.config.fields import (
    Duration,
    Lenient,
    NotEmpty,
    Scope,
    SizeOrZero,
    Text,
    Truth,
    as_list,
    refusal,
)
from gateway.config.names import Host, IdentityHeader, Method
from gateway.config.paths import RewriteTemplate, RoutePath, StripPrefix
from gateway.config.section import Section, size_field
from gateway.config.token_settings import CredentialSettings
from gateway.policy.claims import ALL_CLAIMS

_MAX_BODY_BYTES: Final = 10 * 1024 * 1024


class ClaimHeaderSettings(Section):
    """What one identity header says."""

    claim: Text = Field(description='The path of a claim (org.plan), or "*" for all of them.')
    default: Text | None = Field(
        default=None, description="What it says where the claim is absent."
    )
    format: Literal["text", "base64url-json"] = Field(
        default="text", description="base64url-json is the compact JSON of the claim in base64url."
    )

    @model_validator(mode="after")
    def _check_all_claims(self) -> "ClaimHeaderSettings":
        if self.claim == ALL_CLAIMS and self.format != "base64url-json":
            raise refusal(
                'the set of all claims ("*") is no text', "add 'format: base64url-json'", "claim"
            )
        return self


def _claim_or_mapping(value: object) -> object:
    return {"claim": value} if isinstance(value, str) else value


ClaimHeaders = dict[
    IdentityHeader,
    Annotated[
        ClaimHeaderSettings,
        BeforeValidator(_claim_or_mapping, json_schema_input_type=str | ClaimHeaderSettings),
    ],
]


def _check_scalar(value: object) -> object:
    if isinstance(value, (list, dict)):
        raise refusal(
            "{value} cannot be compared with a claim", "write texts, numbers, true, false"
        )
    return str(value) if isinstance(value, str) else value  # not a subclass: types are compared


ClaimValue = Annotated[
    Any,
    BeforeValidator(_check_scalar),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]


class RequireSettings(Section):
    """What a route demands of the claims; all that is named must hold."""

    roles: Annotated[tuple[Text, ...], Lenient, NotEmpty] | None = Field(
        default=None, description="Any of these roles."
    )
    scopes: Annotated[tuple[Scope, ...], Lenient, NotEmpty] | None = Field(
        default=None, description="All of these scopes."
    )
    claims: dict[
        Text,
        Annotated[
            tuple[ClaimValue, ...],
            Lenient,
            NotEmpty,
            BeforeValidator(as_list, json_schema_input_type=ClaimValue | list[ClaimValue]),
        ],
    ] = Field(default={}, description="For each claim path, any of these values.")


class RouteSettings(Section):
    """Which requests go where, and what they need for it."""

    name: Text | None = Field(default=None, description="For logs, metrics and 'gateway explain'.")
    hosts: Annotated[tuple[Host, ...], Lenient, NotEmpty] | None = Field(
        default=None,
        description="Hosts that it answers for; *.example.com is allowed. Without it: all.",
    )
    path: RoutePath = Field(
        description="Literal segments, {name} or * for one segment, ** for the rest (also none)."
    )
    methods: Annotated[tuple[Method, ...], Lenient, NotEmpty] | None = Field(
        default=None, description="Methods that it takes; HEAD follows GET. Without it: all."
    )
    upstream: Text = Field(description="The name of the upstream that answers.")
    strip_prefix: StripPrefix | None = Field(
        default=None,
        description="Whole literal segments that are taken off the path before it is sent on.",
    )
    rewrite: RewriteTemplate | None = Field(
        default=None,
        description="The path that is sent on instead: literals, {name} and ** as 'path' has them.",
    )
    timeout: Duration | None = Field(
        default=None,
        description="Longest wait for the head of an answer (504), in place of the upstream's "
        "response_timeout.",
    )
    max_duration: Duration | None = Field(
        default=None,
        description="Longest time to the last byte of an answer, or of a websocket (504, or it is "
        "cut). Without it: any.",
    )
    auth: Literal["required", "optional", "none"] = Field(
        default="required", description="Whether a credential is asked for."
    )
    require: RequireSettings | None = Field(default=None, description="What the claims must say.")
    claim_headers: ClaimHeaders = Field(
        default={}, description="Identity headers of this route, beside or in place of the file's."
    )
    credentials: Annotated[tuple[CredentialSettings, ...], Lenient, NotEmpty] | None = Field(
        default=None, description="Which of the file's places are looked at here."
    )
    address_allow: Annotated[tuple[ClientNetwork, ...], Lenient, NotEmpty] | None = Field(
        default=None, description="Networks whose clients are let in (else 403). Without it: all."
    )
    cors: CorsSettings | None = Field(
        default=None, description="Which pages of other origins may call it from a browser."
    )
    request_headers: RequestHeadersSettings | None = Field(
        default=None, description="Headers set or removed on the way to the service."
    )
    response_headers: ResponseHeadersSettings | None = Field(
        default=None, description="Headers set or removed on the way back."
    )
    rate_limit: RateLimitSettings | None = Field(
        default=None, description="How often a client may ask (429), counted by each worker."
    )
    websocket: Truth = Field(
        default=False,
        description="A websocket handshake becomes a tunnel, which ends with its token (else 400).",
    )
    end_with_token: Truth = Field(
        default=False,
        description="An answer that is not complete when its token expires or is revoked is cut.",
    )
    max_body: SizeOrZero = size_field(_MAX_BODY_BYTES, "Largest request body (413).")
    forward_credential: Truth = Field(
        default=False, description="Send the credential on to the upstream."
    )
