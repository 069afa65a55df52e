"""Another issuer, as far as a gateway sees it: a server on loopback with documents that can change.

An answer is a function, so that a server can also be slow, endless or wrong.
"""

import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from jwt.algorithms import get_default_algorithms

from tests.kit.tokens import SigningKey

DEADLINE_S: Final = 60.0
JWKS: Final = "/jwks.json"

Answer = Callable[[BaseHTTPRequestHandler], None]


def jwk_of(key: SigningKey, **changes: Any) -> dict[str, Any]:
    """Return the public JWK of *key*, as PyJWT and not we write it, with *changes*."""
    algorithm = get_default_algorithms()[key.algorithm]
    members: dict[str, Any] = algorithm.to_jwk(key.private.public_key(), as_dict=True)
    members.pop("key_ops", None)
    return members | {"kid": key.kid, "use": "sig", "alg": key.algorithm} | changes


def key_set(*keys: SigningKey | dict[str, Any]) -> bytes:
    """Return a JWK Set."""
    jwks = [key if isinstance(key, dict) else jwk_of(key) for key in keys]
    return json.dumps({"keys": jwks}).encode("utf-8")


def say(body: bytes, status: int = 200, **fields: str) -> Answer:
    """Return what answers with *body*; ``content_encoding`` becomes ``content-encoding``."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        for name, value in fields.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def stream(chunks: Sequence[bytes], between: Callable[[], object] = lambda: None) -> Answer:
    """Return what answers with *chunks* until the connection closes, and calls *between* them."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for chunk in chunks:
            request.wfile.write(chunk)
            request.wfile.flush()
            between()

    return answer


class KeyServer:
    """The server; what it has no answer for is 404."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self._asked: list[str] = []
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def origin(self) -> str:
        """The URL of the server, without a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def url(self, path: str = JWKS) -> str:
        """Return the URL of a path."""
        return self.origin + path

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for."""
        with self._changed:
            return list(self._asked)

    def wait_for(self, count: int) -> None:
        """Wait until so many requests have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._asked) >= count, DEADLINE_S)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with server._changed:
                    server._asked.append(self.path)
                    server._changed.notify_all()
                try:
                    server.answers.get(self.path, say(b"", 404))(self)
                except OSError:
                    self.close_connection = True  # whoever asked has gone

            def log_message(self, *_: object) -> None:
                pass

        return Handler
