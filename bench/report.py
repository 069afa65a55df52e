"""What the runs say, as a Markdown table.

A ratio is taken between runs of the same round and only then the median over the rounds: what slows
the machine for a minute slows both sides of it.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from bench.contenders import Contender
from bench.load import Run

_HEAD: Final = """\
| contender | requests/s | ratio | lowest, highest | p50 | p99 | CPU each | CPU ratio | core busy |
|---|--:|--:|--:|--:|--:|--:|--:|--:|"""

SATURATED: Final = 0.9  # of its core; below that something else was the limit

_WARNING: Final = """
Not at the limit of their core: {}. Their requests/s say what the load, the service and other work
left room for; compare the CPU that each request took instead."""


def render_table(
    contenders: Sequence[Contender], runs: Mapping[str, Sequence[Run]], baseline: str
) -> str:
    """Return the table: medians over the rounds, ratios to the contender named *baseline*."""
    rows = [_row(contender, runs[contender.name], runs.get(baseline)) for contender in contenders]
    idle = [c.name for c in contenders if median(run.busy for run in runs[c.name]) < SATURATED]
    return "\n".join([_HEAD, *rows, *([_WARNING.format(", ".join(idle))] if idle else [])])


def _row(contender: Contender, own: Sequence[Run], base: Sequence[Run] | None) -> str:
    pairs = list(zip(own, base, strict=True)) if base is not None else []
    speed = [mine.requests_per_s / its.requests_per_s for mine, its in pairs]
    # More CPU per request is worse, so this one is turned over: above 1 is better here too.
    thrift = [its.cpu_us / mine.cpu_us for mine, its in pairs]
    cells = (
        contender.does,
        f"{median(run.requests_per_s for run in own):,.0f}",
        f"{median(speed):.2f}" if pairs else "-",
        f"{min(speed):.2f} to {max(speed):.2f}" if pairs else "-",
        f"{median(run.p50_us for run in own) / 1000:.2f} ms",
        f"{median(run.p99_us for run in own) / 1000:.2f} ms",
        f"{median(run.cpu_us for run in own):.1f} us",
        f"{median(thrift):.2f}" if pairs else "-",
        f"{median(run.busy for run in own):.0%}",
    )
    return f"| {' | '.join(cells)} |"
