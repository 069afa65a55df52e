"""One request to the control plane, as the data plane's bridge makes it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from gateway.control.admin_token import AdminToken
from gateway.control.app import ControlServices, build_control
from gateway.errors import Reason
from gateway.issuer.key_ring import KeyRing
from gateway.issuer.keys import SigningKey
from gateway.policy.claims import Claims
from gateway.policy.tokens import VerifiedToken
from gateway.store.migrate import open_store
from tests.kit.issuing import Issuing, issuing
from tests.unit.issuer.fakes import NOW_S, key_for

ADMIN_TOKEN: Final = "canary-admin-token-0123456789abcdef"
REQUEST_ID: Final = "r-1"
JSON: Final = {"Content-Type": "application/json"}
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class Control:
    """The app, what it acts on, and what the data plane would see of it."""

    app: Starlette

    def __init__(self, runner: asyncio.Runner, issuer: Issuing) -> None:
        self.run = runner.run
        self.issuer = issuer
        self.hasher = issuer.hasher
        self.now_s = NOW_S
        self.state: dict[str, Any] = {}  # of the last request
        self.introspected: dict[str, Claims] = {}  # the tokens that count
        self.fault: Exception | None = None  # of who is asked about them

    def introspect(self, token: str) -> Claims | None:
        """Stand in for the worker's verifier."""
        if self.fault is not None:
            raise self.fault
        return self.introspected.get(token)

    async def send(
        self,
        method: str,
        path: str,
        *,
        token: VerifiedToken | None = None,
        refused: Reason | None = None,
        **more: Any,
    ) -> httpx.Response:
        """Send one request and return its answer; errors that leave the app are raised.

        Args:
            method: Of the request.
            path: Of the request.
            token: What the data plane has verified.
            refused: Why it would have refused the token elsewhere.
            more: For httpx.
        """
        self.state = {"token": token, "refused": refused, "request_id": REQUEST_ID}

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] = self.state
            await self.app(scope, receive, send)

        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gw.test") as client:
            # Only what the test says: the client would add Accept-Encoding, User-Agent and others.
            client.headers.clear()
            return await client.request(method, path, **more)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send one request from a test that has no loop."""
        return self.run(self.send(method, path, **more))

    def log_in(self, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        """Send a body to ``/authenticate``; JSON unless the headers say otherwise."""
        return self.ask("POST", "/authenticate", content=body, headers=headers or JSON)


@contextmanager
def open_control(
    keys: Iterable[SigningKey] = (), *, threads: int = 2, waiting: int = 32
) -> Iterator[Control]:
    """Build the control plane of a gateway with one user, aymen, on a store of its own.

    Args:
        keys: What is published; the first one signs. None: a secret.
        threads: That hash passwords.
        waiting: How many logins may wait for those.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        runner = stack.enter_context(asyncio.Runner())
        store = runner.run(open_store(f"sqlite:///{folder}/gateway.db"))
        stack.callback(lambda: runner.run(store.close()))
        made = issuing(store, folder, threads=threads, waiting=waiting)
        issuer = runner.run(made.__aenter__())
        stack.callback(lambda: runner.run(made.__aexit__(None, None, None)))
        signing, *others = tuple(keys) or (key_for("HS256"),)
        ring = KeyRing(signing, tuple(others))
        control = Control(runner, issuer)
        services = ControlServices(
            login=issuer.login,
            granter=issuer.granter,
            sessions=issuer.sessions,
            keys=lambda: ring,
            introspect=control.introspect,
            issuer="https://gw.test",
            admin_token=AdminToken(ADMIN_TOKEN),
            clock=lambda: control.now_s,
        )
        control.app = build_control(services)
        yield control


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    """Yield a body in pieces, as it comes from a socket."""
    for chunk in chunks:
        yield chunk


def check_problem(response: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    """Check that an answer is the problem document of a reason, and return it (RFC 9457)."""
    assert (response.status_code, response.headers["content-type"]) == (
        status,
        "application/problem+json",
    )
    assert response.headers["cache-control"] == "no-store"
    document: dict[str, Any] = response.json()
    assert document["reason"] == reason
    assert document["status"] == status
    assert document["request_id"] == REQUEST_ID
    assert "canary" not in response.text
    return document
