"""The keys under ``issuers:``: others whose tokens are accepted too."""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from gateway.config.fields import VARIABLE, Lenient, NotEmpty, Text, Truth, as_list, refusal
from gateway.config.section import Section
from gateway.policy.key_urls import find_url_fault

_SOURCES: Final = ("jwks_url", "jwks_file", "discovery")
_HTTPS_CURE: Final = "write https://host/path; http only for 127.0.0.1, [::1] and localhost"


def _check_url(value: object) -> str:
    text = str(value) if isinstance(value, str) else ""
    fault = find_url_fault(text)
    if fault:
        # A user and a password in it are not quoted.
        raise refusal(fault.replace("{url}", "{value}"), _HTTPS_CURE)
    return text


# HS* is not among them: a secret that is published is none, and one that is not is no JWK Set's.
ForeignAlgorithm = Literal["ES256", "ES384", "RS256", "PS256", "EdDSA"]


def _check_asymmetric(value: object) -> object:
    if isinstance(value, str) and value.startswith("HS"):
        raise refusal(
            "{value} signs with a secret, which another issuer cannot publish",
            "name what it signs with: ES256, ES384, RS256, PS256 or EdDSA",
        )
    return value


class IssuerSettings(Section):
    """One other issuer; its keys come from exactly one of jwks_url, jwks_file and discovery."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [name]} for name in _SOURCES]}
    )

    issuer: Text = Field(description="Who issues them (iss), exactly as the tokens have it.")
    jwks_url: (
        Annotated[
            str,
            BeforeValidator(_check_url),
            WithJsonSchema({"type": "string", "pattern": r"^https?://|" + VARIABLE}),
        ]
        | None
    ) = Field(default=None, description="Where its JWK Set is read: https, or http on loopback.")
    jwks_file: Text | None = Field(
        default=None, description="A file with its JWK Set, read again when it changes."
    )
    discovery: Truth = Field(
        default=False,
        description="Find the JWK Set in the issuer's metadata (OpenID Connect, RFC 8414).",
    )
    audience: Annotated[
        tuple[Text, ...],
        Lenient,
        NotEmpty,
        BeforeValidator(as_list, json_schema_input_type=str | list[str]),
    ] = Field(description="Whom they are for (aud); a token must carry one of them.")
    algorithms: Annotated[
        tuple[Annotated[ForeignAlgorithm, BeforeValidator(_check_asymmetric)], ...],
        Lenient,
        NotEmpty,
        BeforeValidator(as_list, json_schema_input_type=ForeignAlgorithm | list[ForeignAlgorithm]),
    ] = Field(description="What they may be signed with.")

    @model_validator(mode="after")
    def _check_source(self) -> "IssuerSettings":
        named = [name for name in _SOURCES if getattr(self, name)]
        if len(named) != 1:
            raise refusal(
                "the keys of an issuer come from exactly one source",
                "write one of jwks_url, jwks_file and 'discovery: true'",
            )
        if self.discovery:
            fault = find_url_fault(self.issuer)
            if fault or "?" in self.issuer:
                raise refusal(
                    "metadata is found only below an issuer that is an https URL without a query",
                    "name jwks_url or jwks_file instead",
                    "issuer",
                )
        return self
