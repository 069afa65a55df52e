"""How long the gateway takes to its first answer: ``python -m bench.start``.

From the start of the process to the end of the answer to a proxied request, with a SQLite store
that is there already and with one that must be made first. Beside it: the interpreter alone, and
what loading the gateway's modules adds. CPU time suffers less from other work on the machine.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Final

from bench.contenders import GATEWAY, Deployment
from bench.load import ask
from bench.rig import RigError, choose_cores, cpu_seconds, show_progress, upstream
from bench.tokens import mint

COMMAND_S: Final = 30.0  # until a command must have ended


@dataclass(frozen=True, slots=True)
class Cost:
    """What one start took."""

    wall_s: float
    cpu_s: float


def main() -> int:
    """Measure; return the exit status."""
    options = _parse_options()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            costs = measure_starts(Path(folder), options.starts)
    except RigError as error:
        show_progress(f"bench: {error}")
        return 1
    print(f"Medians of {options.starts}. Python {platform.python_version()}.\n")
    print("| | time | fastest | CPU |\n|---|--:|--:|--:|")
    for name, found in costs.items():
        wall_s = [cost.wall_s for cost in found]
        cpu_s = median(cost.cpu_s for cost in found)
        print(
            f"| {name} | {median(wall_s) * 1000:.0f} ms | {min(wall_s) * 1000:.0f} ms "
            f"| {cpu_s * 1000:.0f} ms |"
        )
    return 0


def measure_starts(folder: Path, count: int) -> dict[str, list[Cost]]:
    """Return what so many starts of each kind took, taking turns."""
    cores = choose_cores()
    ready = Deployment(folder, cores.contender, {"store": folder / "ready.db"})
    fresh = replace(ready, values={})
    with upstream(folder / "upstream", cores.load) as port:
        _start(ready, port)  # makes its store, and fills the caches of the disk
        kinds: dict[str, Callable[[], Cost]] = {
            "the interpreter alone": lambda: _run("-c", "pass"),
            "modules of the gateway loaded": lambda: _run(
                "-c", "import gc; gc.disable(); import gateway.cli.main"
            ),
            "first answer, store is there": lambda: _start(ready, port),
            "first answer, store is made": lambda: _start(fresh, port),
        }
        costs: dict[str, list[Cost]] = {name: [] for name in kinds}
        for number in range(1, count + 1):
            for name, take in kinds.items():
                costs[name].append(take())
            show_progress(f"turn {number} of {count}")
    return costs


def _start(deployment: Deployment, upstream_port: int) -> Cost:
    """Start the gateway; how long until its first answer."""
    token = mint(deployment.signer)
    begun_s = time.perf_counter()
    with GATEWAY.deployed(deployment, upstream_port) as server:
        ask(server, token)
        return Cost(time.perf_counter() - begun_s, cpu_seconds(server.pid))


def _run(*arguments: str) -> Cost:
    """Run the interpreter to its end."""
    before, begun_s = os.times(), time.perf_counter()
    try:
        subprocess.run([sys.executable, *arguments], check=True, timeout=COMMAND_S)
    except subprocess.SubprocessError as error:
        raise RigError(f"the interpreter failed: {error}") from error
    wall_s, after = time.perf_counter() - begun_s, os.times()
    used_s = after.children_user + after.children_system
    return Cost(wall_s, used_s - before.children_user - before.children_system)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.start", description=__doc__)
    parser.add_argument("--starts", type=int, default=9, help="of each kind")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
