"""The Starlette app of the admin listener: probes, reload, users, sessions, keys and revocations.

One table says what there is. What the app answers and what the data plane hands over to it are made
from that table, so that neither knows a path that the other does not.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from gateway.control.admin_api_keys import ApiKeyEndpoints
from gateway.control.admin_keys import KeyEndpoints
from gateway.control.admin_metrics import metrics_handler
from gateway.control.admin_probes import Readiness, livez, readyz_handler
from gateway.control.admin_reload import Reload, reload_handler
from gateway.control.admin_revocations import RevocationEndpoint
from gateway.control.admin_sessions import AllSessionEndpoints
from gateway.control.admin_users import UserEndpoints
from gateway.control.answers import Handler, json_answer
from gateway.control.app import build_app
from gateway.control.guard import Guard
from gateway.http1.names import NameTable
from gateway.issuer.api_keys import ApiKeys
from gateway.issuer.key_rotation import KeyKeeper
from gateway.issuer.revoker import Revoker
from gateway.issuer.sessions import Sessions
from gateway.issuer.user_admin import UserAdmin
from gateway.policy.model import ControlEndpoint, Snapshot
from gateway.policy.peers import TrustedProxies
from gateway.policy.routing import Router


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminServices:
    """What the endpoints act through."""

    users: UserAdmin
    sessions: Sessions
    api_keys: ApiKeys
    revoker: Revoker
    keeper: KeyKeeper | None  # None: the configuration has the key
    hash_password: Callable[[str], Awaitable[str]]  # as ``PasswordChecker.hash``
    readiness: Readiness
    routes: Callable[[], list[dict[str, Any]]]  # as they are now, described
    metrics: Callable[[], Awaitable[str]]  # the page for Prometheus
    reload: Reload
    clock: Callable[[], float]  # seconds since the epoch; ``gateway.process`` reads it
    guard: Guard


Row: TypeAlias = tuple[str, str, Callable[[AdminServices], Handler]]


def _users(services: AdminServices) -> UserEndpoints:
    return UserEndpoints(services.users, services.hash_password, services.clock)


def _sessions(services: AdminServices) -> AllSessionEndpoints:
    return AllSessionEndpoints(services.sessions, services.clock)


def _api_keys(services: AdminServices) -> ApiKeyEndpoints:
    return ApiKeyEndpoints(services.api_keys, services.clock)


def _keys(services: AdminServices) -> KeyEndpoints:
    return KeyEndpoints(services.keeper, services.clock)


def _revocations(services: AdminServices) -> RevocationEndpoint:
    return RevocationEndpoint(services.revoker, services.sessions, services.clock)


def _routes(services: AdminServices) -> Handler:
    async def routes(_: Request) -> Response:
        """``GET /routes``: every route with all that it inherits, as ``gateway routes --json``."""
        return json_answer({"routes": services.routes()})

    return routes


PROBES: Final[tuple[Row, ...]] = (
    ("GET", "/livez", lambda _: livez),
    ("GET", "/readyz", lambda services: readyz_handler(services.readiness)),
)
GUARDED: Final[tuple[Row, ...]] = (
    ("GET", "/metrics", lambda services: metrics_handler(services.metrics)),
    ("GET", "/routes", _routes),
    ("POST", "/reload", lambda services: reload_handler(services.reload)),
    ("GET", "/users", lambda services: _users(services).list_page),
    ("POST", "/users", lambda services: _users(services).add),
    ("GET", "/users/{id}", lambda services: _users(services).find),
    ("PATCH", "/users/{id}", lambda services: _users(services).change),
    ("DELETE", "/users/{id}", lambda services: _users(services).remove),
    ("POST", "/users/{id}/unlock", lambda services: _users(services).unlock),
    ("DELETE", "/users/{id}/sessions", lambda services: _sessions(services).end_all_of_user),
    ("GET", "/sessions", lambda services: _sessions(services).list_page),
    ("DELETE", "/sessions/{id}", lambda services: _sessions(services).end),
    ("GET", "/api-keys", lambda services: _api_keys(services).list_page),
    ("POST", "/api-keys", lambda services: _api_keys(services).create),
    ("DELETE", "/api-keys/{id}", lambda services: _api_keys(services).revoke),
    ("GET", "/keys", lambda services: _keys(services).list_all),
    ("POST", "/keys/rotate", lambda services: _keys(services).rotate),
    ("POST", "/revocations", lambda services: _revocations(services).add),
)

# For the data plane of the admin listener. No credential of a user is looked for there.
ADMIN_ENDPOINTS: Final[tuple[ControlEndpoint, ...]] = tuple(
    ControlEndpoint(path) for path in dict.fromkeys(path for _, path, _ in (*PROBES, *GUARDED))
)


def admin_snapshot(public: Snapshot) -> Snapshot:
    """Return what the data plane of the admin listener decides by: these endpoints, no route."""
    return replace(
        public,
        router=Router(),
        names=NameTable(credentials=[b"authorization"]),
        places=(),
        routes=(),
        upstreams=(),
        trusted_proxies=TrustedProxies(),
        endpoints=ADMIN_ENDPOINTS,
    )


def build_admin(services: AdminServices) -> Starlette:
    """Build the app."""
    protect = services.guard.protect
    return build_app(
        (
            *((method, path, make(services)) for method, path, make in PROBES),
            *((method, path, protect(make(services))) for method, path, make in GUARDED),
        )
    )
