"""A changed configuration file: taken over under load, by one worker and by several, or refused."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import argon2
import pytest
import yaml

from tests.conftest import StartGateway
from tests.kit.client import LOST, Client
from tests.kit.gateway import DEADLINE_S, GatewayProcess, configuration, mint, write_configuration
from tests.kit.script import read_body, send, wait_for
from tests.kit.upstream import Upstream

DONE: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n" + b'{"done":true}'
REFUSED: Final = "not reloaded, the old configuration stays"
LOADERS: Final = 4
RELOADS: Final = int(os.environ.get("GATEWAY_TEST_RELOADS", "6"))
PAUSE_S: Final = 0.002  # of a loader, so that whoever asks for reloads has its turn here too
TRIES: Final = 3  # of a request that has met the close of its connection: what clients do
NEW_ROUTE: Final = {"path": "/new/**", "upstream": "raw", "auth": "none"}


class House:
    """A gateway with an admin listener, and its file."""

    def __init__(self, start: StartGateway, upstream: Upstream, **changes: Any) -> None:
        self._port = upstream.port
        own = {"admin": {"listen": "127.0.0.1:0"}, "reload_on_change": False}
        self._fixed = own | changes
        self.gateway = start(self.document(), is_measured=True)

    def document(self, **changes: Any) -> dict[str, Any]:
        """Return the configuration, changed."""
        return configuration(self._port, **self._fixed | changes)

    def write(self, **changes: Any) -> None:
        """Write the file anew."""
        text = yaml.safe_dump(self.document(**changes), sort_keys=False)
        beside = self.gateway.folder / "new.yaml"
        beside.write_text(text, "utf-8")
        beside.replace(self.gateway.folder / "routes.yaml")

    def hang_up(self) -> None:
        """Ask for a reload as systemd does."""
        os.kill(self.gateway.pid, signal.SIGHUP)

    def ask_admin(self) -> tuple[int, Mapping[str, Any]]:
        """Ask for a reload as an operator does."""
        with Client(self.gateway.admin_port) as client:
            answer = client.ask("POST", "/reload")
        return answer.status, answer.content

    def count(self, words: str) -> int:
        """Return in how many lines the gateway has said *words*."""
        return sum(words in line for line in self.gateway.lines)


def with_new_route(**changes: Any) -> dict[str, Any]:
    """Return the change that adds a route."""
    return {"routes": [*configuration(1)["routes"], NEW_ROUTE], **changes}


def wait_until(is_so: Callable[[], bool]) -> None:
    """Look until it is so."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@pytest.fixture
def house(start_gateway: StartGateway, own_upstream: Upstream) -> House:
    """A gateway with one worker."""
    return House(start_gateway, own_upstream)


def test_an_open_connection_sees_the_new_routes(house: House) -> None:
    """After SIGHUP, and after the answer of the admin listener; it is never closed."""
    with Client(house.gateway.port) as client:
        assert client.ask("GET", "/new").status == 404
        worker = client.find_worker()
        house.write(**with_new_route())
        house.hang_up()
        house.gateway.wait_for_line("reloaded ")
        assert client.ask("GET", "/new").status == 200
        house.write()
        assert house.ask_admin() == (200, {"status": "reloaded"})
        assert client.ask("GET", "/new").status == 404
        assert client.ask("GET", "/p", mint()).status == 200
        assert client.find_worker() == worker
    with Client(house.gateway.admin_port) as admin:
        routes = admin.ask("GET", "/routes").content["routes"]
    assert NEW_ROUTE["path"] not in [route["path"] for route in routes]


def test_a_request_goes_on_as_it_began(house: House, own_upstream: Upstream) -> None:
    """Though its route, its upstream and its pool are no more."""
    released = threading.Event()
    own_upstream.play(read_body, wait_for(released), send(DONE))
    with Client(house.gateway.port) as client:
        client.send("GET", "/public")
        own_upstream.wait_for_requests(1)
        house.write(upstreams={}, routes=[])
        assert house.ask_admin()[0] == 200
        released.set()
        assert client.read().content == {"done": True}
        assert client.ask("GET", "/public").status == 404


def test_users_and_tokens_of_the_file_change_too(house: House) -> None:
    """Who is new logs in; what their tokens say is what the new file says; who has gone, cannot."""
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    user = {
        "username": "zoe",
        "password_hash": weak.hash("right"),
        "attributes": {"plan": "gold"},
    }
    login = {"username": "zoe", "password": "right"}
    with Client(house.gateway.port) as client:
        assert client.ask("POST", "/authenticate", content=login).status == 401
        tokens = house.document()["tokens"] | {
            "claims": {"plan": "user.plan"},
            "access_lifetime": "77s",
        }
        house.write(users=[user], tokens=tokens)
        assert house.ask_admin()[0] == 200
        granted = client.ask("POST", "/authenticate", content=login).content
        assert granted["expires_in"] == 77
        claims = client.ask("GET", "/whoami", str(granted["token"])).content
        assert claims["plan"] == "gold"
        house.write()
        assert house.ask_admin()[0] == 200
        assert client.ask("POST", "/authenticate", content=login).status == 401


def test_a_bad_file_changes_nothing_and_says_why(house: House) -> None:
    """Every fault with its line, in the answer and on standard error."""
    house.write(routes=[{"path": "/x", "upstream": "nowhere"}], workers=2)
    status, problem = house.ask_admin()
    assert (status, problem["reason"]) == (409, "reload_failed")
    found = {error["path"]: error for error in problem["errors"]}
    assert sorted(found) == ["routes[0].upstream", "workers"]
    assert all(error["line"] and error["cure"] for error in found.values())
    house.hang_up()
    house.gateway.wait_for_line(REFUSED)
    house.gateway.wait_for_line("a reload cannot change 'workers'")
    with Client(house.gateway.port) as client:
        assert client.ask("GET", "/p", mint()).status == 200


def get(client: Client, tries: int) -> str:
    """Send one GET, again where its connection was closed; return what failed, or nothing."""
    failure = ""
    for _ in range(tries):
        try:
            status = client.ask("GET", "/p", mint()).status
        except LOST as error:
            failure = repr(error)
        else:
            return "" if status == 200 else str(status)
    return failure


@contextmanager
def load(gateway: GatewayProcess, tries: int) -> Iterator[list[str]]:
    """Send GETs all the time; gives the list of those that failed."""
    failures: list[str] = []
    busy: set[int] = set()
    ending = threading.Event()

    def send_all(index: int) -> None:
        with Client(gateway.port) as client:
            while not ending.is_set():
                failures.extend(filter(None, [get(client, tries)]))
                busy.add(index)
                ending.wait(PAUSE_S)

    threads = [threading.Thread(target=send_all, args=(index,)) for index in range(LOADERS)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(busy) == LOADERS)
        yield failures
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def test_reloads_under_load_lose_nothing(house: House) -> None:
    """Not one request, though half of the reloads give the upstream new connections.

    ``GATEWAY_TEST_RELOADS=50`` reloads as often as issue 4 asks for.
    """
    with load(house.gateway, tries=1) as failures:
        for number in range(RELOADS):
            house.write(upstream={"connect_timeout": f"{5 + number // 2}s"})
            assert house.ask_admin()[0] == 200
    assert failures == []


def test_a_bad_file_under_load_costs_nothing(house: House) -> None:
    """OPS-07: the old configuration goes on, and not one request fails."""
    with load(house.gateway, tries=1) as failures:
        for _ in range(3):
            house.write(routes=[], workers=2)
            assert house.ask_admin()[0] == 409
    assert failures == []


def test_signals_without_pause_lose_nothing(house: House) -> None:
    """They become few reloads, the last of which has seen the last file."""
    with load(house.gateway, tries=1) as failures:
        for _ in range(50):
            house.hang_up()
        house.write(**with_new_route())
        house.hang_up()
        with Client(house.gateway.port) as client:
            wait_until(lambda: client.ask("GET", "/new").status == 200)
    assert failures == []


@pytest.fixture
def several(start_gateway: StartGateway, own_upstream: Upstream) -> House:
    """A gateway with two workers."""
    return House(start_gateway, own_upstream, workers=2)


def test_workers_are_replaced_under_load_and_lose_nothing(several: House) -> None:
    """By the operator and by SIGHUP; a client repeats what met the close of its connection."""
    with load(several.gateway, tries=TRIES) as failures:
        for number in range(3):
            known = set(several.gateway.worker_pids())
            several.write(**(with_new_route() if number % 2 == 0 else {}))
            if number < 2:
                assert several.ask_admin() == (202, {"status": "reloading"})
            else:
                several.hang_up()
            wait_until(lambda: several.count("reloaded ") == number + 1)  # noqa: B023
            expected = 200 if number % 2 == 0 else 404
            wait_until(lambda: not known & set(several.gateway.worker_pids()))  # noqa: B023
            for _ in range(8):
                with Client(several.gateway.port) as client:
                    assert client.ask("GET", "/new").status == expected
    assert failures == []


def test_several_workers_stay_as_they_are_where_the_file_is_bad(several: House) -> None:
    """The one that is asked tells the faults; their parent tells them after SIGHUP."""
    known = several.gateway.worker_pids()
    several.write(workers=3)
    status, problem = several.ask_admin()
    assert (status, problem["errors"][0]["path"]) == (409, "workers")
    several.hang_up()
    several.gateway.wait_for_line(REFUSED)
    assert several.gateway.worker_pids() == known


def test_a_successor_that_cannot_start_replaces_nobody(
    tmp_path: Path, own_upstream: Upstream
) -> None:
    """The workers that serve go on, with the old configuration."""
    gateway = GatewayProcess(configuration(own_upstream.port, workers=2), tmp_path)
    known = gateway.worker_pids()
    for directory in tmp_path.glob("var/run-*"):
        shutil.rmtree(directory)
    document = configuration(own_upstream.port, workers=2, **with_new_route())
    write_configuration(tmp_path, document)
    os.kill(gateway.pid, signal.SIGHUP)
    gateway.wait_for_line("reloaded by 0 of 2 workers only")
    assert gateway.worker_pids() == known
    with Client(gateway.port) as client:
        assert client.ask("GET", "/new").status == 404
        assert client.ask("GET", "/public").status == 200
    with pytest.raises(AssertionError, match="the revocations cannot be opened"):
        gateway.kill()  # starlette prints a traceback around it


def test_a_long_answer_does_not_hold_up_a_reload(several: House, own_upstream: Upstream) -> None:
    """Nor the end of the gateway after it; what was begun is finished."""
    released = threading.Event()
    own_upstream.play(read_body, wait_for(released), send(DONE))
    with Client(several.gateway.port) as client:
        client.send("GET", "/public")
        own_upstream.wait_for_requests(1)
        several.write(**with_new_route())
        several.hang_up()
        several.gateway.wait_for_line("reloaded ")
        several.gateway.terminate()
        released.set()
        assert client.read().content == {"done": True}


def test_who_is_replaced_is_not_taken_for_the_end(several: House, own_upstream: Upstream) -> None:
    """Probes ask those that go on, though one that was replaced still finishes an answer."""
    released = threading.Event()
    own_upstream.play(read_body, wait_for(released), send(DONE))
    with Client(several.gateway.port) as client:
        client.send("GET", "/public")
        own_upstream.wait_for_requests(1)
        several.hang_up()
        several.gateway.wait_for_line("reloaded ")
        for _ in range(20):
            with Client(several.gateway.admin_port) as admin:
                assert admin.ask("GET", "/readyz").status == 200
        released.set()
        assert client.read().content == {"done": True}
