"""Proof, before anything is measured, that a contender does the work that it is measured at.

It is put in front of a service that keeps every request head, and is sent what must pass and what
must not. Who skips a check would win the race.
"""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from bench.contenders import PATH, UPSTREAM_PATH, Contender, Deployment
from bench.rig import RigError
from bench.tokens import SUBJECT, USERNAME, mint, mint_refused

ANSWER_S: Final = 5.0  # until a contender must have answered one request
_OK: Final = 200
_REFUSED: Final = (401, 403)

# What a client sends in the hope that the service believes it.
_SPOOFED: Final = {"X-User-Id": "root", "x-user-roles": "root", "X_User_Id": "root"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as the service received it."""

    target: str
    fields: list[tuple[str, str]]

    def values(self, name: str) -> list[str]:
        """Return the values of all fields of a name, in any spelling that a service may fold."""
        return [v for n, v in self.fields if n.lower().replace("_", "-") == name.lower()]


@contextmanager
def recorder() -> Iterator[tuple[int, list[Seen]]]:
    """Run a service in this process; yield its port and the requests that it has seen."""
    seen: list[Seen] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.append(Seen(self.path, list(self.headers.items())))
            self.send_response(_OK)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port, seen
        finally:
            server.shutdown()
            thread.join()


def check(contender: Contender, deployment: Deployment) -> None:
    """Check one contender.

    Raises:
        RigError: It let through what it must refuse, or the reverse, or the service saw other
            headers than it should.
    """
    signer = deployment.signer
    with recorder() as (port, seen), contender.deployed(deployment, port) as server:
        good = f"Bearer {mint(signer)}"
        for fields in ({}, _SPOOFED):
            _expect(contender, _get(server.port, {"Authorization": good, **fields}) == _OK, "200")
        _expect(contender, len(seen) == 2, "requests that reach the service")
        for request in seen:
            _expect(contender, request.target == UPSTREAM_PATH, f"target {UPSTREAM_PATH}")
            if contender.authenticates:
                _check_identity(contender, request)
        if contender.authenticates:
            _check_refusals(contender, deployment, server.port)
            _expect(contender, len(seen) == 2, "no refused request at the service")


def _check_identity(contender: Contender, request: Seen) -> None:
    _expect(contender, request.values("X-User-Id") == [SUBJECT], "X-User-Id from the token alone")
    _expect(contender, request.values("X-User-Name") == [USERNAME], "X-User-Name from the token")
    _expect(
        contender,
        request.values("X-User-Roles") == [contender.roles],
        "X-User-Roles from the token",
    )
    _expect(contender, not request.values("Authorization"), "no Authorization at the service")


def _check_refusals(contender: Contender, deployment: Deployment, port: int) -> None:
    _expect(contender, _get(port, {}) in _REFUSED, "401 without a token")
    for fault, token in mint_refused(deployment.signer).items():
        status = _get(port, {"Authorization": f"Bearer {token}"})
        _expect(contender, status in _REFUSED, f"401 for a token that is bad: {fault}")


def _get(port: int, fields: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)
    try:
        connection.request("GET", PATH, headers=fields)
        response = connection.getresponse()
        response.read()
    finally:
        connection.close()
    return response.status


def _expect(contender: Contender, holds: bool, what: str) -> None:  # noqa: FBT001 (the condition)
    if not holds:
        raise RigError(f"{contender.name} does not do its work: expected {what}")
