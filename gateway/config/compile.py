"""From settings to the snapshot that requests are decided from.

What is checked here concerns several places of the file: names that refer to something, routes that
meet. All faults are collected. Nothing is read but the settings: keys come in as an argument.
"""

from collections.abc import Mapping
from dataclasses import replace
from secrets import token_bytes
from typing import Final

from gateway.config.issuers import NO_OTHERS, check_issuers, other_issuers
from gateway.config.load import Config, in_order
from gateway.config.names import STANDARD_METHODS
from gateway.config.nodes import Path
from gateway.config.paths import REST, is_wildcard, split_path
from gateway.config.placement import Placement, extend_plan, find_placement, narrow_places
from gateway.config.route_features import with_features
from gateway.config.route_settings import RequireSettings, RouteSettings
from gateway.config.schema import LimitsSettings
from gateway.config.secrets import ConfigWarning
from gateway.config.upstream_settings import UpstreamSettings
from gateway.config.users import check_users
from gateway.config.weakness import (
    find_hash_warnings,
    find_route_warnings,
    find_secret_warnings,
    find_store_warnings,
    find_upstream_warnings,
)
from gateway.errors import ConfigError
from gateway.policy.checked import CheckedCredentials
from gateway.policy.model import (
    CONTROL_ENDPOINTS,
    Auth,
    Balance,
    Limits,
    Route,
    Snapshot,
    Upstream,
    UpstreamTls,
    build_control_router,
)
from gateway.policy.peers import TrustedProxies
from gateway.policy.requirements import Requirement
from gateway.policy.routing import Pattern, Router, RouteTieError
from gateway.policy.signature import VerificationKey
from gateway.policy.tokens import Issuer, TokenVerifier

_MAC_KEY_BYTES: Final = 32
_CONTROL: Final = build_control_router(CONTROL_ENDPOINTS)


def compile_snapshot(
    config: Config,
    keys: tuple[VerificationKey, ...],
    others: Mapping[str, tuple[VerificationKey, ...]] = NO_OTHERS,
) -> Snapshot:
    """Compile a configuration.

    Args:
        config: What was read.
        keys: The keys that verify the gateway's own tokens.
        others: As ``make_verifier`` takes them.

    Raises:
        ConfigErrors: Something in it does not fit together; all faults that were found.
    """
    settings = config.settings
    placement = find_placement(config)
    compiler = _Compiler(config, placement)
    for index in range(len(settings.routes)):
        compiler.add_route(index)
    faults = [*compiler.faults, *placement.faults, *check_users(config), *check_issuers(config)]
    if faults:
        raise in_order(faults)
    methods = frozenset().union(*(route.methods for route in compiler.routes))
    return Snapshot(
        router=compiler.router,
        names=placement.names(keep_odd_names=settings.limits.odd_header_names == "keep"),
        verifier=make_verifier(config, keys, others),
        checked=CheckedCredentials(token_bytes(_MAC_KEY_BYTES)),
        places=placement.places,
        routes=tuple(compiler.routes),
        upstreams=tuple(compiler.upstreams.values()),
        methods=methods.union(method.encode("ascii") for method in STANDARD_METHODS),
        trusted_proxies=TrustedProxies(settings.trusted_proxies),
        limits=_limits(settings.limits),
    )


def make_verifier(
    config: Config,
    keys: tuple[VerificationKey, ...],
    others: Mapping[str, tuple[VerificationKey, ...]] = NO_OTHERS,
) -> TokenVerifier:
    """Return what verifies tokens; it remembers nothing of any before it.

    Args:
        config: The configuration.
        keys: Those of our own tokens.
        others: Those of other issuers, by name; where one has none, nobody can say of its tokens.
    """
    return TokenVerifier((_issuer(config, keys), *other_issuers(config, others)))


def find_warnings(config: Config, snapshot: Snapshot) -> list[ConfigWarning]:
    """Return what is allowed but probably not meant, in the order of the lines."""
    warnings = [
        *config.warnings,
        *find_secret_warnings(config),
        *find_store_warnings(config),
        *find_hash_warnings(config),
        *find_upstream_warnings(config),
        *find_route_warnings(config, snapshot),
    ]
    return sorted(warnings, key=lambda warning: warning.place.line)


class _Compiler:
    """Adds route after route; the next is looked at whatever is wrong with one."""

    def __init__(self, config: Config, placement: Placement) -> None:
        self.faults: list[ConfigError] = []
        self.router: Router[Route] = Router()
        self.routes: list[Route] = []
        self.upstreams = {
            name: _upstream(name, settings) for name, settings in config.settings.upstreams.items()
        }
        self._config = config
        self._placement = placement
        self._indices: dict[str, int] = {}  # by route name
        self._index_of: dict[Route, int] = {}

    def add_route(self, index: int) -> None:
        """Compile the route at *index* of the file, and note what is wrong with it."""
        settings = self._config.settings.routes[index]
        faults_before = len(self.faults)
        self._check_name(index, settings)
        self._check_path(index, settings)
        self._check_requirements(index, settings)
        self._check_redis(index, settings)
        places = narrow_places(self._config, self._placement, index)
        upstream = self.upstreams.get(settings.upstream)
        if upstream is None:
            known = ", ".join(self.upstreams) or "none yet"
            self._refuse(
                f"there is no upstream {self._config.document.quote('routes', index, 'upstream')}",
                f"add it to 'upstreams'; there are: {known}",
                ("routes", index, "upstream"),
            )
            return
        route = Route(
            name=settings.name or settings.path,
            path=settings.path,
            upstream=upstream,
            hosts=settings.hosts or (),
            methods=frozenset(method.encode("ascii") for method in settings.methods or ()),
            auth=Auth(settings.auth),
            require=_requirement(settings.require),
            places=places,
            headers=extend_plan(
                self._placement, settings.claim_headers, self._config.settings.claim_headers
            ),
            strip_prefix=(settings.strip_prefix or "").encode("ascii"),
            max_body_bytes=settings.max_body,
            forward_credential=settings.forward_credential,
        )
        route = with_features(
            route,
            settings,
            self._placement,
            lambda fault, cure, path: self._refuse(fault, cure, ("routes", index, *path)),
        )
        if len(self.faults) == faults_before:
            self._add(index, route)

    def _add(self, index: int, route: Route) -> None:
        hosts = tuple(host.encode("ascii") for host in route.hosts)
        pattern = Pattern(split_path(route.path), hosts, route.methods)
        self._index_of[route] = index
        try:
            self.router.add(pattern, route)
        except RouteTieError as error:
            other = error.other
            line = self._config.place("routes", self._index_of[other]).line  # type: ignore[index]
            self._refuse(
                f"this route takes the same requests as the one on line {line}",
                "tell them apart by path, hosts or methods, or remove one",
                ("routes", index, "path"),
            )
        self.routes.append(route)

    def _refuse(self, fault: str, cure: str, path: Path) -> None:
        self.faults.append(ConfigError(self._config.place(*path), fault, cure))

    def _check_name(self, index: int, settings: RouteSettings) -> None:
        if settings.name is None:
            return
        first = self._indices.setdefault(settings.name, index)
        if first != index:
            line = self._config.place("routes", first, "name").line
            self._refuse(
                f"the route on line {line} has this name too",
                "give each route a name of its own",
                ("routes", index, "name"),
            )

    def _check_path(self, index: int, settings: RouteSettings) -> None:
        segments = split_path(settings.path)
        # Asked like a path: "*" is matched by a wildcard only. What takes the rest takes more.
        hidden = None if REST in segments else _CONTROL.find(b"", list(segments))
        if hidden is not None and hidden.any_method is not None:
            self._refuse(
                f"this route hides {hidden.any_method.path}, which the gateway itself answers",
                "choose another path",
                ("routes", index, "path"),
            )
        prefix = split_path(settings.strip_prefix or "")
        literals = segments[: len(prefix)]
        if literals != prefix or any(map(is_wildcard, literals)):
            self._refuse(
                "the path does not begin with these literal segments",
                f"name a beginning of {self._config.document.quote('routes', index, 'path')}",
                ("routes", index, "strip_prefix"),
            )

    def _check_requirements(self, index: int, settings: RouteSettings) -> None:
        if settings.auth != "required" and settings.require is not None:
            self._refuse(
                f"with 'auth: {settings.auth}' a request without a token passes unchecked",
                f"remove 'auth: {settings.auth}', or remove 'require'",
                ("routes", index, "require"),
            )

    def _check_redis(self, index: int, settings: RouteSettings) -> None:
        limit = settings.rate_limit
        if limit and limit.on_redis_failure and self._config.settings.redis is None:
            self._refuse(
                "there is no Redis that could fail",
                "add 'redis' at the top level, or remove this key",
                ("routes", index, "rate_limit", "on_redis_failure"),
            )


def _requirement(settings: RequireSettings | None) -> Requirement:
    if settings is None:
        return Requirement()
    return Requirement(
        roles=frozenset(settings.roles or ()),
        scopes=frozenset(settings.scopes or ()),
        claims=settings.claims,
    )


def _upstream(name: str, settings: UpstreamSettings) -> Upstream:
    is_literal = settings.host not in ("preserve", "upstream")
    return Upstream(
        name=name,
        endpoints=tuple(replace(each.url, weight=each.weight) for each in settings.endpoints),
        balance=Balance(settings.balance),
        retries=settings.retries,
        health=settings.health.compile() if settings.health is not None else None,
        connect_timeout_s=settings.connect_timeout,
        response_timeout_s=settings.response_timeout,
        idle_timeout_s=settings.idle_timeout,
        max_connections=settings.max_connections,
        tls=settings.tls.compile() if settings.tls is not None else UpstreamTls(),
        host=settings.host.encode("ascii") if is_literal else None,
        host_from_endpoint=settings.host == "upstream",
    )


def _limits(settings: LimitsSettings) -> Limits:
    return Limits(
        head_bytes=settings.head,
        target_bytes=settings.target,
        fields=settings.fields,
        head_timeout_s=settings.head_timeout,
        idle_timeout_s=settings.idle_timeout,
        body_timeout_s=settings.body_timeout,
        write_timeout_s=settings.write_timeout,
        body_rate_bytes=settings.body_rate,
        tunnel_idle_timeout_s=settings.tunnel_idle_timeout,
        connections=settings.connections,
        connections_per_address=settings.connections_per_address,
        websockets_per_user=settings.websockets_per_user,
        upstream_wait_s=settings.upstream_wait,
        upstream_pending=settings.upstream_pending,
        upstream_head_bytes=settings.upstream_head,
        buffer_bytes=settings.buffer,
    )


def _issuer(config: Config, keys: tuple[VerificationKey, ...]) -> Issuer:
    tokens = config.settings.tokens
    return Issuer(
        name=tokens.issuer,
        audiences=frozenset(tokens.audience),
        keys=keys,
        leeway_s=tokens.leeway,
        max_lifetime_s=tokens.max_lifetime,
    )
