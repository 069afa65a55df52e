"""Requests per second as bars, in an SVG that reads well on a light and on a dark page."""

from collections.abc import Mapping, Sequence
from html import escape
from statistics import median
from typing import Final

from bench.contenders import Contender
from bench.load import Run

_WIDTH: Final = 760
_LEFT: Final = 300  # where bars begin
_RIGHT: Final = 90  # left free for the figure behind the longest bar
_TOP: Final = 36
_BAR: Final = 22
_STEP: Final = 44

_HEAD: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}" role="img" aria-label="Requests per second of each contender">
<style>
text {{ font: 14px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }}
.small {{ font-size: 11.5px; fill: #59636e }}
.bar {{ fill: #afb8c1 }}
.own {{ fill: #0969da }}
.strong {{ font-weight: 600 }}
.axis {{ stroke: #d1d9e0 }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #f0f6fc }}
.small {{ fill: #9198a1 }}
.bar {{ fill: #59636e }}
.own {{ fill: #4493f8 }}
.axis {{ stroke: #3d444d }}
}}
</style>
<text class="small" x="{left}" y="18">requests per second on one core, more is better</text>"""


def render_plot(contenders: Sequence[Contender], runs: Mapping[str, Sequence[Run]]) -> str:
    """Return the plot: the medians over the rounds, the fastest first."""
    found = sorted(
        ((median(run.requests_per_s for run in runs[c.name]), c) for c in contenders),
        key=lambda pair: -pair[0],
    )
    scale = (_WIDTH - _LEFT - _RIGHT) / found[0][0]
    rows = [
        _render_row(_TOP + index * _STEP, rate, rate * scale, contender)
        for index, (rate, contender) in enumerate(found)
    ]
    bottom = _TOP + len(found) * _STEP
    axis = f'<path class="axis" d="M{_LEFT - 0.5} {_TOP - 6}V{bottom - 12}"/>'
    head = _HEAD.format(width=_WIDTH, height=bottom, left=_LEFT)
    return "\n".join([head, *rows, axis, "</svg>\n"])


def _render_row(top: int, rate: float, length: float, contender: Contender) -> str:
    """Return a bar with what it is of on its left, in two lines, and its figure on its right."""
    is_own = contender.name == "gateway"
    words = ' class="strong"' if is_own else ""
    name, _, detail = escape(contender.does.replace("`", "")).partition(", ")
    middle = top + _BAR // 2
    label = f'<text x="{_LEFT - 12}" y="{middle + (-2 if detail else 5)}" text-anchor="end"{words}>'
    lines = [f"{label}{name}</text>"]
    if detail:
        small = f'<text class="small" x="{_LEFT - 12}" y="{middle + 13}" text-anchor="end">'
        lines.append(f"{small}{detail}</text>")
    lines.append(
        f'<rect class="bar{" own" if is_own else ""}" x="{_LEFT}" y="{top}" rx="3" '
        f'width="{length:.1f}" height="{_BAR}"/>'
    )
    lines.append(f'<text x="{_LEFT + length + 8:.1f}" y="{middle + 5}"{words}>{rate:,.0f}</text>')
    return "\n".join(lines)
