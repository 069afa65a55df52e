"""What logins tell by their timing, and what they cost those who are proxied meanwhile.

``python -m bench.logins``. Two measurements, each against the gateway as people run it:

- unknown users against wrong passwords, one login at a time and interleaved: whether the time that
  an answer takes tells which of the two it was;
- many logins at once while wrk keeps its connections busy with a proxied request: what becomes of
  that request's latency.
"""

import argparse
import os
import platform
import sys
import tempfile
import threading
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import sqrt
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from bench.contenders import GATEWAY, Deployment, Server
from bench.load import Load, Run, measure
from bench.people import PASSWORD, WRONG, LoginClient, People, address_of
from bench.rig import Cores, RigError, choose_cores, show_progress, upstream
from bench.tokens import mint

NAMES: Final = 60  # of each kind; up to 1,500 samples no name reaches the 30 failures that are free
MAX_SAMPLES: Final = 25 * NAMES
WARM_UP: Final = 3  # logins, before the timing begins
WARM_UP_S: Final = 1  # of proxied requests, likewise
JOIN_S: Final = 60.0  # for logins that have begun

_GATEWAY: Final = replace(GATEWAY, template="logins.yaml")
_OK, _UNAUTHORIZED, _TOO_MANY, _UNAVAILABLE = 200, 401, 429, 503


def main() -> int:
    """Measure what is asked for; return the exit status."""
    options = _parse_options()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            _measure(Path(folder), options, choose_cores())
    except RigError as error:
        show_progress(f"bench: {error}")
        return 1
    return 0


def _measure(folder: Path, options: argparse.Namespace, cores: Cores) -> None:
    os.sched_setaffinity(0, {cores.load})  # we are part of the load
    people = People.make(NAMES)
    store = folder / "people.db"
    people.keep(store)
    deployment = Deployment(folder, None, {"users": people.file_users(), "store": store})
    print(f"Python {platform.python_version()}, {platform.python_compiler()}.")
    with upstream(folder / "upstream", cores.load) as port:
        if "timing" in options.only:
            with _GATEWAY.deployed(deployment, port) as server:
                print(render_timing(time_failures(server.port, people, options.samples)))
        if "rush" in options.only:
            for core in (cores.contender, None):
                placed = replace(deployment, core=core)
                load = Load(
                    core=cores.load,
                    connections=options.connections,
                    duration_s=options.duration,
                    token=mint(placed.signer),
                )
                with _GATEWAY.deployed(placed, port) as server:
                    rounds = [
                        _rush(server, load, people, options.logins) for _ in range(options.rounds)
                    ]
                where = "all cores" if core is None else "one core"
                print(render_rush(where, rounds, options))


def time_failures(port: int, people: People, samples: int) -> dict[str, list[float]]:
    """Return how long the answers to so many failures of each kind took, in milliseconds.

    The first kind comes twice, as ``again``: what it differs from itself is noise.

    Raises:
        RigError: A failure got another answer than 401.
    """
    kinds = (
        ("unknown user", people.absent[: NAMES // 2]),
        ("unknown user, again", people.absent[NAMES // 2 :]),
        ("wrong password, user of the file", people.in_file),
        ("wrong password, user of the store", people.in_store),
    )
    times: dict[str, list[float]] = {kind: [] for kind, _ in kinds}
    client = LoginClient(port)
    try:
        for number in range(-WARM_UP, samples):
            turn = number % len(kinds)
            for place, (kind, names) in enumerate((*kinds[turn:], *kinds[:turn])):
                address = address_of((number + WARM_UP) * len(kinds) + place)
                answer = client.log_in(names[number % len(names)], WRONG, address)
                if answer.status != _UNAUTHORIZED:
                    raise RigError(f"a failed login was answered {answer.status}")
                if number >= 0:
                    times[kind].append(answer.took_s * 1000)
    finally:
        client.close()
    return times


def longer_share(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the probability that one of *ours* takes longer than one of *theirs*.

    It is the Mann-Whitney statistic over the number of pairs, and the area under the ROC curve of
    somebody who guesses by time alone: a half is a guess.
    """
    ordered = sorted(theirs)
    above = sum(bisect_left(ordered, own) + bisect_right(ordered, own) for own in ours)
    return above / (2 * len(ours) * len(theirs))


def render_timing(times: dict[str, list[float]]) -> str:
    """Return the table of what time tells."""
    (_, base), *_ = times.items()
    count = len(base)
    noise = 1.96 * sqrt((2 * count + 1) / (12 * count * count))  # of two samples of one population
    rows = []
    for kind, own in times.items():
        low, middle, high = quantiles(own, n=4)
        share = "-" if own is base else f"{longer_share(own, base):.3f}"
        rows.append(f"| {kind} | {low:.1f} ms | {middle:.1f} ms | {high:.1f} ms | {share} |")
    about = (
        f"{count} failed logins of each kind, interleaved, one at a time, each from an address of "
        "its own. The last column: the probability that it takes longer than an unknown user; of "
        f"20 comparisons of equals 19 lie within {0.5 - noise:.3f} and {0.5 + noise:.3f}."
    )
    head = [
        "| failure | lower quartile | median | upper quartile | longer |",
        "|---|--:|--:|--:|--:|",
    ]
    return "\n".join(["", about, "", *head, *rows])


@dataclass(slots=True)
class Logins:
    """What came of the logins of one rush."""

    statuses: Counter[int] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)  # those that succeeded
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Round:
    """Proxied requests before, during and after a rush."""

    before: Run
    during: Run
    after: Run
    logins: Logins


def _rush(server: Server, load: Load, people: People, count: int) -> Round:
    _log_in_once(server, people)
    measure(server, replace(load, duration_s=WARM_UP_S))
    before = measure(server, load)
    with rush(server.port, people, count) as logins:
        during = measure(server, load)
    if logins.faults:
        raise RigError(f"logins during the rush failed: {logins.faults[0]}")
    after = measure(server, load)
    show_progress(
        f"p99 {before.p99_us / 1000:.1f}, {during.p99_us / 1000:.1f}, {after.p99_us / 1000:.1f} "
        f"ms; logins {dict(logins.statuses)}"
    )
    return Round(before, during, after, logins)


def _log_in_once(server: Server, people: People) -> None:
    """Wait until the gateway has made its dummy hash, which it does beside its first requests."""
    client = LoginClient(server.port)
    client.log_in(people.in_file[0], PASSWORD, address_of(0))
    client.close()


@contextmanager
def rush(port: int, people: People, count: int) -> Iterator[Logins]:
    """Let so many people log in at once, and again when they are answered, during the block.

    Who is told to wait waits as long as told.
    """
    logins, over = Logins(), threading.Event()
    names = (*people.in_file, *people.in_store)

    def log_in_again(number: int) -> None:
        client = LoginClient(port)
        try:
            while not over.is_set():
                answer = client.log_in(names[number], PASSWORD, address_of(number))
                logins.statuses[answer.status] += 1
                if answer.status == _OK:
                    logins.took_s.append(answer.took_s)
                elif answer.status in (_TOO_MANY, _UNAVAILABLE):
                    over.wait(max(1, answer.retry_after_s))
                else:
                    logins.faults.append(f"a login was answered {answer.status}")
                    break
        except RigError as error:
            logins.faults.append(str(error))
        finally:
            client.close()

    threads = [threading.Thread(target=log_in_again, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield logins
    finally:
        over.set()
        for thread in threads:
            thread.join(JOIN_S)


def render_rush(where: str, rounds: Sequence[Round], options: argparse.Namespace) -> str:
    """Return the table of what a rush costs."""
    phases = {
        "before": [one.before for one in rounds],
        "during": [one.during for one in rounds],
        "after": [one.after for one in rounds],
    }
    rows = []
    for phase, runs in phases.items():
        slowest = max(run.p99_us for run in runs)
        rows.append(
            f"| {phase} | {median(run.requests_per_s for run in runs):,.0f} "
            f"| {median(run.p50_us for run in runs) / 1000:.1f} ms "
            f"| {median(run.p99_us for run in runs) / 1000:.1f} ms | {slowest / 1000:.1f} ms |"
        )
    done = [one.logins for one in rounds]
    per_s = median(logins.statuses[_OK] / options.duration for logins in done)
    took_s = median(took_s for logins in done for took_s in logins.took_s)
    told = {
        status: sum(logins.statuses[status] for logins in done)
        for status in (_OK, _TOO_MANY, _UNAVAILABLE)
    }
    about = (
        f"The gateway on {where}: {options.connections} connections that proxy, {options.logins} "
        f"people who log in at once, again and again; medians of {options.rounds} rounds of "
        f"{options.duration} s. {per_s:.1f} logins a second, {took_s:.2f} s each; in all "
        f"{told[_OK]}, and {told[_TOO_MANY]} times 429, {told[_UNAVAILABLE]} times 503."
    )
    head = ["| | requests/s | p50 | p99 | highest p99 |", "|---|--:|--:|--:|--:|"]
    return "\n".join(["", about, "", *head, *rows])


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.logins", description=__doc__)
    parser.add_argument("--samples", type=int, default=200, help="failed logins of each kind")
    parser.add_argument("--logins", type=int, default=50, help="how many log in at once")
    parser.add_argument("--connections", type=int, default=64, help="that proxy meanwhile")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", type=int, default=4, help="seconds of each measured run")
    parser.add_argument("--only", nargs="+", choices=("timing", "rush"), default=["timing", "rush"])
    options = parser.parse_args()
    if not 2 <= options.samples <= MAX_SAMPLES:
        parser.error(f"--samples: from 2 to {MAX_SAMPLES}, or the throttle steps in")
    if not 1 <= options.logins <= 2 * NAMES:
        parser.error(f"--logins: from 1 to {2 * NAMES}")
    return options


if __name__ == "__main__":
    sys.exit(main())
