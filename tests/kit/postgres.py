"""A real PostgreSQL server for tests, from the machine's own binaries, gone when they are done.

The server refuses to run as root; then it runs as the user ``postgres``, whom its package makes.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from tests.kit.frozen import freeze
from tests.kit.memory import find_memory

_DEADLINE_S: Final = 60
_SETTINGS: Final = (
    "fsync=off synchronous_commit=on full_page_writes=off max_connections=60 "
    "wal_level=minimal max_wal_senders=0 max_wal_size=128MB dynamic_shared_memory_type=mmap"
)


def find_binaries() -> Path | None:
    """Return the directory of the newest server's programs; None where there is none."""
    initdb = shutil.which("initdb")
    found = [Path(initdb)] if initdb else []
    found += sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda p: int(p.parts[-3].split(".")[0]),
    )
    usable = [path.parent for path in found if (path.parent / "pg_ctl").exists()]
    return usable[-1] if usable and _server_user() is not None else None


def _server_user() -> str | None:
    """Return whom the server runs as: "" for who runs the tests, None where nobody can."""
    if os.geteuid() != 0:
        return ""
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return None


class PostgresServer:
    """One running server with a free port on 127.0.0.1.

    Raises:
        RuntimeError: The machine has no server; ask ``find_binaries`` first.
    """

    def __init__(self) -> None:
        binaries, user = find_binaries(), _server_user()
        if binaries is None or user is None:
            raise RuntimeError("there is no PostgreSQL server on this machine")
        self._binaries = binaries
        self._user = user
        # Not pytest's directory: others than who runs the tests may not enter that one.
        self._folder = Path(tempfile.mkdtemp(prefix="gateway-postgres-", dir=find_memory()))
        if user:
            shutil.chown(self._folder, user)
        self._data = self._folder / "data"
        self.port = _free_port()
        try:
            self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "gateway", "--no-sync")
            self.start()
        except BaseException:
            shutil.rmtree(self._folder)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    @property
    def pid(self) -> int:
        """The id of the server's first process."""
        return int((self._data / "postmaster.pid").read_text("ascii").split()[0])

    def url(self, database: str) -> str:
        """Return the URL of a database, as the gateway's configuration takes it."""
        return f"postgresql://gateway@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        settings = " ".join(f"-c {setting}" for setting in _SETTINGS.split())
        options = f"-h 127.0.0.1 -p {self.port} -k {self._folder} {settings}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-l", log, "-o", options, "-w", "start")

    def stop(self) -> None:
        """Stop the server at once, as a crash does; every connection is cut."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def freeze(self) -> None:
        """Stop all processes of the server in their tracks; its connections stay open."""
        freeze(self.pid)  # first, so that it makes no more
        for pid in self._children():
            freeze(pid)

    def thaw(self) -> None:
        """Let them go on."""
        for pid in (*self._children(), self.pid):
            os.kill(pid, signal.SIGCONT)

    def _children(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text("ascii")
        return [int(child) for child in children.split()]

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        self.query("postgres", f'CREATE DATABASE "{name}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it: each takes 12 MB of what is written."""
        self.query("postgres", f'DROP DATABASE "{name}" WITH (FORCE)')

    def query(self, database: str, statement: str) -> str:
        """Carry out one statement as an operator would; return the bare values."""
        arguments = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "gateway", "-d", database]
        return self._run("psql", *arguments, "-qAtc", statement).strip()

    def _run(self, program: str, *arguments: str) -> str:
        command: Sequence[str] = [str(self._binaries / program), *arguments]
        if self._user:
            command = ["setpriv", f"--reuid={self._user}", "--clear-groups", *command]
            group = pwd.getpwnam(self._user).pw_gid
            command = [*command[:2], f"--regid={group}", *command[2:]]
        # To a file: a server that was started keeps what it inherits, and a pipe would never end.
        with tempfile.TemporaryFile("w+") as output:
            finished = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                timeout=_DEADLINE_S,
                check=False,
            )
            output.seek(0)
            text = output.read()
        if finished.returncode:
            raise RuntimeError(f"{program} ended with {finished.returncode}: {text}")
        return text


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
