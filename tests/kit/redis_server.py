"""A real Redis of the tests' own, which can be frozen, spoiled and restarted."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Final, Self

import pytest
import redis

from tests.kit.frozen import freeze

DEADLINE_S: Final = 30.0
PASSWORD: Final = "a-password-of-the-tests"


class RedisServer:
    """One server on a port of 127.0.0.1; the test is skipped where there is no ``redis-server``.

    Args:
        folder: Where it runs.
    """

    def __init__(self, folder: Path) -> None:
        self._program = shutil.which("redis-server") or ""
        if not self._program:
            pytest.skip("redis-server is not installed (Debian: redis-server)")
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.client = redis.Redis(port=self.port, password=PASSWORD, decode_responses=True)
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.stop()

    @property
    def url(self) -> str:
        """What ``redis`` of a configuration says."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty."""
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        options |= {"requirepass": PASSWORD, "dir": str(self._folder)}
        arguments = [part for key, value in options.items() for part in (f"--{key}", value)]
        self._process = subprocess.Popen(
            [self._program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end_s = time.monotonic() + DEADLINE_S
        while True:
            try:
                self.client.ping()
            except redis.exceptions.ConnectionError:
                assert time.monotonic() < end_s, "redis-server does not answer"
                time.sleep(0.01)
            else:
                return

    def stop(self) -> None:
        """Kill it; what it knew is gone."""
        self._process.kill()
        self._process.wait(DEADLINE_S)

    def freeze(self) -> None:
        """Let it take connections and say nothing."""
        freeze(self._process.pid)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def configure(self, **options: Any) -> None:
        """Change options of the running server; ``_`` stands for ``-``."""
        for name, value in options.items():
            self.client.config_set(name.replace("_", "-"), value)
