"""Micro-benchmarks counted in instructions: ``python -m bench.instructions``.

Callgrind counts what the steps of ``bench.micro`` execute, so other work on the machine changes
nothing. The counts stand beside those of the last release (``instructions.json``); ``--update``
writes them there. They hold for one build of Python only.
"""

import argparse
import gc
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from bench.micro import Step, list_steps
from bench.rig import find_program, show_progress

TABLE: Final = Path(__file__).with_name("instructions.json")
CALLS: Final = 200  # counted of each step, after a tenth as many that fill its caches
TOLERANCE: Final = 0.03  # counts differ by some per mille between runs
RUN_S: Final = 900.0

# The child calls it where a count begins and ends; callgrind then writes what it has counted. Any
# function of the C library will do that Python calls for nothing else.
_MARK: Final = "getppid"
_SUMMARY: Final = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)
_EMPTY: Final = Step("nothing", lambda: None)


def main() -> int:
    """Count and compare; return the exit status: 1 where a step executes more than before."""
    options = _parse_options()
    if options.child:
        _run_steps()
        return 0
    if find_program("valgrind") is None:
        show_progress("valgrind is not installed")
        return 1
    known = json.loads(TABLE.read_text(encoding="utf-8"))
    found: dict[str, Any] = {"python": describe_python(), "instructions": count_instructions()}
    worse = _report(found, known)
    if options.update:
        TABLE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        return 0
    return 1 if worse else 0


def describe_python() -> str:
    """Return what the counts depend on besides our own code."""
    return f"{platform.python_version()}, {platform.python_compiler()}, {platform.machine()}"


def count_instructions() -> dict[str, int]:
    """Return how many instructions a call of each step executes."""
    names = [step.name for step in _steps()]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        show_progress("some minutes: valgrind runs Python fifty times slower")
        subprocess.run(
            [
                *("valgrind", "--tool=callgrind", f"--dump-before={_MARK}"),
                *("--callgrind-out-file=counts", "--log-file=log"),
                *(sys.executable, "-m", "bench.instructions", "--child"),
            ],
            cwd=folder,
            env=os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            timeout=RUN_S,
        )
        # counts.1 ends where the first step begins, counts.2 where it ends, and so on.
        totals = [_read_total(Path(folder, f"counts.{2 * n + 2}")) for n in range(len(names))]
    empty = totals[names.index(_EMPTY.name)]
    return {
        name: (total - empty) // CALLS
        for name, total in zip(names, totals, strict=True)
        if name != _EMPTY.name
    }


def _read_total(dump: Path) -> int:
    match = _SUMMARY.search(dump.read_text(encoding="utf-8"))
    if match is None:
        raise ValueError(f"{dump.name} has no total")
    return int(match[1])


def _steps() -> list[Step]:
    return [_EMPTY, *list_steps()]


def _run_steps() -> None:
    """Run all steps, with marks around what counts; the child of ``count_instructions``."""
    steps = _steps()
    gc.collect()
    gc.disable()
    for step in steps:
        _repeat(step, CALLS // 10)
        os.getppid()
        _repeat(step, CALLS)
        os.getppid()


def _repeat(step: Step, times: int) -> None:
    call = step.call
    for _ in range(times):
        call()


def _report(found: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """Print the table; return the names of steps that execute more than before."""
    now, before = found["instructions"], known["instructions"]
    print(f"Instructions of one call. Now: Python {found['python']}; before: {known['python']}.\n")
    print("| step | before | now | change |\n|---|--:|--:|--:|")
    worse = []
    for name, count in now.items():
        old = before.get(name)
        change = "" if not old else f"{count / old - 1:+.1%}"
        print(f"| {name} | {old or 0:,} | {count:,} | {change} |")
        if old and count > old * (1 + TOLERANCE):
            worse.append(name)
    if found["python"] != known["python"]:
        show_progress("the table is of another Python: nothing follows from a difference")
        return []
    for name in worse:
        show_progress(f"warning: {name} executes more instructions than before")
    return worse


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.instructions", description=__doc__)
    parser.add_argument("--update", action="store_true", help=f"write {TABLE.name}")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
