"""A route as JSON, for those who run the gateway: what it asks for and where it leads."""

from typing import Any

from gateway.policy.model import Route
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
        "upstream": route.upstream.name,
        "endpoints": [str(endpoint) for endpoint in route.upstream.endpoints],
        "balance": route.upstream.balance.value,
        "strip_prefix": route.strip_prefix.decode("ascii"),
        "max_body_bytes": route.max_body_bytes,
        "claim_headers": {header.name: header.claim for header in route.headers.headers},
    }


def describe_requirement(require: Requirement) -> dict[str, Any]:
    """Return what a route demands beyond a verified token; what it does not name is left out."""
    named = {
        "roles": sorted(require.roles),
        "scopes": sorted(require.scopes),
        "claims": {path: list(wanted) for path, wanted in require.claims.items()},
    }
    return {kind: wanted for kind, wanted in named.items() if wanted}
