"""What a million live revocations cost: ``python -m bench.revocations``.

Two gateways, one whose store has none and one whose store has so many: how long each takes to
start, how much memory it has then, and what either makes of the same warm request. The store is
filled directly; the revocations are of sessions, as logouts make them.
"""

import argparse
import asyncio
import math
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Final, TypeVar
from uuid import uuid4

from bench.contenders import GATEWAY, Deployment, Server
from bench.load import Load, Run, ask, measure
from bench.micro import measure_us
from bench.rig import RigError, choose_cores, memory_bytes, show_progress, upstream
from bench.tokens import AUDIENCE, ISSUER, Signer, make_signer, mint
from gateway.issuer.housekeeping import TABLE_PERIOD_S
from gateway.issuer.revocation_table import RevocationTable
from gateway.issuer.revocations import RevocationView
from gateway.policy.revoked import NoRevocations, Revocations
from gateway.policy.signature import VerificationKey
from gateway.policy.tokens import Issuer, TokenVerifier, VerifiedToken
from gateway.store.migrate import migrate
from gateway.store.revocations import RevocationKind

START_S: Final = 180.0  # for a start with a million rows on a slow machine
LIVE_S: Final = 24 * 3600.0  # longer than any run
WARM_UP_S: Final = 1
SETTLE_S: Final = TABLE_PERIOD_S + 5.0  # by then a table that is nearly full has been enlarged
_STORE: Final = "revocations.db"
_MIB: Final = 2**20

T = TypeVar("T")

_GATEWAY: Final = replace(GATEWAY, start_s=START_S)


@dataclass(frozen=True, slots=True)
class Memory:
    """What one worker has, in bytes."""

    resident: int  # all of it
    private: int  # not of a file
    peak: int  # the most that has been resident
    table: int  # the files of the table, which all workers of a host share


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A gateway with none, or with so many; and what has been measured of it."""

    name: str
    deployment: Deployment
    starts_s: list[float] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)  # at the first answer, and settled
    runs: list[Run] = field(default_factory=list)

    @property
    def store(self) -> Path:
        """Its database."""
        return self.deployment.folder / _STORE

    def find_table(self, server: Server) -> Path:
        """Return the table that a running gateway keeps."""
        folder = self.deployment.folder / f"{_GATEWAY.name}-{server.port}" / "run"
        return next(folder.glob("run-*/revocations"))


def main() -> int:
    """Measure; return the exit status."""
    options = _parse_options()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            _measure(Path(folder), options)
    except RigError as error:
        show_progress(f"bench: {error}")
        return 1
    return 0


def fill(path: Path, rows: int) -> None:
    """Make a store with so many live revocations, past the gateway: through it takes minutes."""
    asyncio.run(migrate(f"sqlite:///{path}"))
    kind, expires_at_s = RevocationKind.SESSION.value, time.time() + LIVE_S
    values = ((kind, uuid4().hex, epoch, expires_at_s) for epoch in range(1, rows + 1))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO revocations (kind, key, epoch, expires_at_s) VALUES (?, ?, ?, ?)", values
        )
        connection.execute("UPDATE revocation_epoch SET epoch = ?", (rows,))


def _measure(folder: Path, options: argparse.Namespace) -> None:
    cores = choose_cores()
    sides = _make_sides(folder, cores.contender, options.rows)
    load = Load(
        core=cores.load,
        connections=options.connections,
        duration_s=options.duration,
        token=mint(sides[0].deployment.signer),
    )
    print(f"Python {platform.python_version()}, {platform.python_compiler()}.\n")
    with upstream(folder / "upstream", cores.load) as port:
        for _ in range(options.starts - 1):
            for side in sides:
                with _started(side, port, load.token):
                    pass
        few, many = sides
        # Both at once, that they can take turns: one that is not asked costs next to nothing.
        with _started(few, port, load.token) as one, _started(many, port, load.token) as other:
            servers = (one, other)
            time.sleep(SETTLE_S)
            for side, server in zip(sides, servers, strict=True):
                side.memory.append(_memory_of(side, server))
            print(render_starts(sides))
            for number in range(options.rounds):
                for side, server in _turn(list(zip(sides, servers, strict=True)), number):
                    measure(server, replace(load, duration_s=WARM_UP_S))
                    side.runs.append(measure(server, load))
                    show_progress(f"{side.name}: {side.runs[-1].requests_per_s:,.0f}/s")
            print(render_runs(sides, options))
            print(render_steps(list_steps(sides, servers)))


def _make_sides(folder: Path, core: int, rows: int) -> list[Side]:
    sides = []
    signer = make_signer("HS256")
    for name, count in (("none", 0), (f"{rows:,}", rows)):
        own = folder / f"with-{count}"
        own.mkdir()
        store = own / _STORE
        begun_s = time.perf_counter()
        fill(store, count)
        took_s = time.perf_counter() - begun_s
        show_progress(f"{name}: {store.stat().st_size / _MIB:.0f} MiB of SQLite in {took_s:.0f} s")
        sides.append(Side(name=name, deployment=Deployment(own, core, {"store": store}, signer)))
    return sides


@contextmanager
def _started(side: Side, upstream_port: int, token: str) -> Iterator[Server]:
    begun_s = time.perf_counter()
    with _GATEWAY.deployed(side.deployment, upstream_port) as server:
        ask(server, token)
        side.starts_s.append(time.perf_counter() - begun_s)
        side.memory.append(_memory_of(side, server))
        show_progress(f"{side.name}: first answer after {side.starts_s[-1]:.2f} s")
        yield server


def _memory_of(side: Side, server: Server) -> Memory:
    files = side.find_table(server).parent.glob("revocations*")
    return Memory(
        resident=memory_bytes(server.pid, "VmRSS"),
        private=memory_bytes(server.pid, "RssAnon"),
        peak=memory_bytes(server.pid, "VmHWM"),
        table=sum(file.stat().st_size for file in files),
    )


def _turn(sides: list[T], number: int) -> list[T]:
    """Return them so that none always goes first."""
    return sides if number % 2 == 0 else sides[::-1]


def render_starts(sides: Sequence[Side]) -> str:
    """Return the table of what a start takes, and what it leaves behind."""
    rows = []
    for side in sides:
        first, settled = side.memory[-2:]
        cells = (
            side.name,
            f"{side.store.stat().st_size / _MIB:.0f} MiB",
            f"{median(side.starts_s):.2f} s",
            *(f"{size / _MIB:.0f} MiB" for size in (first.resident, settled.resident)),
            *(f"{size / _MIB:.0f} MiB" for size in (settled.private, settled.table, settled.peak)),
        )
        rows.append(f"| {' | '.join(cells)} |")
    few, many = (side.memory[-1] for side in sides)
    head = (
        "| revocations | store on disk | start | RSS then | RSS settled | of it private | table "
        "| peak RSS |\n|--:|--:|--:|--:|--:|--:|--:|--:|"
    )
    cost = (
        f"They cost {(many.resident - few.resident) / _MIB:.0f} MiB of the worker's resident "
        f"memory, {(many.private - few.private) / _MIB:.0f} MiB of it for itself (each worker "
        f"again); at the peak {(many.peak - few.peak) / _MIB:.0f} MiB."
    )
    return "\n".join([head, *rows, "", cost, ""])


def render_runs(sides: Sequence[Side], options: argparse.Namespace) -> str:
    """Return the table of what the same request costs either gateway."""
    few, many = sides
    pairs = list(zip(few.runs, many.runs, strict=True))
    speed = [other.requests_per_s / one.requests_per_s for one, other in pairs]
    thrift = [one.cpu_us / other.cpu_us for one, other in pairs]
    rows = [
        f"| {side.name} | {median(run.requests_per_s for run in side.runs):,.0f} "
        f"| {median(run.cpu_us for run in side.runs):.1f} us "
        f"| {median(run.p99_us for run in side.runs) / 1000:.2f} ms |"
        for side in sides
    ]
    about = (
        f"{options.connections} connections, small GET, one warm HS256 token; medians of "
        f"{options.rounds} rounds of {options.duration} s, taking turns."
    )
    head = "| revocations | requests/s | CPU each | p99 |\n|--:|--:|--:|--:|"
    ratio = (
        f"Ratio: requests/s {median(speed):.3f} ({min(speed):.2f} to {max(speed):.2f}), CPU "
        f"{median(thrift):.3f} ({min(thrift):.2f} to {max(thrift):.2f}); above 1 is better for "
        "many."
    )
    return "\n".join([about, "", head, *rows, "", ratio, ""])


def list_steps(sides: Sequence[Side], servers: Sequence[Server]) -> list[tuple[str, list[float]]]:
    """Measure what asking for revocations costs one request, in microseconds.

    The tables are those of the running gateways.
    """
    token = _verified(sides[0].deployment.signer)
    steps = [
        ("nothing is asked (what the calls cost)", measure_us(_asking(NoRevocations(), token)))
    ]
    for side, server in zip(sides, servers, strict=True):
        table = RevocationTable(side.find_table(server))
        try:
            view = RevocationView(table, max_silence_s=math.inf)
            steps += [
                (f"{side.name}: checked at this epoch", measure_us(_asking(view, token))),
                (f"{side.name}: first look", measure_us(_asking(view, token, epoch=-1))),
            ]
        finally:
            table.close()
    return steps


def render_steps(steps: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Return the table of what asking costs."""
    rows = [
        f"| {name} | {median(costs_us):.2f} us | {min(costs_us):.2f} us |"
        for name, costs_us in steps
    ]
    head = ["| is_stale and is_revoked, per request | median | fastest |", "|---|--:|--:|"]
    return "\n".join([*head, *rows])


def _asking(
    view: Revocations, token: VerifiedToken, *, epoch: int | None = None
) -> Callable[[], None]:
    """Return a call that asks what a request asks; with *epoch*, as last checked then."""
    now_s = time.time()

    def ask() -> None:
        if epoch is not None:
            token.checked_epoch = epoch
        view.is_stale(now_s)
        view.is_revoked(token, now_s)

    token.checked_epoch = -1
    ask()
    return ask


def _verified(signer: Signer) -> VerifiedToken:
    key = VerificationKey("bench", "HS256", signer.key.encode("ascii"))
    issuer = Issuer(name=ISSUER, audiences=frozenset((AUDIENCE,)), keys=(key,))
    token = mint(signer)
    return TokenVerifier((issuer,)).verify(token.encode("ascii"), time.time())


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.revocations", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="revocations of the one side")
    parser.add_argument("--starts", type=int, default=3, help="starts of each side, at least one")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side")
    parser.add_argument("--duration", type=int, default=3, help="seconds of each measured run")
    parser.add_argument("--connections", type=int, default=64, help="kept open by wrk")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
