"""Requests per second as bars, in an SVG that reads well on a light and on a dark page."""

from collections.abc import Mapping, Sequence
from html import escape
from statistics import median
from typing import Final

from bench.contenders import Contender
from bench.load import Run

_WIDTH: Final = 760
_LEFT: Final = 400  # where bars begin
_BAR: Final = 18
_STEP: Final = 30

_HEAD: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}" role="img" aria-label="Requests per second of each contender">
<style>
text {{ font: 13px system-ui, sans-serif; fill: #24292f }}
.bar {{ fill: #8c959f }}
.own {{ fill: #0969da }}
.strong {{ font-weight: 600 }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #e6edf3 }}
.bar {{ fill: #6e7681 }}
.own {{ fill: #4493f8 }}
}}
</style>"""


def render_plot(contenders: Sequence[Contender], runs: Mapping[str, Sequence[Run]]) -> str:
    """Return the plot: the medians over the rounds, the fastest first."""
    found = sorted(
        ((median(run.requests_per_s for run in runs[c.name]), c) for c in contenders),
        key=lambda pair: -pair[0],
    )
    scale = (_WIDTH - _LEFT - 90) / found[0][0]
    bars = []
    for index, (rate, contender) in enumerate(found):
        top = 6 + index * _STEP
        is_own = contender.name == "gateway"
        words = ' class="strong"' if is_own else ""
        label = escape(contender.does.replace("`", ""))
        bars.append(
            f'<text x="{_LEFT - 10}" y="{top + 14}" text-anchor="end"{words}>{label}</text>\n'
            f'<rect class="bar{" own" if is_own else ""}" x="{_LEFT}" y="{top}" rx="2" '
            f'width="{rate * scale:.1f}" height="{_BAR}"/>\n'
            f'<text x="{_LEFT + rate * scale + 8:.1f}" y="{top + 14}"{words}>{rate:,.0f}/s</text>'
        )
    head = _HEAD.format(width=_WIDTH, height=len(found) * _STEP + 12)
    return "\n".join([head, *bars, "</svg>\n"])
