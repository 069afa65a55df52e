"""Processes on cores: starting a server pinned, knowing that it answers, its CPU time, its end.

Every process is ended by its own id, whatever happens; every wait has an end.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CONFIGS: Final = Path(__file__).parent / "configs"
BLOB_BYTES: Final = 1024 * 1024  # what the service has at /products/blob
START_S: Final = 30.0  # until a server must accept connections
STOP_S: Final = 5.0  # until one that was asked to end is killed

_SEARCH_PATH: Final = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
_NAME: Final = re.compile(r"@\{([a-z_]+)\}")  # the configurations are full of $ and of {
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class RigError(Exception):
    """The benchmark cannot go on; the text says why."""


class NotUpError(RigError):
    """A program did not come up."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core does what."""

    contender: int
    load: int  # shared by wrk and the upstream


def find_program(name: str) -> str | None:
    """Return the path of an installed program; Debian keeps servers outside a user's PATH."""
    return shutil.which(name, path=_SEARCH_PATH)


def free_port() -> int:
    """Return a loopback TCP port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def write_config(template: str, target: Path, values: Mapping[str, object]) -> None:
    """Fill in a template of ``bench/configs``; a name without a value is an error."""
    text = (CONFIGS / template).read_text(encoding="utf-8")
    filled = _NAME.sub(lambda match: str(values[match[1]]), text)
    target.write_text(filled, encoding="utf-8")


@contextmanager
def running(
    command: list[str], *, core: int | None, port: int, log: Path, start_s: float = START_S
) -> Iterator[int]:
    """Run a server for the length of the block.

    Args:
        command: What to start; must stay in the foreground.
        core: The only core that it and its children may use; None for all that we may.
        port: The loopback port at which it answers.
        log: Where its output goes.
        start_s: How long it may take to start.

    Yields:
        The id of its process, once it accepts connections.

    Raises:
        RigError: It ended, or did not listen within *start_s*.
    """
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*pinned, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _await_listening(process, port, log, start_s)
            yield process.pid
        finally:
            _end(process)


@contextmanager
def upstream(folder: Path, core: int) -> Iterator[int]:
    """Run the service behind the contenders; yield its port."""
    program = find_program("nginx")
    if program is None:
        raise RigError("nginx is not installed; it plays the service behind the contenders")
    folder.mkdir()
    config = folder / "nginx.conf"
    port = free_port()
    write_config("upstream.conf", config, {"port": port, "folder": folder})
    (folder / "blob").write_bytes(b"x" * BLOB_BYTES)
    command = [program, "-e", "stderr", "-p", str(folder), "-c", str(config)]
    with running(command, core=core, port=port, log=folder / "output.log"):
        yield port


def choose_cores(contender: int | None = None, load: int | None = None) -> Cores:
    """Return the cores to use; those not named are the first that this process may use.

    Raises:
        RigError: There are not two.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise RigError("two cores are needed: one for the contender, one for load and service")
    contender = allowed[0] if contender is None else contender
    others = [core for core in allowed if core != contender]
    return Cores(contender, others[0] if load is None else load)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process and its living descendants have used so far."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # pid (comm) state ppid ...; utime and stime are fields 14 and 15   -- proc(5)
            fields = entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it ended in between
            continue
        child = int(entry.parent.name)
        parents[child] = int(fields[1])
        used[child] = int(fields[11]) + int(fields[12])
    family = {pid}
    while grown := {child for child, parent in parents.items() if parent in family} - family:
        family |= grown
    return sum(used.get(member, 0) for member in family) / _TICKS_PER_S


def memory_bytes(pid: int, name: str) -> int:
    """Return a figure of ``/proc/PID/status`` that is given in kB, as ``VmRSS`` is.

    Raises:
        RigError: There is none of that name.
    """
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RigError(f"/proc/{pid}/status has no {name}")


def show_progress(text: str) -> None:
    """Tell the person who waits; standard output is for the table alone."""
    print(text, file=sys.stderr, flush=True)


def _await_listening(
    process: subprocess.Popen[bytes], port: int, log: Path, start_s: float
) -> None:
    deadline = time.monotonic() + start_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotUpError(f"{process.args!r} ended at once:\n{_tail(log)}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise NotUpError(f"{process.args!r} did not listen within {start_s:.0f} s:\n{_tail(log)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]
