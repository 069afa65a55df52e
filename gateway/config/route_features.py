"""What only some routes have, compiled: each is None on a route whose settings do not name it."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from gateway.config.feature_settings import ANY, CorsSettings
from gateway.config.nodes import Path
from gateway.config.route_settings import RouteSettings
from gateway.policy.cors import Cors
from gateway.policy.model import Route
from gateway.policy.peers import AddressSet

# Takes the fault, the cure and the path below the route.
Refuse: TypeAlias = Callable[[str, str, Path], None]


def with_features(route: Route, settings: RouteSettings, refuse: Refuse) -> Route:
    """Return *route* with the features that its settings name, and note what is wrong with them."""
    addresses = settings.address_allow
    return replace(
        route,
        addresses=AddressSet(addresses) if addresses else None,
        cors=_cors(route, settings.cors, refuse) if settings.cors else None,
    )


def _cors(route: Route, settings: CorsSettings, refuse: Refuse) -> Cors:
    taken = route.methods | ({b"HEAD"} if b"GET" in route.methods else set())
    for position, method in enumerate(settings.methods or ()):
        if taken and method.encode("ascii") not in taken:
            cure = "remove it, or add it to the route's methods"
            refuse(f"the route does not take {method}", cure, ("cors", "methods", position))
    any_origin = ANY in settings.origins
    fields = {"content-type": b"Content-Type"}
    fields |= {p.name.decode("ascii"): p.name for p in route.places if p.in_header}
    return Cors(
        origins=frozenset() if any_origin else frozenset(_encoded(settings.origins)),
        any_origin=any_origin,
        methods=_encoded(settings.methods or ()),
        headers=_encoded(settings.headers) if settings.headers else tuple(fields.values()),
        expose_headers=_encoded(settings.expose_headers or ()),
        credentials=settings.credentials,
        max_age_s=settings.max_age,
    )


def _encoded(texts: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(text.encode("ascii") for text in texts)
