"""One request to the control plane, as the data plane's bridge makes it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from gateway.control.app import build_control
from gateway.issuer.keys import SigningKey
from gateway.issuer.login import Login
from gateway.issuer.mint import Minter, TokenSettings
from gateway.issuer.passwords import PasswordChecker
from gateway.issuer.users import FileUsers, User
from gateway.policy.tokens import VerifiedToken
from tests.unit.issuer.fakes import NOW_S, CountingHasher, key_for

PASSWORD: Final = "canary-password"
REQUEST_ID: Final = "r-1"
JSON: Final = {"Content-Type": "application/json"}
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Control:
    """The app, and what the data plane would see of it."""

    app: Starlette
    hasher: CountingHasher
    state: dict[str, Any] = field(default_factory=dict)  # of the last request

    async def send(
        self, method: str, path: str, *, token: VerifiedToken | None = None, **more: Any
    ) -> httpx.Response:
        """Send one request and return its answer; errors that leave the app are raised."""
        self.state = {"token": token, "request_id": REQUEST_ID}

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
        return asyncio.run(self.send(method, path, **more))

    def log_in(self, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        """Send a body to ``/authenticate``; JSON unless the headers say otherwise."""
        return self.ask("POST", "/authenticate", content=body, headers=headers or JSON)


@contextmanager
def open_control(
    keys: Iterable[SigningKey] = (), *, threads: int = 2, waiting: int = 32
) -> Iterator[Control]:
    """Build the control plane of a gateway with one user, aymen."""
    hasher = CountingHasher()
    passwords = PasswordChecker(hasher, threads=threads, waiting=waiting)
    aymen = User(
        username="aymen", password_hash=hasher.hash(PASSWORD), roles=("customer",), scopes=("a:b",)
    )
    settings = TokenSettings(
        issuer="https://gw.test", audience=("gateway",), access_lifetime_s=1440
    )
    login = Login(FileUsers([aymen]), passwords, Minter(key_for("HS256"), settings))
    try:
        yield Control(build_control(login, keys, lambda: NOW_S), hasher)
    finally:
        passwords.close()


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
