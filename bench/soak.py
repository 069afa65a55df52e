"""What grows under a mixed load: ``python -m bench.soak --minutes 10``.

A gateway with one worker is asked for everything at once, at a low rate: small GETs, bodies of
1 MiB to the service, logins, refreshes and logouts, cold tokens, refused requests, clients that
leave in the middle, and a reload every few seconds. Seen from outside, memory, file descriptors,
threads and tasks must at the end be where they were after the first minute.
"""

import argparse
import json
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any, Final

import yaml

from bench.reloads import Service
from bench.rig import memory_bytes
from tests.kit.client import LOST, Client
from tests.kit.endpoints import PASSWORD, users
from tests.kit.gateway import GatewayProcess, configuration, mint
from tests.kit.wire import Wire

SAMPLE_S: Final = 5.0
LOOK_S: Final = 0.1
SLACK: Final = {"MiB": 8.0, "descriptors": 12.0, "threads": 4.0, "tasks": 12.0}
_BODY: Final = {"fill": "x" * 2**20}


class Soak:
    """The actors, and what they met."""

    def __init__(self, folder: Path, service: Service) -> None:
        self._folder = folder
        self._service = service
        self.gateway = GatewayProcess(self._document(0), folder)
        self.port = self.gateway.port
        self.ended = threading.Event()
        self.counts: Counter[str] = Counter()

    def _document(self, number: int) -> dict[str, Any]:
        document = configuration(
            self._service.port, admin={"listen": "127.0.0.1:0"}, users=users("alice")
        )
        document["routes"].append({"path": f"/n{number}", "upstream": "raw", "auth": "none"})
        return document

    def ask(
        self,
        *statuses: int,
        target: str = "/p/x",
        token: str = "",
        content: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """Send one request on a connection of its own; count it by whether it went as it should."""
        method = "GET" if content is None else "POST"
        with Client(self.port) as client:
            answer = client.ask(method, target, token, content)
        self.counts["good" if answer.status in statuses else f"{target}: {answer.status}"] += 1
        return answer.content

    def act(self, number: int) -> None:
        """Do one of everything."""
        self.ask(200, token=mint(jti=f"cold {number}"))
        self.ask(401)
        self.ask(401, token=mint(expires_in_s=-3600))
        self.ask(404, target="/nowhere")
        self.ask(200, token=mint(), content=_BODY)
        login = {"username": "alice", "password": PASSWORD}
        granted = self.ask(200, target="/authenticate", content=login)
        spent = {"refresh_token": granted.get("refresh_token")}
        granted = self.ask(200, target="/refresh", content=spent)
        self.ask(204, target="/logout", token=str(granted.get("token")), content={})
        for half in (
            b"GET /p HTT",
            b"POST /public HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1",
        ):
            with socket.create_connection(("127.0.0.1", self.port)) as client:
                client.sendall(half)

    def run(self, index: int, pause_s: float) -> None:
        """Act until the end."""
        number = 0
        while not self.ended.wait(pause_s):
            number += 1
            with suppress(*LOST):
                self.act(number * 100 + index)

    def reload(self) -> None:
        """Change the file again and again."""
        number = 0
        while not self.ended.wait(7.0):
            number += 1
            text = yaml.safe_dump(self._document(number), sort_keys=False)
            (self._folder / "new.yaml").write_text(text, "utf-8")
            (self._folder / "new.yaml").replace(self._folder / "routes.yaml")

    def sample(self) -> dict[str, float]:
        """Look at the gateway from outside, at its memory for ``SAMPLE_S``."""
        pid = self.gateway.pid
        least_bytes = min(memory_bytes(pid, "VmRSS") for _ in _ticks(SAMPLE_S))
        with Wire(self.gateway.admin_port) as wire:
            wire.send(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            page = wire.read_response().body.decode()
        lines = dict(line.rsplit(" ", 1) for line in page.splitlines() if line[:1] != "#")
        return {
            "MiB": least_bytes / 2**20,
            "descriptors": self.gateway.descriptor_count(),
            "threads": len(list(Path(f"/proc/{pid}/task").iterdir())),
            "tasks": float(lines["gateway_tasks"]),
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Do it, and print a line a minute; the exit status says whether something grew."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--actors", type=int, default=4)
    parser.add_argument("--pause-ms", type=float, default=200.0, help="of an actor")
    options = parser.parse_args(arguments)
    service = Service()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            soak = Soak(Path(folder), service)
            pause_s = options.pause_ms / 1000
            threads = [threading.Thread(target=soak.reload)] + [
                threading.Thread(target=soak.run, args=(index, pause_s))
                for index in range(options.actors)
            ]
            for thread in threads:
                thread.start()
            try:
                samples = _watch(soak, options.minutes * 60)
            finally:
                soak.ended.set()
                for thread in threads:
                    thread.join()
                soak.gateway.stop()
    finally:
        service.kill()
    print(json.dumps(soak.counts))
    return _judge(samples)


def _watch(soak: Soak, length_s: float) -> list[dict[str, float]]:
    samples: list[dict[str, float]] = []
    begun_s = time.monotonic()
    print(f"{'minute':>8}" + "".join(f"{name:>14}" for name in SLACK))
    while time.monotonic() - begun_s < length_s:
        samples.append(soak.sample())
        if len(samples) % 12 == 0:
            last = samples[-12:]
            least = [min(each[name] for each in last) for name in SLACK]
            values = "".join(f"{value:14.1f}" for value in least)
            print(f"{len(samples) // 12:8}{values}", flush=True)
    return samples


def _ticks(length_s: float) -> Iterator[None]:
    """Give a moment now and then, for so long."""
    end_s = time.monotonic() + length_s
    while time.monotonic() < end_s:
        time.sleep(LOOK_S)
        yield


def _judge(samples: list[dict[str, float]]) -> int:
    """Compare the minute after the first minute with the last one.

    Of memory the least counts, looked for often: each password that is hashed takes 64 MiB for a
    moment.
    """
    early, late = samples[12:24] or samples[:1], samples[-12:]
    grown = 0
    for name, slack in SLACK.items():
        typical = min if name == "MiB" else median
        before, after = (typical(each[name] for each in part) for part in (early, late))
        verdict = "grew" if after - before > slack else "stays"
        grown += verdict == "grew"
        print(f"{name:12}{before:10.1f} -> {after:8.1f}  {verdict}")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
