"""The gateway beside the proxies that people trust: ``python -m bench.compare``.

Each contender in turn has one core to itself; the service and the load share another. The turns are
interleaved and repeated, so that drift of the machine hits all alike, and a ratio is taken within a
round before the median over the rounds. See README.md beside this file for what is fair about it.
"""

import argparse
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.check import check
from bench.contenders import CONTENDERS, GATEWAY, PATH, Contender, Deployment
from bench.load import Load, Run, measure
from bench.plot import render_plot
from bench.report import render_table
from bench.rig import Cores, NotUpError, RigError, choose_cores, show_progress, upstream
from bench.scenarios import SCENARIOS, Scenario
from bench.tokens import make_signer, mint

WARM_UP_S: Final = 1  # connections to the service, caches, the branch predictor


def main() -> int:
    """Run the comparison; return the exit status."""
    options = _parse_options()
    names = list(SCENARIOS) if options.scenario == "all" else options.scenario.split(",")
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        show_progress(f"unknown scenarios: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
        return 1
    failed = 0
    for name in names:
        try:
            _report(SCENARIOS[name], options)
        except RigError as error:
            show_progress(f"bench: {name}: {error}")
            failed = 1
    return failed


def _report(given: Scenario, options: argparse.Namespace) -> None:
    """Run one scenario and print its table.

    Raises:
        RigError: A contender does not do its work, or a run had errors.
    """
    connections = options.connections or given.connections
    scenario = replace(given, connections=connections, baseline=options.baseline or given.baseline)
    wanted = _named(options.only.split(",") if options.only else given.contenders)
    runs = _Comparison(scenario, _installed(wanted), options).take()
    took_part = [contender for contender in wanted if contender.name in runs]
    absent = [contender.name for contender in wanted if contender.name not in runs]
    print(f"### {scenario.title}\n\n{describe_setting(scenario, options)}\n")
    print(render_table(took_part, runs, scenario.baseline), end="\n\n")
    if absent:
        print(f"Left out, since not installed or not running here: {', '.join(absent)}.\n")
    sys.stdout.flush()
    if options.svg is not None:
        options.svg.write_text(render_plot(took_part, runs), encoding="utf-8")


class _Comparison:
    """One scenario under way."""

    def __init__(
        self, scenario: Scenario, contenders: list[Contender], options: argparse.Namespace
    ) -> None:
        self._scenario = scenario
        self._contenders = contenders
        self._cores: Cores = choose_cores(options.contender_core, options.load_core)
        self._rounds: int = options.rounds
        self._duration_s: int = options.duration

    def take(self) -> dict[str, list[Run]]:
        """Return the runs of each contender, one per round."""
        runs: dict[str, list[Run]] = {}
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            folder = Path(name)
            signer = make_signer(self._scenario.algorithm)
            deployment = Deployment(folder, self._cores.contender, signer=signer)
            contenders = _proven(self._contenders, deployment)
            warm_up = Load(
                core=self._cores.load,
                connections=self._scenario.connections,
                duration_s=WARM_UP_S,
                token=mint(signer),
            )
            script = self._scenario.script(signer, folder)
            load = replace(
                warm_up,
                duration_s=self._duration_s,
                path=self._scenario.path or PATH,
                fields=self._scenario.fields,
                script=script,
            )
            if not self._scenario.once:  # then what is measured shall be known already
                warm_up = replace(load, duration_s=WARM_UP_S)
            with upstream(folder / "upstream", self._cores.load) as port:
                if self._scenario.share_of_peak is not None:
                    load = self._held_back(contenders, deployment, port, warm_up, load)
                for round_number in range(1, self._rounds + 1):
                    for contender in contenders:
                        with contender.deployed(deployment, port) as server:
                            measure(server, warm_up)
                            run = measure(server, load)
                        runs.setdefault(contender.name, []).append(run)
                        show_progress(
                            f"round {round_number}: {contender.name}: "
                            f"{run.requests_per_s:,.0f}/s, {run.cpu_us:.1f} us of CPU each, "
                            f"core {run.busy:.0%} busy"
                        )
        return runs

    def _held_back(
        self,
        contenders: Sequence[Contender],
        deployment: Deployment,
        port: int,
        warm_up: Load,
        load: Load,
    ) -> Load:
        """Return *load* with a pause after each answer, for a share of what the slowest can do."""
        peaks = []
        for contender in contenders:
            with contender.deployed(deployment, port) as server:
                measure(server, warm_up)
                peaks.append(measure(server, replace(warm_up, duration_s=2)).requests_per_s)
        rate = min(peaks) * (self._scenario.share_of_peak or 1.0)
        pause_ms = round(load.connections * 1000 / rate)
        show_progress(f"the slowest did {min(peaks):,.0f}/s; a pause of {pause_ms} ms for each")
        return replace(load, script=load.script | {"BENCH_DELAY_MS": str(pause_ms)})


def describe_setting(scenario: Scenario, options: argparse.Namespace) -> str:
    """Return the sentence above the table."""
    return (
        f"{scenario.connections} connections, {scenario.algorithm}; medians of {options.rounds} "
        f"rounds of {options.duration} s; ratios to {scenario.baseline}, above 1 is better. "
        f"Python {platform.python_version()}, {platform.python_compiler()}."
    )


def _named(names: Sequence[str]) -> list[Contender]:
    unknown = set(names) - {contender.name for contender in CONTENDERS}
    if unknown:
        show_progress(f"unknown contenders: {', '.join(sorted(unknown))}")
    return [contender for contender in CONTENDERS if contender.name in names]


def _installed(contenders: Sequence[Contender]) -> list[Contender]:
    found = []
    for contender in contenders:
        obstacle = contender.find_obstacle()
        if obstacle is None:
            found.append(contender)
        else:
            show_progress(f"{contender.name}: left out, {obstacle}")
    return found


def _proven(contenders: Sequence[Contender], deployment: Deployment) -> list[Contender]:
    """Return those that do their work; who does not come up here, but the gateway, is left out.

    Raises:
        RigError: One comes up and does not do its work, or none is left.
    """
    proven = []
    for contender in contenders:
        try:
            check(contender, deployment)
        except NotUpError as error:
            if contender.name == GATEWAY.name:
                raise
            show_progress(f"{contender.name}: left out, {error}")
        else:
            show_progress(f"{contender.name}: does its work")
            proven.append(contender)
    if not proven:
        raise RigError("no contender is installed")
    return proven


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    scenarios = f"separated by commas, or all; there are {', '.join(SCENARIOS)}"
    parser.add_argument("--scenario", default="main", help=scenarios)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=int, default=4, help="seconds of each measured run")
    parser.add_argument("--connections", type=int, help="default: as the scenario says")
    parser.add_argument("--only", help="names of contenders, separated by commas")
    parser.add_argument("--baseline", help="whom the ratios are taken to")
    parser.add_argument("--svg", type=Path, help="write a plot of requests/s to this file")
    parser.add_argument("--contender-core", type=int, help="default: the first core allowed")
    parser.add_argument("--load-core", type=int, help="default: the next one")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
