"""What to say about a key that does not belong where it stands."""

import difflib
from typing import Final

from pydantic import BaseModel

from gateway.config.admin_settings import AdminSettings
from gateway.config.issuer_settings import IssuerSettings
from gateway.config.nodes import Path, format_path
from gateway.config.route_settings import ClaimHeaderSettings, RequireSettings, RouteSettings
from gateway.config.schema import LimitsSettings, Settings, UserSettings
from gateway.config.tls_settings import TlsSettings, UpstreamTlsSettings
from gateway.config.token_settings import CredentialSettings, TokensSettings
from gateway.config.tracing_settings import TracingSettings
from gateway.config.upstream_settings import EndpointSettings, HealthSettings, UpstreamSettings

_ANY: Final = "*"  # any index, or any name that the file gives

_SECTIONS: Final[tuple[tuple[tuple[str, ...], type[BaseModel]], ...]] = (
    ((), Settings),
    (("admin",), AdminSettings),
    (("tls",), TlsSettings),
    (("tracing",), TracingSettings),
    (("limits",), LimitsSettings),
    (("tokens",), TokensSettings),
    (("issuers", _ANY), IssuerSettings),
    (("credentials", _ANY), CredentialSettings),
    (("claim_headers", _ANY), ClaimHeaderSettings),
    (("users", _ANY), UserSettings),
    (("upstreams", _ANY), UpstreamSettings),
    (("upstreams", _ANY, "endpoints", _ANY), EndpointSettings),
    (("upstreams", _ANY, "health"), HealthSettings),
    (("upstreams", _ANY, "tls"), UpstreamTlsSettings),
    (("routes", _ANY), RouteSettings),
    (("routes", _ANY, "require"), RequireSettings),
    (("routes", _ANY, "credentials", _ANY), CredentialSettings),
    (("routes", _ANY, "claim_headers", _ANY), ClaimHeaderSettings),
)


def find_cure(parent: Path, key: str) -> str:
    """Say what to do about the unknown *key* in the section at *parent*."""
    section = _section_at(parent)
    close = difflib.get_close_matches(key, section.model_fields, n=1)
    homes = [path for path, other in _SECTIONS if key in other.model_fields]
    if homes:
        home = homes[0]
        return f"it belongs under '{_format_home(home)}'" if home else "it belongs at the top level"
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known keys: {', '.join(sorted(section.model_fields))}"


def _section_at(parent: Path) -> type[BaseModel]:
    for path, section in _SECTIONS:
        if len(path) == len(parent) and all(
            step in (_ANY, here) for step, here in zip(path, parent, strict=True)
        ):
            return section
    raise KeyError(format_path(parent))


def _format_home(path: tuple[str, ...]) -> str:
    """Write a section's path with names for what the file chooses: ``upstreams.<name>``."""
    lists = ("users", "routes", "credentials", "issuers", "endpoints")
    parts = []
    for before, step in zip(("", *path), path, strict=False):
        if step != _ANY:
            parts.append(f".{step}")
        else:
            parts.append("[]" if before in lists else ".<name>")
    return "".join(parts).removeprefix(".")
