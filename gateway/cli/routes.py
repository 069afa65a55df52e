"""``gateway routes``."""

from collections.abc import Collection
from typing import Any

from gateway.cli.loading import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    exit_on_config_errors,
    load,
)
from gateway.cli.output import print_json, print_rows
from gateway.config.fields import format_duration
from gateway.policy.describe import describe_route, describe_upstream
from gateway.policy.model import Auth

_HEADER = ("NAME", "HOSTS", "METHODS", "PATH", "AUTH", "REQUIRES", "UPSTREAM", "CLAIM HEADERS")
_UPSTREAM_HEADER = ("UPSTREAM", "ENDPOINTS", "BALANCE", "RETRIES", "HEALTH")


def routes(config: ConfigPath = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """List every route with what it asks for, where it leads and which claim headers it sets."""
    with exit_on_config_errors():
        snapshot = load(config).snapshot
    found = [describe_route(route) for route in snapshot.routes]
    if as_json:
        print_json(found)
        return
    print_rows([_row(route) for route in found], header=_HEADER)
    print()
    upstreams = [describe_upstream(upstream) for upstream in snapshot.upstreams]
    print_rows([_upstream_row(upstream) for upstream in upstreams], header=_UPSTREAM_HEADER)


def _row(route: dict[str, Any]) -> list[str]:
    return [
        route["name"],
        ",".join(route["hosts"]) or "*",
        ",".join(route["methods"]) or "*",
        route["path"],
        route["auth"],
        _requirement_text(route["require"], route.get("address_allow", ())) or "-",
        route["upstream"],
        ", ".join(_set_headers(route)) or "-",
    ]


def _upstream_row(upstream: dict[str, Any]) -> list[str]:
    endpoints = upstream["endpoints"]
    is_weighted = any(endpoint["weight"] != 1 for endpoint in endpoints)
    health = upstream.get("health")
    return [
        upstream["upstream"],
        ", ".join(
            f"{each['address']} (weight {each['weight']})" if is_weighted else each["address"]
            for each in endpoints
        ),
        upstream["balance"],
        str(upstream["retries"]),
        f"{health['path']} every {format_duration(health['interval_s'])}" if health else "-",
    ]


def _set_headers(route: dict[str, Any]) -> list[str]:
    """Return the identity headers that can be set; without a token there are none."""
    return [] if route["auth"] == Auth.NONE.value else list(route["claim_headers"])


def _requirement_text(require: dict[str, Any], networks: Collection[str]) -> str:
    parts = [f"from:{'|'.join(networks)}"] if networks else []
    if roles := require.get("roles"):
        parts.append(f"role:{'|'.join(roles)}")
    if scopes := require.get("scopes"):
        parts.append(f"scope:{'+'.join(scopes)}")
    for path, wanted in require.get("claims", {}).items():
        parts.append(f"{path}:{'|'.join(map(str, wanted))}")
    return " ".join(parts)
