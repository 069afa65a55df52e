"""One request to the admin API, as the data plane's bridge makes it."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from gateway.control.admin import AdminServices, build_admin
from gateway.control.admin_token import AdminToken
from gateway.control.guard import Guard, listener_names
from gateway.errors import ConfigError, ConfigErrors
from gateway.issuer.api_keys import NewApiKey
from gateway.issuer.grants import Grant
from gateway.issuer.key_rotation import KeyKeeper, KeyPolicy
from gateway.store.keys import KeyBox
from gateway.store.migrate import open_store
from gateway.store.tables import metadata
from gateway.store.users import StoredUser
from tests.kit.issuing import ACCESS_S, Issuing, issuing
from tests.unit.control.asking import ADMIN_TOKEN, JSON, REQUEST_ID
from tests.unit.issuer.fakes import NOW_S

BEARER: Final = f"Bearer {ADMIN_TOKEN}"
METRICS: Final = "gateway_workers 1\n"
ROUTES: Final = [{"name": "products", "path": "/api/**"}]
OWN_HOST: Final = "http://127.0.0.1:8081"


@dataclass
class Admin:
    """The app of the admin listener, and what it acts on."""

    runner: asyncio.Runner
    issuer: Issuing
    app: Starlette = field(init=False)
    now_s: float = NOW_S
    components: dict[str, str] = field(default_factory=lambda: {"configuration": "ok"})
    state: dict[str, Any] = field(default_factory=dict)  # of the last request
    reload_faults: list[ConfigError] = field(default_factory=list)  # what the next reload finds
    reload_is_done: bool = True  # by the time of its answer

    def ask(
        self,
        method: str,
        path: str,
        *,
        authorization: str | None = BEARER,
        base: str = OWN_HOST,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """Send one request and return its answer; errors that leave the app are raised."""
        own = {} if authorization is None else {"Authorization": authorization}
        return self.runner.run(self._send(method, base + path, {**own, **(headers or {})}, more))

    async def send(self, method: str, path: str, members: dict[str, Any]) -> httpx.Response:
        """Send the operator's JSON from a test that is in the loop."""
        headers = {"Authorization": BEARER, **JSON}
        return await self._send(method, OWN_HOST + path, headers, {"json": members})

    def add_user(self, username: str = "zoe") -> StoredUser:
        """Keep a user in the store."""
        return self.runner.run(self.issuer.add_user(username))

    def add_api_key(self, owner_id: str = "aymen", **more: Any) -> str:
        """Make an API key and return its id."""
        new = NewApiKey(owner_id=owner_id, **more)
        return self.runner.run(self.issuer.api_keys.create(new, self.now_s))[0].id

    def find_user(self, user_id: str) -> StoredUser | None:
        """Return a user of the store."""
        return self.runner.run(self.issuer.users.find(user_id))

    def log_in(self, username: str = "zoe", **more: Any) -> Grant:
        """Begin a session."""
        return self.runner.run(self.issuer.log_in(username, now_s=self.now_s, **more))

    def can_log_in(self, username: str = "zoe", **more: Any) -> bool:
        """Whether a login begins a session now."""
        attempt = self.issuer.try_login(username, now_s=self.now_s, **more)
        return isinstance(self.runner.run(attempt), Grant)

    async def reload(self) -> bool:
        """Stand in for the reload of a worker."""
        if self.reload_faults:
            raise ConfigErrors(self.reload_faults)
        return self.reload_is_done

    def content(self) -> dict[str, list[Any]]:
        """Return all that the store holds."""
        return self.runner.run(self._content())

    async def _send(
        self, method: str, url: str, headers: dict[str, str], more: dict[str, Any]
    ) -> httpx.Response:
        self.state = {"token": None, "request_id": REQUEST_ID}

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] = self.state
            await self.app(scope, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            # Only what the test says: the client would add Accept-Encoding, User-Agent and others.
            client.headers.clear()
            return await client.request(method, url, headers=headers, **more)

    async def _content(self) -> dict[str, list[Any]]:
        async with self.issuer.store.read() as tx:
            return {
                table.name: list(await tx.rows(select(table).order_by(*table.primary_key)))
                for table in metadata.sorted_tables
            }


async def _metrics() -> str:
    return METRICS


@contextmanager
def open_admin(
    *,
    token: str | None = ADMIN_TOKEN,
    keeps_keys: bool = True,
    threads: int = 2,
    waiting: int = 32,
) -> Iterator[Admin]:
    """Build the admin API of a gateway with a user of the file, aymen, on a store of its own.

    Args:
        token: The operator's; None for a listener on loopback that asks for none.
        keeps_keys: Whether the keys are in the store.
        threads: That hash passwords.
        waiting: How many hashes may wait for those.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        runner = stack.enter_context(asyncio.Runner())
        store = runner.run(open_store(f"sqlite:///{folder}/gateway.db"))
        stack.callback(lambda: runner.run(store.close()))
        made = issuing(store, folder, threads=threads, waiting=waiting)
        issuer = runner.run(made.__aenter__())
        stack.callback(lambda: runner.run(made.__aexit__(None, None, None)))
        keeper = KeyKeeper(store, KeyBox(), KeyPolicy(algorithm="ES256", token_lifetime_s=ACCESS_S))
        admin = Admin(runner, issuer)
        if keeps_keys:
            runner.run(keeper.open(NOW_S))
        admin.app = build_admin(
            AdminServices(
                users=issuer.users,
                sessions=issuer.sessions,
                api_keys=issuer.api_keys,
                revoker=issuer.revoker,
                keeper=keeper if keeps_keys else None,
                hash_password=issuer.passwords.hash,
                readiness=lambda: admin.components,
                routes=lambda: ROUTES,
                metrics=_metrics,
                reload=admin.reload,
                clock=lambda: admin.now_s,
                guard=Guard(AdminToken(token), listener_names(["127.0.0.1"])),
            )
        )
        yield admin
