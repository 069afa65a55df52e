"""The keys of an upstream: where it answers, how its endpoints share the load, who is well."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from gateway.config.addresses import EndpointUrl
from gateway.config.fields import VARIABLE_JSON, Count, Duration, Lenient, NotEmpty, refusal
from gateway.config.names import HostMode
from gateway.config.secrets import Expanded
from gateway.config.section import Section, time_field
from gateway.config.tls_settings import UpstreamTlsSettings
from gateway.policy.model import Endpoint, HealthCheck, Upstream

_MAX_WEIGHT: Final = 1000
_MAX_RETRIES: Final = 5
# A path and query as they are sent: visible ASCII, no fragment.
_CHECK_PATH: Final = re.compile(r"/[!-\"$-~]*")
_CHECK: Final = HealthCheck(path="/")
_UPSTREAM: Final = Upstream(name="", endpoints=(Endpoint("", 0),))


def _check_weight(value: int) -> int:
    if value > _MAX_WEIGHT:
        raise refusal("{value} is too much for a weight", f"write {_MAX_WEIGHT} or less")
    return value


class EndpointSettings(Section):
    """One address of an upstream, and its share of the requests."""

    url: EndpointUrl = Field(
        description="Where it answers: http://host:port, https://host:port or unix:/path."
    )
    weight: Annotated[Count, AfterValidator(_check_weight)] = Field(
        default=1, description="Its share of the requests, relative to the other endpoints'."
    )


def _url_or_mapping(value: object) -> object:
    return value if isinstance(value, dict) else {"url": value}


def _check_distinct(endpoints: tuple[EndpointSettings, ...]) -> tuple[EndpointSettings, ...]:
    seen = set()
    for endpoint in endpoints:
        if endpoint.url in seen:
            raise refusal(f"{endpoint.url} stands here twice", "give it a weight instead")
        seen.add(endpoint.url)
    return endpoints


def _parse_check_path(value: object) -> str:
    if not isinstance(value, str) or _CHECK_PATH.fullmatch(value) is None:
        raise refusal("{value} is not a path", "write the path to ask for, for example /health")
    return str(value)


class HealthSettings(Section):
    """How each worker asks each endpoint whether it is well."""

    path: Annotated[
        str, BeforeValidator(_parse_check_path), WithJsonSchema({"type": "string", "pattern": "^/"})
    ] = Field(description="What a GET asks for; an answer of 200 to 399 is healthy.")
    interval: Duration = time_field(_CHECK.interval_s, "From one check to the next.")
    timeout: Duration = time_field(_CHECK.timeout_s, "Longest wait for the answer to a check.")
    unhealthy_after: Count = Field(
        default=_CHECK.unhealthy_after,
        description="Failed checks in a row after which an endpoint gets no requests.",
    )
    healthy_after: Count = Field(
        default=_CHECK.healthy_after,
        description="Passed checks in a row after which it gets requests again.",
    )

    def compile(self) -> HealthCheck:
        """Return what the data plane needs of it."""
        return HealthCheck(
            path=self.path,
            interval_s=self.interval,
            timeout_s=self.timeout,
            unhealthy_after=self.unhealthy_after,
            healthy_after=self.healthy_after,
        )


def _parse_retries(value: object) -> int:
    if isinstance(value, Expanded) and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_RETRIES:
        raise refusal("{value} is not a number of retries", f"write 0 to {_MAX_RETRIES}")
    return value


class UpstreamSettings(Section):
    """A service behind the gateway."""

    endpoints: Annotated[
        tuple[
            Annotated[
                EndpointSettings,
                BeforeValidator(
                    _url_or_mapping, json_schema_input_type=EndpointUrl | EndpointSettings
                ),
            ],
            ...,
        ],
        Lenient,
        NotEmpty,
        AfterValidator(_check_distinct),
    ] = Field(
        description="Where it answers: http://host:port, https://host:port or unix:/path; or url "
        "and weight."
    )
    tls: UpstreamTlsSettings | None = Field(
        default=None,
        description="How https endpoints are known; without it, by the system's CAs and their "
        "host.",
    )
    balance: Literal["round_robin", "least_requests", "random"] = Field(
        default="round_robin",
        description="Which endpoint is next: take turns, the least busy, or the less busy of two "
        "that are drawn; all by their weights.",
    )
    retries: Annotated[
        int,
        BeforeValidator(_parse_retries),
        WithJsonSchema(
            {"anyOf": [{"type": "integer", "minimum": 0, "maximum": _MAX_RETRIES}, VARIABLE_JSON]}
        ),
    ] = Field(
        default=_UPSTREAM.retries,
        description="At how many other endpoints a request is tried that was not sent, or is safe "
        "to repeat.",
    )
    health: HealthSettings | None = Field(
        default=None, description="Checks of each endpoint; there are none without it."
    )
    connect_timeout: Duration = time_field(
        _UPSTREAM.connect_timeout_s, "Longest wait for a connection (504)."
    )
    response_timeout: Duration = time_field(
        _UPSTREAM.response_timeout_s, "Longest wait for the head of an answer (504)."
    )
    idle_timeout: Duration = time_field(
        _UPSTREAM.idle_timeout_s, "Longest pause within the body of an answer."
    )
    max_connections: Count = Field(
        default=_UPSTREAM.max_connections, description="Most connections per endpoint and worker."
    )
    host: HostMode = Field(
        default="preserve",
        description="The Host it is sent: preserve (the client's), upstream, or a literal.",
    )

    @model_validator(mode="after")
    def _check_schemes(self) -> "UpstreamSettings":
        secure = {endpoint.url.secure for endpoint in self.endpoints}
        if len(secure) > 1:  # a retry must not go from TLS to plain HTTP
            raise refusal(
                "requests would be protected to some endpoints, and not to the others",
                "write https:// for all of them, or make two upstreams",
                "endpoints",
            )
        if self.tls is not None and True not in secure:
            raise refusal("no endpoint speaks TLS", "write https://, or remove 'tls'", "tls")
        return self

    @model_validator(mode="after")
    def _check_room(self) -> "UpstreamSettings":
        if self.health is not None and self.health.timeout > self.health.interval:
            raise refusal(
                "a check would take longer than the interval between two",
                "write a timeout that is not longer than the interval",
                "health.timeout" if "timeout" in self.health.model_fields_set else "health",
            )
        return self
