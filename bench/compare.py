"""The gateway beside the proxies that people trust: ``python -m bench.compare``.

Each contender in turn has one core to itself; the service and the load share another. The turns are
interleaved and repeated, so that drift of the machine hits all alike, and a ratio is taken within a
round before the median over the rounds. See README.md beside this file for what is fair about it.
"""

import argparse
import platform
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.check import check
from bench.contenders import CONTENDERS, Contender, Deployment
from bench.load import Load, Run, measure
from bench.report import render_table
from bench.rig import RigError, choose_cores, show_progress, upstream
from bench.tokens import mint

WARM_UP_S: Final = 1  # connections to the service, caches, the branch predictor


def main() -> int:
    """Run the comparison; return the exit status."""
    options = _parse_options()
    contenders = _find_contenders(options.only)
    if not contenders:
        show_progress("no contender is installed")
        return 1
    try:
        runs = compare(contenders, options)
    except RigError as error:
        show_progress(f"bench: {error}")
        return 1
    print(describe_setting(options))
    print()
    print(render_table(contenders, runs, options.baseline))
    return 0


def compare(contenders: list[Contender], options: argparse.Namespace) -> dict[str, list[Run]]:
    """Return the runs of each contender, one per round.

    Raises:
        RigError: A contender does not do its work, or a run had errors.
    """
    cores = choose_cores(options.contender_core, options.load_core)
    runs: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        deployment = Deployment(Path(folder), cores.contender)
        for contender in contenders:
            check(contender, deployment)
            show_progress(f"{contender.name}: does its work")
        load = Load(
            core=cores.load,
            connections=options.connections,
            duration_s=options.duration,
            token=mint(deployment.signer),
        )
        with upstream(Path(folder) / "upstream", cores.load) as upstream_port:
            for round_number in range(1, options.rounds + 1):
                for contender in contenders:
                    run = _take_turn(contender, deployment, load, upstream_port)
                    runs[contender.name].append(run)
                    show_progress(
                        f"round {round_number}: {contender.name}: {run.requests_per_s:,.0f}/s, "
                        f"{run.cpu_us:.1f} us of CPU each, core {run.busy:.0%} busy"
                    )
    return runs


def describe_setting(options: argparse.Namespace) -> str:
    """Return the sentence above the table."""
    return (
        f"{options.connections} connections, small GET, one warm HS256 token; medians of "
        f"{options.rounds} rounds of {options.duration} s; ratios to {options.baseline}, "
        f"above 1 is better. Python {platform.python_version()}, {platform.python_compiler()}."
    )


def _take_turn(contender: Contender, deployment: Deployment, load: Load, upstream_port: int) -> Run:
    with contender.deployed(deployment, upstream_port) as server:
        warm_up = Load(
            core=load.core, connections=load.connections, duration_s=WARM_UP_S, token=load.token
        )
        measure(server, warm_up)
        return measure(server, load)


def _find_contenders(names: str | None) -> list[Contender]:
    wanted = names.split(",") if names else [contender.name for contender in CONTENDERS]
    unknown = set(wanted) - {contender.name for contender in CONTENDERS}
    if unknown:
        show_progress(f"unknown contenders: {', '.join(sorted(unknown))}")
    found = []
    for contender in CONTENDERS:
        if contender.name not in wanted:
            continue
        obstacle = contender.find_obstacle()
        if obstacle is None:
            found.append(contender)
        else:
            show_progress(f"{contender.name}: left out, {obstacle}")
    return found


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=int, default=4, help="seconds of each measured run")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--only", help="names of contenders, separated by commas")
    parser.add_argument("--baseline", default="haproxy", help="whom the ratios are taken to")
    parser.add_argument("--contender-core", type=int, help="default: the first core allowed")
    parser.add_argument("--load-core", type=int, help="default: the next one")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
