"""Requests that fail while everything changes: ``python -m bench.reloads``.

A gateway with two endpoints stands under a constant load of GETs with a token. Meanwhile its
configuration is reloaded (by the file's change, SIGHUP and the admin listener in turn), one of the
two endpoints is killed and started again, and its workers are ended one after the other. Nothing of
that may fail a request that is safe to repeat.

A request that has met the close of its kept connection, before any byte of an answer, is sent again
on a new one, as HTTP asks of clients; these are counted beside.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import yaml

from bench.rig import STOP_S, free_port
from tests.kit.client import LOST, Client
from tests.kit.gateway import GatewayProcess, configuration, mint

TRIES: Final = 3
DEADLINE_S: Final = 60.0
_WAYS: Final = ("the file", "SIGHUP", "the admin listener")


class Load:
    """Clients that never stop asking, and what became of their requests."""

    def __init__(self, port: int, connections: int, pause_s: float) -> None:
        self._port = port
        self._pause_s = pause_s
        self._ended = threading.Event()
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(connections)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        token = mint()
        with Client(self._port) as client:
            while not self._ended.wait(self._pause_s):
                self.counts["requests"] += 1
                failure = self._ask(client, token)
                if failure:
                    self.counts["failed"] += 1
                    self.failures.append(f"{time.strftime('%X')} {failure}")

    def _ask(self, client: Client, token: str) -> str:
        failure = ""
        for number in range(TRIES):
            self.counts["repeated"] += number > 0
            try:
                answer = client.ask("GET", "/p/x", token)
            except LOST as error:
                failure = f"no answer: {error!r}"
                continue
            return "" if answer.status == 200 else f"{answer.status} {answer.reason}"
        return failure

    def end(self) -> None:
        """Stop asking."""
        self._ended.set()
        for thread in self._threads:
            thread.join()


class Service:
    """One endpoint, as a process."""

    def __init__(self) -> None:
        self.port = free_port()
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "bench.service", str(self.port)]
        self._process = subprocess.Popen(command)
        _wait_until(self._answers)

    def _answers(self) -> bool:
        with Client(self.port) as client, suppress(*LOST):
            return client.ask("GET", "/health").status == 200
        return False

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait(STOP_S)


class House:
    """The gateway, its file and its two endpoints."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._folder = folder
        self._workers = workers
        self.services = Service(), Service()
        self.gateway = GatewayProcess(self._document(0), folder)

    def _document(self, number: int) -> dict[str, Any]:
        endpoints = [f"http://127.0.0.1:{each.port}" for each in self.services]
        health = {"path": "/health", "interval": "1s", "timeout": "1s"}
        upstream = {"endpoints": endpoints, "retries": 2, "health": health}
        upstream["connect_timeout"] = f"{2 + number % 2}s"  # so that it gets new connections
        document = configuration(
            1, upstream=upstream, workers=self._workers, admin={"listen": "127.0.0.1:0"}
        )
        document["routes"].append({"path": f"/n{number}", "upstream": "raw", "auth": "none"})
        return document

    def reload(self, number: int) -> None:
        """Change the file and have it taken over; return when it is in force."""
        way = _WAYS[number % len(_WAYS)]
        beside = self._folder / "new.yaml"
        document = self._document(number)
        before = self._told("reloaded ")
        beside.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
        beside.replace(self._folder / "routes.yaml")
        if way == "the admin listener":
            with Client(self.gateway.admin_port) as client:
                client.ask("POST", "/reload")
        elif way == "SIGHUP":
            os.kill(self.gateway.pid, signal.SIGHUP)
        _wait_until(lambda: self._told("reloaded ") > before)

    def _told(self, words: str) -> int:
        return sum(words in line for line in self.gateway.lines)

    def bounce(self, number: int) -> None:
        """Kill an endpoint, and start it again a while later."""
        self.services[1].kill()
        time.sleep(0.2 + number % 5 * 0.2)
        self.services[1].start()
        time.sleep(0.5)

    def replace_worker(self, number: int) -> None:
        """End a worker, and wait until there is another one in its place."""
        known = self.gateway.worker_pids()
        os.kill(known[number % len(known)], signal.SIGTERM)
        _wait_until(lambda: len(set(self.gateway.worker_pids()) - set(known)) > 0)
        time.sleep(2.0)  # it starts

    def close(self) -> None:
        """End everything."""
        self.gateway.stop()
        for service in self.services:
            service.kill()


def _wait_until(is_so: Callable[[], bool]) -> None:
    until_s = time.monotonic() + DEADLINE_S
    while not is_so():
        if time.monotonic() > until_s:
            sys.exit("something that was to happen has not happened")
        time.sleep(0.02)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do it, and print the table; the exit status says whether a request has failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.reloads", description=__doc__)
    parser.add_argument("--workers", type=int, default=2, help="of the gateway")
    parser.add_argument("--reloads", type=int, default=50)
    parser.add_argument("--restarts", type=int, default=20, help="of one of the two endpoints")
    parser.add_argument("--rounds", type=int, default=1, help="in which each worker is replaced")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--pause-ms", type=float, default=10.0, help="of a client, between two")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        house = House(Path(folder), options.workers)
        load = Load(house.gateway.port, options.connections, options.pause_ms / 1000)
        try:
            _run_phases(house, load, options)
        finally:
            load.end()
            house.close()
    print("\n".join(load.failures[:20]))
    return 1 if load.failures else 0


def _run_phases(house: House, load: Load, options: argparse.Namespace) -> None:
    replaced = options.rounds * options.workers if options.workers > 1 else 0
    print(f"{'phase':24}{'times':>8}{'seconds':>10}{'requests':>10}{'repeated':>10}{'failed':>8}")
    for name, act, times in (
        ("reloads", house.reload, options.reloads),
        ("restarts of an endpoint", house.bounce, options.restarts),
        ("workers replaced", house.replace_worker, replaced),
    ):
        load.counts.clear()
        begun_s = time.monotonic()
        for number in range(1, times + 1):
            act(number)
        took_s = time.monotonic() - begun_s
        counts = [load.counts[key] for key in ("requests", "repeated", "failed")]
        print(f"{name:24}{times:8}{took_s:10.1f}" + "{:10}{:10}{:8}".format(*counts), flush=True)


if __name__ == "__main__":
    sys.exit(main())
