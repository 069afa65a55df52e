"""The gateway's own endpoints over real sockets: log in, refresh, log out, and ask a service."""

import json
from pathlib import Path
from typing import Any, Final, Self

import argon2

from tests.kit.gateway import GatewayProcess
from tests.kit.wire import Response, Wire

PASSWORD: Final = "canary-password"
_HASH: Final = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
JSON: Final = b"application/json"


def users(*names: str) -> list[dict[str, Any]]:
    """Return users for a configuration, all of one password."""
    return [{"username": name, "password_hash": _HASH, "roles": ["user"]} for name in names]


def store_url(folder: Path) -> str:
    """Return where a gateway that runs in *folder* keeps its store by default."""
    return f"sqlite:///{folder}/var/gateway.db"


def request(
    method: bytes, path: bytes, body: object = None, *, token: str = "", fields: bytes = b""
) -> bytes:
    """Return a request; a *body* that is not bytes goes as JSON, *fields* are whole lines."""
    lines = [b"%b %b HTTP/1.1\r\nHost: gw.test\r\n" % (method, path), fields]
    if token:
        lines.append(b"Authorization: Bearer %b\r\n" % token.encode("ascii"))
    data = b""
    if body is not None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode("ascii")
        if b"content-type:" not in fields.lower():
            lines.append(b"Content-Type: %b\r\n" % JSON)
        lines.append(b"Content-Length: %d\r\n" % len(data))
    return b"".join([*lines, b"\r\n", data])


def ask(
    gateway: GatewayProcess,
    method: bytes,
    path: bytes,
    body: object = None,
    *,
    token: str = "",
    fields: bytes = b"",
) -> Response:
    """Send one request on a connection of its own, which any of the workers may take."""
    with Wire(gateway.port) as wire:
        wire.send(request(method, path, body, token=token, fields=fields))
        return wire.read_response(method)


def try_login(gateway: GatewayProcess, username: str, password: str = PASSWORD) -> Response:
    """Log in, or be told why not."""
    return ask(gateway, b"POST", b"/authenticate", {"username": username, "password": password})


def log_in(gateway: GatewayProcess, username: str = "alice") -> dict[str, Any]:
    """Log in; it must work. Return what was answered."""
    response = try_login(gateway, username)
    assert response.status == 200, response.body
    granted: dict[str, Any] = response.json()
    return granted


def refresh(gateway: GatewayProcess, refresh_token: str) -> Response:
    """Ask for the next pair of tokens."""
    return ask(gateway, b"POST", b"/refresh", {"refresh_token": refresh_token})


def is_let_in(gateway: GatewayProcess, token: str) -> Response:
    """Ask the service behind ``/p``."""
    return ask(gateway, b"GET", b"/p/x", token=token)


class Everywhere:
    """Connections enough that each of the workers has some, whoever accepts.

    They are opened, and used once, before they are needed.
    """

    def __init__(self, gateway: GatewayProcess, count: int = 16) -> None:
        self._wires = [Wire(gateway.port) for _ in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for wire in self._wires:
            wire.close()

    def outcomes(self, token: str) -> set[tuple[int, str]]:
        """Send a token on each connection; return the different answers: status and reason."""
        for wire in self._wires:
            wire.send(request(b"GET", b"/p/x", token=token))
        responses = [wire.read_response() for wire in self._wires]
        return {(response.status, response.reason) for response in responses}
