"""DESIGN.md section 8, guarantee 3: once a logout has been answered, no worker forwards its token.

What a request has in its target is whether its token's logout had been answered before it was sent;
so one look at what the service was asked for shows all that should not have come.

``GATEWAY_TEST_LOGOUTS=1000`` logs out as often as issue 3 asks for; it takes a minute or two.
"""

import os
import random
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from typing import Final

import pytest

from tests.conftest import StartGateway
from tests.kit.client import Client, connected_to_all
from tests.kit.gateway import configuration, mint
from tests.kit.stores import postgres_server, postgres_url, sqlite_url, store_url
from tests.kit.tally import Tally

__all__ = ["postgres_server", "postgres_url", "sqlite_url", "store_url"]

WORKERS: Final = 4
LOGOUTS: Final = int(os.environ.get("GATEWAY_TEST_LOGOUTS", "150"))
LOADERS_EACH: Final = 2  # connections to each worker that ask without pause
AROUND: Final = 6  # they ask for tokens that were, are, and are to be logged out

GOOD: Final = (200, "")
REVOKED: Final = (401, "token_revoked")


class Course:
    """How far the logouts are: all tokens below a number."""

    def __init__(self) -> None:
        self.tokens = [mint(sid=f"s{number}", jti=f"t{number}") for number in range(LOGOUTS)]
        self.begun = 0
        self.answered = 0  # read before a request is sent, it says what its answer must be
        self.is_over = threading.Event()
        self.wrong: list[object] = []
        self.verdicts: Counter[tuple[str, tuple[int, str]]] = Counter()  # by worker

    def target(self, number: int) -> str:
        """Return what to ask for with a token now."""
        return f"/p/{'after' if number < self.answered else 'before'}/{number}"

    def load(self, worker: str, client: Client, seed: int) -> None:
        """Ask for tokens near those that are being logged out, until all are."""
        choose = random.Random(seed)
        while not self.is_over.is_set():
            number = choose.randrange(self.answered - AROUND, self.answered + AROUND)
            number = min(max(number, 0), LOGOUTS - 1)
            target = self.target(number)
            verdict = client.ask("GET", target, self.tokens[number]).verdict
            may_be = {GOOD, REVOKED}
            if "after" in target:
                may_be = {REVOKED}
            elif number >= self.begun:
                may_be = {GOOD}
            if verdict not in may_be:
                self.wrong.append((worker, target, verdict))
            self.verdicts[worker, verdict] += 1


@contextmanager
def _loaded(course: Course, loaders: Mapping[str, list[Client]]) -> Iterator[None]:
    threads = [
        threading.Thread(target=course.load, args=(worker, client, seed))
        for worker, clients in loaders.items()
        for seed, client in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        course.is_over.set()
        for thread in threads:
            thread.join()


@pytest.fixture
def service() -> Iterator[Tally]:
    """The service behind the gateway."""
    with Tally() as tally:
        yield tally


@pytest.mark.timeout(300)
def test_no_worker_forwards_what_was_logged_out(
    start_gateway: StartGateway, service: Tally, store_url: str
) -> None:
    """CACHE-05, SES-08: 1,000 logouts under load; once answered, every worker is asked."""
    gateway = start_gateway(configuration(service.port, store=store_url, workers=WORKERS))
    course = Course()
    with connected_to_all(gateway.port, WORKERS, each=LOADERS_EACH + 2) as clients:
        askers = [taken[0] for taken in clients.values()]
        leavers = cycle([taken[1] for taken in clients.values()])
        with _loaded(course, {worker: taken[2:] for worker, taken in clients.items()}):
            for number, leaver in zip(range(LOGOUTS), leavers, strict=False):
                token = course.tokens[number]
                course.begun = number + 1
                assert leaver.ask("POST", "/logout", token).status == 204
                course.answered = number + 1
                for asker in askers:
                    asker.send("GET", course.target(number), token)
                assert [asker.read().verdict for asker in askers] == [REVOKED] * WORKERS
        for asker in askers:
            verdicts = {asker.ask("GET", "/p/after", token).verdict for token in course.tokens}
            assert verdicts == {REVOKED}

    assert course.wrong == []
    assert {verdict for _, verdict in course.verdicts} == {GOOD, REVOKED}
    assert len(course.verdicts) == 2 * WORKERS, "some worker had nothing to forward or to refuse"
    assert [target for target in service.targets if "after" in target] == []
