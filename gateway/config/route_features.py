"""What only some routes have, compiled: each is None on a route whose settings do not name it."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from gateway.config.feature_settings import (
    ANY,
    CorsSettings,
    HeaderChangesSettings,
)
from gateway.config.nodes import Path
from gateway.config.placement import Placement
from gateway.config.route_settings import RouteSettings
from gateway.http1.names import fold
from gateway.policy.cors import PREFIX, Cors
from gateway.policy.model import Auth, FieldChanges, Route
from gateway.policy.peers import AddressSet
from gateway.policy.rate_limits import ADDRESS, LOCAL, RateLimit
from gateway.policy.rewriting import Rewrite, compile_rewrite

# Takes the fault, the cure and the path below the route.
Refuse: TypeAlias = Callable[[str, str, Path], None]


def with_features(
    route: Route, settings: RouteSettings, placement: Placement, refuse: Refuse
) -> Route:
    """Return *route* with the features that its settings name, and note what is wrong with them."""
    addresses = settings.address_allow
    _check_changes(settings, placement, refuse)
    _check_ends(route, settings, refuse)
    return replace(
        route,
        addresses=AddressSet(addresses) if addresses else None,
        cors=_cors(route, settings.cors, refuse) if settings.cors else None,
        rewrite=_rewrite(settings, refuse),
        response_timeout_s=settings.timeout,
        max_duration_s=settings.max_duration,
        websocket=settings.websocket,
        ends_with_token=settings.end_with_token,
        rate_limit=_rate_limit(settings, refuse),
        request_changes=_changes(settings.request_headers),
        answer_changes=_changes(settings.response_headers),
    )


def _check_ends(route: Route, settings: RouteSettings, refuse: Refuse) -> None:
    if settings.websocket and route.methods and b"GET" not in route.methods:
        fault = "a websocket begins with a GET, which the route does not take"
        refuse(fault, "add GET to the route's methods", ("websocket",))
    if settings.end_with_token and route.auth is Auth.NONE:
        fault = "with 'auth: none' there is no token to end with"
        refuse(fault, "remove it, or ask for a credential", ("end_with_token",))


def _rewrite(settings: RouteSettings, refuse: Refuse) -> Rewrite | None:
    if settings.rewrite is None:
        return None
    if settings.strip_prefix is not None:
        refuse("'strip_prefix' and 'rewrite' both make the path", "remove one", ("rewrite",))
    try:
        return compile_rewrite(settings.rewrite, settings.path)
    except KeyError as error:
        fault = f"the route's path has no {error.args[0]}"
        refuse(fault, f"add it to 'path', which is {settings.path}", ("rewrite",))
        return None


def _rate_limit(settings: RouteSettings, refuse: Refuse) -> RateLimit | None:
    limit = settings.rate_limit
    if limit is None:
        return None
    if settings.auth == "none" and limit.key != ADDRESS:
        fault = f"with 'auth: none' there is no token to read {limit.key} from"
        refuse(fault, "write 'key: address'", ("rate_limit", "key"))
    return RateLimit(limit.requests, limit.per, limit.key, limit.on_redis_failure or LOCAL)


def _check_changes(settings: RouteSettings, placement: Placement, refuse: Refuse) -> None:
    """A name has one owner: what claims, credentials or CORS set, no route changes besides."""
    changes = settings.request_headers
    for name, path in changes.names() if changes else ():
        folded = fold(name.encode("ascii"))
        if folded in placement.reserved:
            refuse(f"'{name}' is an identity header", "remove it", ("request_headers", *path))
        elif folded in placement.credential_headers:
            fault = f"a credential may sit in '{name}'"
            refuse(fault, "remove it", ("request_headers", *path))
    answers = settings.response_headers
    for name, path in answers.names() if answers and settings.cors else ():
        if name.lower().encode("ascii").startswith(PREFIX):
            refuse(f"'cors' sets '{name}'", "remove it", ("response_headers", *path))


def _changes(
    settings: HeaderChangesSettings | None,
) -> FieldChanges | None:
    if settings is None:
        return None
    return FieldChanges(
        frozenset(fold(name.encode("ascii")) for name, _ in settings.names()),
        tuple(f"{name}: {value}".encode("ascii") for name, value in settings.set.items()),
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
