"""What only some routes have, compiled: each is None on a route whose settings do not name it."""

from dataclasses import replace

from gateway.config.route_settings import RouteSettings
from gateway.policy.model import Route
from gateway.policy.peers import AddressSet


def with_features(route: Route, settings: RouteSettings) -> Route:
    """Return *route* with the features that its settings name."""
    addresses = settings.address_allow
    return replace(route, addresses=AddressSet(addresses) if addresses else None)
