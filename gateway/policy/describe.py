"""A route as JSON, for those who run the gateway: what it asks for and where it leads."""

from dataclasses import asdict
from typing import Any

from gateway.http1.names import fold
from gateway.policy.cors import Cors
from gateway.policy.model import FieldChanges, Route, Upstream
from gateway.policy.requirements import Requirement


def describe_route(route: Route) -> dict[str, Any]:
    """Return a route, with all that it inherits, as JSON can carry it."""
    return {
        "name": route.name,
        "hosts": list(route.hosts),
        "methods": sorted(method.decode("ascii") for method in route.methods),
        "path": route.path,
        "auth": route.auth.value,
        "require": describe_requirement(route.require),
        "credentials": [str(place) for place in route.places],
        **describe_upstream(route.upstream),
        "strip_prefix": route.strip_prefix.decode("ascii"),
        "max_body_bytes": route.max_body_bytes,
        **_describe_features(route),
        "claim_headers": {header.name: header.claim for header in route.headers.headers},
    }


def describe_upstream(upstream: Upstream) -> dict[str, Any]:
    """Return where requests go and how they are spread; without health checks, nothing of them."""
    described: dict[str, Any] = {
        "upstream": upstream.name,
        "endpoints": [
            {"address": str(endpoint), "weight": endpoint.weight} for endpoint in upstream.endpoints
        ],
        "balance": upstream.balance.value,
        "retries": upstream.retries,
    }
    if upstream.health is not None:
        described["health"] = asdict(upstream.health)
    return described


def _describe_features(route: Route) -> dict[str, Any]:
    """Return what only some routes have; what a route has not is left out."""
    features = _describe_lifetimes(route)
    if route.addresses is not None:
        features["address_allow"] = [str(network) for network in route.addresses.networks]
    if route.rewrite is not None:
        features["rewrite"] = route.rewrite.template
    if route.rate_limit is not None:
        features["rate_limit"] = asdict(route.rate_limit)
    if route.cors is not None:
        features["cors"] = describe_cors(route.cors)
    for key, changes in (
        ("request_headers", route.request_changes),
        ("response_headers", route.answer_changes),
    ):
        if changes is not None:
            features[key] = describe_changes(changes)
    return features


def _describe_lifetimes(route: Route) -> dict[str, Any]:
    """Return how long answers may take, and what may go on for as long as its token."""
    features: dict[str, Any] = {}
    if route.response_timeout_s is not None:
        features["response_timeout_s"] = route.response_timeout_s
    if route.max_duration_s is not None:
        features["max_duration_s"] = route.max_duration_s
    if route.websocket:
        features["websocket"] = True
    if route.ends_with_token:
        features["end_with_token"] = True
    return features


def describe_changes(changes: FieldChanges) -> dict[str, list[str]]:
    """Return the names that are set and removed; a value may be a secret of the service."""
    names = [line.partition(b":")[0] for line in changes.lines]
    removed = changes.removed - {fold(name) for name in names}
    return {
        "set": [name.decode("ascii") for name in names],
        "remove": sorted(name.decode("ascii") for name in removed),
    }


def describe_cors(cors: Cors) -> dict[str, Any]:
    """Return which pages may call a route; ``*`` is every origin."""
    origins = sorted(origin.decode("ascii") for origin in cors.origins)
    return {
        "origins": ["*"] if cors.any_origin else origins,
        "methods": [method.decode("ascii") for method in cors.methods],
        "headers": [name.decode("ascii") for name in cors.headers],
        "expose_headers": [name.decode("ascii") for name in cors.expose_headers],
        "credentials": cors.credentials,
        "max_age_s": cors.max_age_s,
    }


def describe_requirement(require: Requirement) -> dict[str, Any]:
    """Return what a route demands beyond a verified token; what it does not name is left out."""
    named = {
        "roles": sorted(require.roles),
        "scopes": sorted(require.scopes),
        "claims": {path: list(wanted) for path, wanted in require.claims.items()},
    }
    return {kind: wanted for kind, wanted in named.items() if wanted}
