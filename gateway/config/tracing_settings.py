"""The keys under ``tracing:``, for spans of OpenTelemetry."""

import importlib.util
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from gateway.config.fields import VARIABLE, Text, refusal, split_url
from gateway.config.secrets import Expanded
from gateway.config.section import Section

_PACKAGE: Final = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_URL_CURE: Final = "write http://host:4318 or https://host/path"


def _parse_otlp(value: object) -> str:
    text = str(value) if isinstance(value, str) else ""
    url = split_url(text, "http", "https")
    if url is None or not text.isascii() or not text.isprintable() or " " in text:
        raise refusal("this is not the URL of a collector", _URL_CURE)
    if "@" in url.netloc:
        # Not quoted; and a header is what collectors take.
        raise refusal(
            "the URL has a user or a password in it", "set OTEL_EXPORTER_OTLP_HEADERS instead"
        )
    if "?" in text or "#" in text:
        raise refusal("the URL of a collector has no query and no fragment", _URL_CURE)
    if _is_missing():
        raise refusal(
            "the packages of OpenTelemetry are not installed", "pip install 'auth-gateway[otel]'"
        )
    return text


def _is_missing() -> bool:
    try:
        return importlib.util.find_spec(_PACKAGE) is None
    except ModuleNotFoundError:  # of what it lies in
        return True


def _parse_share(value: object) -> float:
    if isinstance(value, Expanded):
        try:
            value = float(value)
        except ValueError:
            value = None
    # NaN is in no range.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise refusal("{value} is not a share", "write a number from 0 to 1 without quotes")
    return float(value)


class TracingSettings(Section):
    """Where spans go, and of how many requests."""

    otlp: Annotated[
        str,
        BeforeValidator(_parse_otlp),
        WithJsonSchema({"type": "string", "pattern": r"^https?://|" + VARIABLE}),
    ] = Field(description="The collector's OTLP over HTTP; /v1/traces is added.")
    sample: (
        Annotated[
            float,
            BeforeValidator(_parse_share),
            WithJsonSchema(
                {
                    "anyOf": [
                        {"type": "number", "minimum": 0, "maximum": 1},
                        {"type": "string", "pattern": VARIABLE},
                    ]
                }
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="Share of the requests that have a span, where no Traceparent says whether. "
        "Without it OTEL_TRACES_SAMPLER counts, or it is all.",
    )
    service_name: Text | None = Field(
        default=None,
        description="service.name of the spans. Without it OTEL_SERVICE_NAME counts, or it is "
        "auth-gateway.",
    )
