"""The keys of what only some routes have."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from gateway.config.addresses import parse_address, parse_host_name
from gateway.config.fields import (
    VARIABLE,
    Count,
    Duration,
    Lenient,
    NotEmpty,
    Text,
    Truth,
    WholeSeconds,
    refusal,
)
from gateway.config.names import AnswerHeader, HeaderName, HeaderValue, Method, RequestHeader
from gateway.config.nodes import Path
from gateway.config.section import Section, time_field
from gateway.http1.names import fold

ANY: Final = "*"
_MAX_AGE_S: Final = 600  # Chrome and Safari keep it for as long; browsers' own default is 5 s

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.\-]*")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_ORIGIN_CURE: Final = "write it as browsers do: https://app.example.com"


def _check_origin(value: str) -> str:
    if value == ANY:
        return value
    if value == "null":
        raise refusal("any page can make itself the origin {value}", "name the page's own origin")
    scheme, separator, authority = value.lower().partition("://")
    host, _, port = authority.rpartition(":") if parse_address(authority) else (authority, "", "")
    if ANY in host:
        raise refusal("{value} stands for many origins", "name each of them")
    if not separator or _SCHEME.fullmatch(scheme) is None or parse_host_name(host) is None:
        raise refusal("{value} is not an origin", _ORIGIN_CURE)
    if port and port == _DEFAULT_PORTS.get(scheme):
        raise refusal("{value} names the port that browsers leave out", f"write {scheme}://{host}")
    return f"{scheme}://{authority}"


Origin = Annotated[
    Text,
    AfterValidator(_check_origin),
    WithJsonSchema({"type": "string", "pattern": r"^\*$|://|" + VARIABLE}),
]


class CorsSettings(Section):
    """Which pages of other origins may call a route, and what they may send and read."""

    origins: Annotated[tuple[Origin, ...], Lenient, NotEmpty] = Field(
        description='Origins of those pages: https://app.example.com; or only "*", which is all.'
    )
    methods: Annotated[tuple[Method, ...], Lenient, NotEmpty] | None = Field(
        default=None, description="What they may ask with. Without it: what the route takes."
    )
    headers: Annotated[tuple[HeaderName, ...], Lenient, NotEmpty] | None = Field(
        default=None,
        description="Request headers that they may send. Without it: Content-Type and those that "
        "a credential may sit in.",
    )
    expose_headers: Annotated[tuple[HeaderName, ...], Lenient, NotEmpty] | None = Field(
        default=None, description="Headers of answers that they may read, beside the usual ones."
    )
    credentials: Truth = Field(
        default=False, description="Let browsers add their cookies; not with every origin."
    )
    max_age: WholeSeconds = time_field(
        _MAX_AGE_S, "How long a browser may rely on the answer to a preflight."
    )

    @model_validator(mode="after")
    def _check_any(self) -> "CorsSettings":
        if ANY in self.origins and len(self.origins) > 1:
            raise refusal('"*" is every origin', "remove it, or the others", "origins")
        if ANY in self.origins and self.credentials:
            raise refusal(
                "with credentials every page that somebody visits could act in their name",
                "name the origins",
                "origins",
            )
        return self


class HeaderChangesSettings(Section):
    """What a route changes in a head; which names it may not touch depends on the direction."""

    set: dict[HeaderName, HeaderValue] = Field(
        default={}, description="Headers in place of whatever was sent under these names."
    )
    remove: Annotated[tuple[HeaderName, ...], Lenient] = Field(
        default=(), description="Headers that are not passed on."
    )

    def names(self) -> list[tuple[str, Path]]:
        """Return every name that is set or removed, and the path of where it stands."""
        places: list[tuple[str, Path]] = [(name, ("set", name)) for name in self.set]
        return places + [(name, ("remove", index)) for index, name in enumerate(self.remove)]

    @model_validator(mode="after")
    def _check_names(self) -> "HeaderChangesSettings":
        seen: dict[bytes, str] = {}
        for name, _ in self.names():
            folded = fold(name.encode("ascii"))
            if folded in seen:
                raise refusal(f"'{name}' stands here twice", "write it once, in one spelling")
            seen[folded] = name
        if not seen:
            raise refusal("nothing is set and nothing is removed", "add 'set' or 'remove'")
        return self


class RequestHeadersSettings(HeaderChangesSettings):
    """What a route changes in the headers of requests, before identity headers are set."""

    set: dict[RequestHeader, HeaderValue] = Field(
        default={}, description="Headers in place of whatever the client sent under these names."
    )
    remove: Annotated[tuple[RequestHeader, ...], Lenient] = Field(
        default=(), description="Headers of the client that the service does not get."
    )


class ResponseHeadersSettings(HeaderChangesSettings):
    """What a route changes in the headers of the service's answers."""

    set: dict[AnswerHeader, HeaderValue] = Field(
        default={}, description="Headers in place of whatever the service sent under these names."
    )
    remove: Annotated[tuple[AnswerHeader, ...], Lenient] = Field(
        default=(), description="Headers of the service that the client does not get."
    )


def _check_period(value: float) -> float:
    if value < 1:
        raise refusal("{value} is shorter than a second", "count over a second or longer: 1s")
    return value


class RateLimitSettings(Section):
    """How often a client may ask: on each worker, or with 'redis' on all of them together."""

    requests: Count = Field(description="How many requests may come at once, and in each period.")
    per: Annotated[Duration, AfterValidator(_check_period)] = Field(
        description="The period in which as many may come again: 1m."
    )
    key: Text = Field(
        description="What tells clients apart: address, or the path of a claim, such as sub. Where "
        "there is no such claim, the address does."
    )
    on_redis_failure: Literal["local", "refuse"] | None = Field(
        default=None,
        description="Where Redis cannot be asked: local (the default: each worker counts for "
        "itself) or refuse (503).",
    )
