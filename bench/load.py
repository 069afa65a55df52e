"""One measured run: wrk against one contender, and what came of it."""

import http.client
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.contenders import PATH, Server
from bench.rig import RigError, cpu_seconds, find_program

SCRIPT: Final = Path(__file__).parent / "load.lua"
ANSWER_S: Final = 10.0  # until one request must have been answered
GRACE_S: Final = 20.0  # beyond a run's length, before wrk is given up


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What wrk sends."""

    core: int
    connections: int
    duration_s: int
    token: str
    path: str = PATH
    fields: tuple[str, ...] = ()  # more header fields
    script: dict[str, str] = field(default_factory=dict)  # environment of ``load.lua``


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run gave."""

    requests_per_s: float
    p50_us: int
    p99_us: int
    cpu_us: float  # of the contender, per request
    busy: float  # the share of its core that the contender used


def measure(server: Server, load: Load) -> Run:
    """Load one contender for ``load.duration_s``.

    Raises:
        RigError: wrk is missing or failed, or a single request did not get a good answer.
    """
    before = cpu_seconds(server.pid)
    report = _run_wrk(server, load)
    used_s = cpu_seconds(server.pid) - before
    if report["bad_statuses"] or report["socket_errors"] or not report["requests"]:
        raise RigError(f"a run with errors counts for nothing: {report}")
    seconds = report["duration_us"] / 1e6
    return Run(
        requests_per_s=report["requests"] / seconds,
        p50_us=report["p50_us"],
        p99_us=report["p99_us"],
        cpu_us=used_s * 1e6 / report["requests"],
        busy=used_s / seconds,
    )


def ask(server: Server, token: str) -> None:
    """Send one request, and wait for its answer.

    Raises:
        RigError: It is not a good one.
    """
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=ANSWER_S)
    try:
        connection.request("GET", PATH, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        response.read()
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise RigError(f"a request was answered {response.status}")


def _run_wrk(server: Server, load: Load) -> dict[str, int]:
    program = find_program("wrk")
    if program is None:
        raise RigError("wrk is not installed; it makes the load")
    command = [
        *("taskset", "-c", str(load.core), program, "-t1"),
        *(f"-c{load.connections}", f"-d{load.duration_s}s", "-s", str(SCRIPT)),
        *(part for name in load.fields for part in ("-H", name)),
        *("-H", f"Authorization: Bearer {load.token}"),
        f"http://127.0.0.1:{server.port}{load.path}",
    ]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            timeout=load.duration_s + GRACE_S,
            env=os.environ | load.script,
        )
    except subprocess.SubprocessError as error:
        said = error.stderr if isinstance(error, subprocess.CalledProcessError) else ""
        raise RigError(f"wrk failed: {error} {said}") from error
    lines = [line for line in done.stdout.splitlines() if line.startswith("report: ")]
    if len(lines) != 1:
        raise RigError(f"wrk gave no report:\n{done.stdout}{done.stderr}")
    report: dict[str, int] = json.loads(lines[0].removeprefix("report: "))
    return report
