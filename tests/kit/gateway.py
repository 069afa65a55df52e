"""The gateway as people run it: a process with a configuration file and a port of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import jwt
import yaml

from tests.kit.wire import Wire

DEADLINE_S: Final = 60.0  # a process starts in half a second, on a busy machine in ten
_LISTENING: Final = re.compile(r"gateway: listening on https?://\S+:([0-9]+)$")
ADMIN: Final = "gateway: admin on http://127.0.0.1:"
_MEASURE: Final = "COVERAGE_PROCESS_CONFIG"  # by which coverage starts in another process
_CRASHES: Final = ("Traceback (most recent call last)", "Task exception was never retrieved")

ISSUER: Final = "http://gateway.test"
AUDIENCE: Final = "gateway"
SECRET: Final = "a-secret-of-the-tests-0123456789abcdef"


def mint(*, expires_in_s: int = 3600, **claims: Any) -> str:
    """Return an access token of the gateway under test: sub alice, roles [user], no email."""
    now_s = int(time.time())
    standard = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "jti": "test",
        "iat": now_s,
        "exp": now_s + expires_in_s,
        "roles": ["user"],
    }
    return jwt.encode(standard | claims, SECRET, algorithm="HS256", headers={"typ": "at+jwt"})


def bearer(**claims: Any) -> bytes:
    """Return an ``Authorization`` field line with its CRLF, for a token with these claims."""
    return b"Authorization: Bearer %b\r\n" % mint(**claims).encode("ascii")


def configuration(port: int, **changes: Any) -> dict[str, Any]:
    """Return the configuration of the threat tables.

    ``/p`` asks for a token, ``/admin`` for the role admin, ``/optional`` takes both, ``/public``
    looks at none. All lead to one service.

    Args:
        port: Where on 127.0.0.1 the service listens.
        changes: Top-level keys to set; ``upstream`` is merged into the service's own keys.
    """
    upstream = {"endpoints": [f"http://127.0.0.1:{port}"]} | changes.pop("upstream", {})
    document: dict[str, Any] = {
        "version": 1,
        "listen": "127.0.0.1:0",
        "tokens": {"issuer": ISSUER, "audience": AUDIENCE, "algorithm": "HS256", "secret": SECRET},
        "credentials": [
            {"header": "Authorization", "scheme": "Bearer"},
            {"header": "access-token"},
            {"cookie": "session"},
            {"query": "access_token"},
        ],
        "claim_headers": {
            "X-User": "sub",
            "X-User-Email": "email",
            "X-User-Name": "username",
            "X-User-Roles": "roles",
            "X-User-Plan": {"claim": "org.plan", "default": "free"},
            "X-User-Extra": "extra",
        },
        # A head that is sent byte by byte, each behind a barrier, takes a busy machine seconds.
        "limits": {"head_timeout": "60s"},
        "upstreams": {"raw": upstream},
        "routes": [
            _route("/p/**"),
            _route("/admin/**", require={"roles": ["admin"]}),
            _route("/public/**", auth="none"),
            _route("/optional/**", auth="optional"),
            _route("/small/**", auth="none", max_body="1KiB"),
            _route("/get", auth="none", methods=["GET"]),
            _route("/api/**", auth="none", strip_prefix="/api"),
            _route("/claims/**", claim_headers={"X-User-Claims": _ALL_CLAIMS}),
            _route("/vhost/**", hosts=["vhost.test"]),
            _route("/vhost/open", hosts=["open.test"], auth="none"),
        ],
    }
    return document | changes


_ALL_CLAIMS: Final = {"claim": "*", "format": "base64url-json"}


def _route(path: str, **more: Any) -> dict[str, Any]:
    name = path.strip("/*").replace("/", "-")
    return {"name": name, "path": path, "upstream": "raw", **more}


def write_configuration(folder: Path, document: dict[str, Any]) -> Path:
    """Write *document* to a new file below *folder* and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "routes.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m gateway`` with *arguments* to its end and return what it said."""
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


class GatewayProcess:
    """One running gateway.

    Args:
        document: Its configuration; ``listen`` should name port 0, and so ``admin`` if it has it.
        folder: Where its file is written, and where it runs.
        program: What Python runs, if not the package itself.
        is_measured: Whether what it runs counts as covered; a start costs twice as much then.
    """

    def __init__(
        self,
        document: dict[str, Any],
        folder: Path,
        program: Sequence[str] = ("-m", "gateway"),
        *,
        is_measured: bool = False,
    ) -> None:
        path = write_configuration(folder, document)
        # The folder of the package comes first on the path, so that the gateway can run elsewhere.
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        if not is_measured:
            environment.pop(_MEASURE, None)
        self._process = subprocess.Popen(
            [sys.executable, *program, "run", "--config", str(path)],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a group of its own, so that all of it can be killed at once
        )
        self.folder = folder
        self.port = 0
        self.admin_port = 0 if "admin" in document else -1
        self.lines: list[str] = []  # of stderr
        self._is_ending = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._wait_until_listening()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def wait_for_first_hash(self) -> None:
        """Return when the dummy for unknown users is hashed: it takes 64 MiB for a moment."""
        body = b'{"username": "nobody", "password": "x"}'
        with Wire(self.port) as wire:
            wire.send(
                b"POST /authenticate HTTP/1.1\r\nHost: gw.test\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body)
            )
            assert wire.read_response(b"POST").status == 401

    def worker_pids(self) -> list[int]:
        """Return the ids of the processes that serve, where there are several."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text("ascii").split()
        return [int(child) for child in children if _is_worker(int(child))]

    def kill(self) -> None:
        """Kill the gateway with all its workers.

        Raises:
            AssertionError: It had printed a traceback.
        """
        os.killpg(self.pid, signal.SIGKILL)
        self.await_end()

    def await_end(self) -> None:
        """Wait until the gateway and all its workers have ended of themselves.

        Raises:
            AssertionError: One of them had printed a traceback.
        """
        self._end_reading()
        self._check_no_crash()

    def memory_bytes(self) -> int:
        """Return the resident set of the process."""
        with Path(f"/proc/{self.pid}/statm").open(encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptor_count(self) -> int:
        """Return how many file descriptors the process has open, but for those of the store.

        The store's connections are opened as they are needed, up to a bound. While one is open,
        SQLite keeps the files of those that were closed for the next ones: to close them would drop
        the locks of the open one.
        """
        return sum(not _is_of_store(entry) for entry in Path(f"/proc/{self.pid}/fd").iterdir())

    def check_quiet(self) -> None:
        """Fail where the process has died or has printed a traceback."""
        self._check_no_crash()
        assert self._process.poll() is None, f"the gateway died:\n{self._said}"

    def wait_for_line(self, text: str) -> None:
        """Wait until the process has said a line with *text* in it."""
        with self._changed:
            found = self._changed.wait_for(lambda: any(text in s for s in self.lines), DEADLINE_S)
        assert found, self._said

    def terminate(self) -> None:
        """Tell the process to end, and do not wait for it; ``stop`` does."""
        self._is_ending = True
        self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """End the process: SIGTERM, and SIGKILL where that does not help.

        Raises:
            AssertionError: It printed a traceback, or had to be killed.
        """
        died = self._process.poll() is not None and not self._is_ending
        self._process.send_signal(signal.SIGTERM)
        self._end_reading()
        self._check_no_crash()
        assert not died, f"the gateway had died:\n{self._said}"

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                if (listening := _LISTENING.search(line)) is not None:
                    self.port = int(listening[1])
                if ADMIN in line:
                    self.admin_port = int(line.partition(ADMIN)[2])
                self._changed.notify_all()
        with self._changed:
            self.port = self.port or -1
            self.admin_port = self.admin_port or -1
            self._changed.notify_all()

    def _wait_until_listening(self) -> None:
        try:
            with self._changed:
                self._changed.wait_for(lambda: self.port and self.admin_port, DEADLINE_S)
        except BaseException:  # who waits was interrupted: nobody else would end the process
            self.kill()
            raise
        if self.port > 0:
            return
        self.kill()
        raise AssertionError(f"the gateway did not start:\n{self._said}")

    def _end_reading(self) -> None:
        """Read what the process has said to its end, which is also that of all its workers.

        Raises:
            AssertionError: They did not end in time, and were killed.
        """
        try:
            self._process.wait(DEADLINE_S)
            self._reader.join(DEADLINE_S)
        except subprocess.TimeoutExpired:
            pass
        outlived = self._reader.is_alive()
        if outlived:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait(DEADLINE_S)
            self._reader.join(DEADLINE_S)
        assert not self._reader.is_alive(), f"killed, it goes on:\n{self._said}"
        assert self._process.stderr is not None
        self._process.stderr.close()
        assert not outlived, f"it did not end, or not all of it:\n{self._said}"

    def _check_no_crash(self) -> None:
        said = self._said
        assert not any(crash in said for crash in _CRASHES), said

    @property
    def _said(self) -> str:
        return "\n".join(self.lines)


def _is_worker(pid: int) -> bool:
    """Whether a child serves: multiprocessing has one of its own beside the workers."""
    try:
        return b"multiprocessing.spawn" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return False


def _is_of_store(entry: Path) -> bool:
    try:
        return entry.readlink().name.startswith("gateway.db")
    except FileNotFoundError:  # closed a moment ago, or the one that lists the folder
        return True
