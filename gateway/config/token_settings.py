"""The keys under ``tokens:`` and ``credentials:``."""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from gateway.config.fields import (
    Lenient,
    NotEmpty,
    Text,
    WholeSeconds,
    WholeSecondsOrZero,
    as_list,
    format_duration,
    refusal,
)
from gateway.config.names import (
    AttributeName,
    ClaimName,
    CookieName,
    CredentialHeader,
    ParameterName,
    Scheme,
)
from gateway.config.secret_values import PrivateKeyPem, Secret
from gateway.config.section import Section, time_field
from gateway.policy.signature import MIN_SECRET_BYTES

_ACCESS_LIFETIME_S: Final = 24 * 60
_REFRESH_LIFETIME_S: Final = 30 * 86400
_SESSION_LIFETIME_S: Final = 90 * 86400
_LEEWAY_S: Final = 30


class TokensSettings(Section):
    """The tokens that this gateway issues and accepts."""

    issuer: Text = Field(description="Who issues them (iss): as a rule the gateway's public URL.")
    audience: Annotated[
        tuple[Text, ...],
        Lenient,
        NotEmpty,
        BeforeValidator(as_list, json_schema_input_type=str | list[str]),
    ] = Field(description="Whom they are for (aud); a token must carry one of them.")
    algorithm: Literal["ES256", "ES384", "RS256", "PS256", "EdDSA", "HS256", "HS384", "HS512"] = (
        Field(default="ES256", description="What they are signed with.")
    )
    secret: Secret | None = Field(
        default=None,
        description="The shared secret, HS* only: 32, 48 or 64 bytes or more for HS256, 384, 512.",
    )
    signing_key: PrivateKeyPem | None = Field(
        default=None,
        description="The private key in PEM, not for HS*; without it one is made, in the store.",
    )
    access_lifetime: WholeSeconds = time_field(
        _ACCESS_LIFETIME_S, "How long an access token counts."
    )
    refresh_lifetime: WholeSeconds = time_field(
        _REFRESH_LIFETIME_S, "How long a refresh token counts: a session that is not used ends."
    )
    session_lifetime: WholeSeconds = time_field(
        _SESSION_LIFETIME_S, "How long a session lasts, however often it is refreshed."
    )
    leeway: WholeSecondsOrZero = time_field(_LEEWAY_S, "How far clocks may differ.")
    max_lifetime: WholeSeconds | None = Field(
        default=None, description="Refuse tokens whose exp is further from their iat than this."
    )
    claims: dict[ClaimName, AttributeName] = Field(
        default={},
        description="Claims beyond the standard ones, each from an attribute: user.<attribute>.",
    )

    @model_validator(mode="after")
    def _check_keys(self) -> "TokensSettings":
        least = MIN_SECRET_BYTES.get(self.algorithm)
        if least is None:
            if self.secret is not None:
                raise refusal(
                    f"{self.algorithm} has no shared secret", "remove it, or use HS256", "secret"
                )
            return self
        if self.signing_key is not None:
            raise refusal(
                f"{self.algorithm} signs with a secret", "remove 'signing_key'", "signing_key"
            )
        if self.secret is None:
            raise refusal(
                f"{self.algorithm} needs a secret", "add 'secret: ${GATEWAY_SECRET}'", "algorithm"
            )
        size = len(self.secret.get_secret_value().encode("utf-8"))
        if size < least:
            raise refusal(
                f"the secret has {size} bytes; {self.algorithm} needs {least} (RFC 7518 3.2)",
                f"make one: openssl rand -base64 {least}",
                "secret",
            )
        return self

    @model_validator(mode="after")
    def _check_lifetimes(self) -> "TokensSettings":
        if self.max_lifetime is not None and self.access_lifetime > self.max_lifetime:
            raise refusal(
                "the gateway's own tokens live longer than max_lifetime",
                "lower access_lifetime, or raise max_lifetime",
                "max_lifetime",
            )
        for name in ("refresh_lifetime", "access_lifetime"):
            lifetime_s = getattr(self, name)
            if lifetime_s > self.session_lifetime:
                shown = format_duration(lifetime_s), format_duration(self.session_lifetime)
                written = name if name in self.model_fields_set else "session_lifetime"
                raise refusal(
                    f"{name} ({shown[0]}) is longer than session_lifetime ({shown[1]})",
                    f"lower {name}, or raise session_lifetime",
                    written,
                )
        return self


class CredentialSettings(Section):
    """One place where a credential may sit; exactly one of header, cookie and query."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [name]} for name in ("header", "cookie", "query")],
            "dependentRequired": {"scheme": ["header"]},
        }
    )

    header: CredentialHeader | None = Field(default=None, description="The name of a header.")
    scheme: Scheme | None = Field(
        default=None,
        description="The scheme before the token; without it the value is the raw token.",
    )
    kind: Literal["token", "api_key"] = Field(
        default="token",
        description="What is there; with the scheme Basic it is a username and a password.",
    )
    cookie: CookieName | None = Field(default=None, description="The name of a cookie.")
    query: ParameterName | None = Field(
        default=None, description="The name of a query parameter; such tokens end up in logs."
    )

    @model_validator(mode="after")
    def _check_one_place(self) -> "CredentialSettings":
        if [self.header, self.cookie, self.query].count(None) != 2:  # noqa: PLR2004 (all but one)
            raise refusal(
                "a credential has exactly one place",
                "write {header: ...}, {cookie: ...} or {query: ...}",
            )
        if self.scheme is not None and self.header is None:
            raise refusal("only a header has a scheme", "remove 'scheme'", "scheme")
        if self.kind != "token" and (self.scheme or "").lower() == "basic":
            raise refusal("Basic holds a username and a password", "remove 'kind'", "kind")
        return self
