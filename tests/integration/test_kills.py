"""THREATS.md A10, DESIGN.md section 8, guarantee 5: what was answered outlives ``kill -9``.

Clients log in, refresh and log out; whoever gets no answer asks again at once. Meanwhile workers,
or the gateway with all of them, are killed a moment after one of the three was sent.

``GATEWAY_TEST_KILLS=100`` kills as often, on both databases together, as issue 3 asks for.
"""

import logging
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import argon2
import pytest

from tests.kit.client import LOST, Answer, Client, connected_to_all
from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.stores import postgres_server, postgres_url, sqlite_url, store_url
from tests.kit.tally import Tally

__all__ = ["postgres_server", "postgres_url", "sqlite_url", "store_url"]

KILLS: Final = int(os.environ.get("GATEWAY_TEST_KILLS", "5"))
GATEWAY_KILLS: Final = (2, 4)  # of each five; the others are of a worker
WORKERS: Final = 2
VISITORS: Final = 4
REFRESHES: Final = 16  # of one session, at most
GRACE_S: Final = 10.0  # of a spent refresh token; a loaded machine may need longer to start anew
LATEST_KILL_S: Final = {"/authenticate": 0.3, "/refresh": 0.02, "/logout": 0.02}  # after it is sent
WAIT_S: Final = 1.0  # before a client that was sent away comes again
SEEN_AGAIN: Final = 20  # of what was logged out last, after each restart

GOOD: Final = (200, "")
REVOKED: Final = (401, "token_revoked")
PASSWORD: Final = "canary-password"

log = logging.getLogger(__name__)


class TooLateError(Exception):
    """The gateway was away for longer than a spent refresh token lives on."""


class Stage:
    """The gateway, which comes and goes, and what its clients have been answered."""

    def __init__(self) -> None:
        self.is_over = threading.Event()
        self.ended: list[str] = []  # tokens of sessions whose logout was answered
        self.seen: Counter[str] = Counter()
        self._port = 0
        self._changed = threading.Condition()

    def appear(self, port: int) -> None:
        """Tell the clients where the gateway is; 0 is nowhere."""
        with self._changed:
            self._port = port
            self._changed.notify_all()

    def find(self) -> int:
        """Return where the gateway is, once it is somewhere."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._port, 90)
            return self._port

    def note(self, what: str) -> None:
        """Count something that happened."""
        with self._changed:
            self.seen[what] += 1
            self._changed.notify_all()

    def await_next(self, what: str) -> None:
        """Wait until it happens once more."""
        with self._changed:
            before = self.seen[what]
            assert self._changed.wait_for(lambda: self.seen[what] > before, 90), what


@dataclass(slots=True)
class Pair:
    """What a client has in hand."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)


class Visitor:
    """A client that behaves: one request after the other, each until it is answered."""

    def __init__(self, stage: Stage, name: str) -> None:
        self._stage = stage
        self._name = name
        self._choose = random.Random(name)
        self._port = 0
        self._client: Client | None = None

    def live(self) -> Pair | None:
        """Have one session after the other; return what is in hand at the end."""
        try:
            while True:
                pair = None
                with suppress(TooLateError):
                    pair = self._stay()
                if pair is not None or self._stage.is_over.is_set():
                    return pair
        finally:
            self._leave()

    def _stay(self) -> Pair | None:
        """Have one session; return what is in hand where it was not ended."""
        login = {"username": self._name, "password": PASSWORD}
        pair = _pair_of(self._insist("POST", "/authenticate", content=login))
        granted = [pair.access]
        for _ in range(self._choose.randrange(REFRESHES)):
            assert self._insist("GET", "/p", pair.access).verdict == GOOD
            if self._stage.is_over.is_set():
                return pair
            pair = self._refresh(pair.refresh)
            granted.append(pair.access)
        assert self._insist("POST", "/logout", self._choose.choice(granted)).status == 204
        self._stage.ended.extend(granted)
        assert self._insist("GET", "/p", pair.access).verdict == REVOKED
        after = self._insist("POST", "/refresh", content={"refresh_token": pair.refresh})
        assert after.verdict == (401, "refresh_invalid")
        return None

    def _refresh(self, token: str) -> Pair:
        begun_s = time.monotonic()
        answer = self._insist("POST", "/refresh", content={"refresh_token": token})
        if answer.reason == "refresh_reused" and time.monotonic() - begun_s > GRACE_S:
            self._stage.note("too late")
            raise TooLateError
        return _pair_of(answer)

    def _insist(
        self, method: str, target: str, token: str = "", content: Mapping[str, Any] | None = None
    ) -> Answer:
        """Ask until there is an answer; one that says to ask again later is none."""
        while True:
            try:
                client = self._connect()
                client.send(method, target, token, content)
                self._stage.note(target)
                answer = client.read()
            except LOST:
                self._leave()
                self._stage.note(f"lost {target}")
                continue
            self._stage.note("answered")
            if answer.reason not in ("store_unavailable", "login_throttled"):
                return answer
            # A login that was killed counts as failed, and some in a row cost a wait.
            self._stage.note(answer.reason)
            self._stage.is_over.wait(WAIT_S)

    def _connect(self) -> Client:
        port = self._stage.find()
        if self._client is None or port != self._port:
            self._leave()
            self._client, self._port = Client(port), port
        return self._client

    def _leave(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _pair_of(answer: Answer) -> Pair:
    assert answer.verdict == GOOD
    return Pair(answer.content["token"], answer.content["refresh_token"])


class Killer:
    """Starts the gateway, kills it or a part of it, and looks at what is left."""

    def __init__(self, stage: Stage, document: dict[str, Any], folder: Path) -> None:
        self._stage = stage
        self._document = document
        self._folder = folder
        self._choose = random.Random(3)
        self._gateway: GatewayProcess | None = None

    def start(self) -> None:
        """Start the gateway, and look whether it knows what it knew before."""
        self._gateway = GatewayProcess(self._document, self._folder)
        self.check_ended(self._stage.ended[-SEEN_AGAIN:])
        self._stage.appear(self._gateway.port)

    def kill_worker(self) -> None:
        """Kill one worker; clients may have to wait for the next, if it was the last one."""
        assert self._gateway is not None
        self._stage.note("worker killed")
        if pids := self._gateway.worker_pids():
            with suppress(ProcessLookupError):
                os.kill(self._choose.choice(pids), signal.SIGKILL)

    def kill_gateway(self) -> None:
        """Kill everything, and start it again."""
        assert self._gateway is not None
        gateway, self._gateway = self._gateway, None
        self._stage.appear(0)
        self._stage.note("gateway killed")
        gateway.kill()
        self.start()

    def strike(self, number: int) -> None:
        """Kill something a moment after the next login, refresh or logout was sent."""
        target = tuple(LATEST_KILL_S)[number % len(LATEST_KILL_S)]
        self._stage.await_next(target)
        time.sleep(self._choose.uniform(0, LATEST_KILL_S[target]))
        if number % 5 in GATEWAY_KILLS:
            self.kill_gateway()
        else:
            self.kill_worker()
        self._stage.await_next("answered")

    def check_ended(self, tokens: list[str]) -> None:
        """Fail where a worker takes a token whose logout was answered."""
        assert self._gateway is not None
        with connected_to_all(self._gateway.port, WORKERS) as clients:
            for (client,) in clients.values():
                verdicts = [client.ask("GET", "/p", token).verdict for token in tokens]
                assert verdicts == [REVOKED] * len(tokens)

    def stop(self) -> None:
        """End the gateway in good order, unless it is not there."""
        if self._gateway is not None:
            self._gateway.stop()


@pytest.fixture
def service() -> Iterator[Tally]:
    """The service behind the gateway."""
    with Tally() as tally:
        yield tally


@pytest.mark.timeout(180 + 15 * KILLS)
def test_what_was_answered_outlives_kills(service: Tally, store_url: str, tmp_path: Path) -> None:
    """SES-01, SES-03, SES-08: no session lost, no logout forgotten, no family ended by mistake."""
    names = [f"visitor{number}" for number in range(VISITORS)]
    hashed = argon2.PasswordHasher().hash(PASSWORD)
    users = [{"username": name, "password_hash": hashed, "roles": ["user"]} for name in names]
    document = configuration(service.port, store=store_url, workers=WORKERS, users=users)
    document["tokens"] |= {"access_lifetime": "12h"}  # many kills take long
    stage = Stage()
    killer = Killer(stage, document, tmp_path / "gateway")
    try:
        with ThreadPoolExecutor(VISITORS) as threads:
            killer.start()
            lives = [threads.submit(Visitor(stage, name).live) for name in names]
            try:
                for number in range(KILLS):
                    killer.strike(number)
                    for life in lives:
                        if life.done():
                            life.result()  # raises what it found wrong
            finally:
                stage.is_over.set()
            pairs = [pair for life in lives if (pair := life.result()) is not None]
        log.info("%s", dict(stage.seen))  # --log-cli-level=INFO shows it
        killer.check_ended(stage.ended)
        with Client(stage.find()) as client:
            for pair in pairs:
                assert client.ask("GET", "/p", pair.access).verdict == GOOD
                _pair_of(client.ask("POST", "/refresh", content={"refresh_token": pair.refresh}))
    finally:
        killer.stop()
    assert stage.seen["store_unavailable"] == 0
