"""Clients that keep a connection and know which worker is at its other end."""

import http.client
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self

DEADLINE_S: Final = 60.0  # a worker that is to answer may have to start first
LOST: Final = (OSError, http.client.HTTPException)  # no answer, or half of one
_BURST: Final = 8  # connections made at once, so that no worker is alone in taking them


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    content: Mapping[str, Any] = field(repr=False)

    @property
    def reason(self) -> str:
        """Why it was refused; empty where it was not."""
        return str(self.content.get("reason", ""))

    @property
    def worker(self) -> str:
        """What the ids of one worker's requests begin with; empty where the answer has none."""
        return str(self.content.get("request_id", "")).partition("-")[0]

    @property
    def verdict(self) -> tuple[int, str]:
        """Status and reason."""
        return self.status, self.reason


class Client:
    """One connection, made at its first request and, where it was lost, anew at the next."""

    def __init__(self, port: int, *, deadline_s: float = DEADLINE_S) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=deadline_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(
        self, method: str, target: str, token: str = "", content: Mapping[str, Any] | None = None
    ) -> Answer:
        """Send a request and return its answer.

        Raises:
            LOST: There is none.
        """
        self.send(method, target, token, content)
        return self.read()

    def send(
        self, method: str, target: str, token: str = "", content: Mapping[str, Any] | None = None
    ) -> None:
        """Send a request; *token* is its bearer, *content* its JSON."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        body = None
        if content is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(content)
        try:
            self._connection.request(method, target, body, headers)
        except LOST:
            self.close()
            raise

    def read(self) -> Answer:
        """Return the answer to what was sent."""
        try:
            response = self._connection.getresponse()
            body = response.read()
        except LOST:
            self.close()
            raise
        return Answer(response.status, json.loads(body) if body else {})

    def find_worker(self) -> str:
        """Return who is at the other end; it stays so as long as the connection is kept."""
        return self.ask("GET", "/no-such-route").worker

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


@contextmanager
def connected_to_all(
    port: int, workers: int, *, each: int = 1
) -> Iterator[Mapping[str, list[Client]]]:
    """Give so many connections to each worker of a gateway, by worker; end them afterwards.

    Raises:
        AssertionError: So many workers do not serve, or one of them takes no connections.
    """
    found: dict[str, list[Client]] = defaultdict(list)
    with ExitStack() as clients:
        deadline_s = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline_s:
            burst = [clients.enter_context(Client(port)) for _ in range(_BURST)]
            for client in burst:
                client.send("GET", "/no-such-route")
            for client in burst:
                taken = found[client.read().worker]
                if len(taken) < each:
                    taken.append(client)
                else:
                    client.close()
            if len(found) == workers and all(len(taken) == each for taken in found.values()):
                break
        counts = {worker: len(taken) for worker, taken in found.items()}
        assert list(counts.values()) == [each] * workers, counts
        yield found
