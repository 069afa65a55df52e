"""docs/observability.md names every member of a line and every metric, and none else."""

import json
import re
from typing import Final

from gateway.observe.lines import LogLine
from gateway.observe.series import FAMILIES
from tests.kit.documents import blocks, read

PAGE: Final = read("docs/observability.md")
LOG: Final = PAGE.partition("## The access log")[2].partition("\n## ")[0]
METRICS: Final = PAGE.partition("## Metrics")[2].partition("\n## ")[0]
_MEMBER: Final = re.compile(r"^\| `(\w+)` \| ", re.MULTILINE)
_METRIC: Final = re.compile(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| ", re.MULTILINE)
_MENTION: Final = re.compile(r"gateway_\w+")


def test_the_members_of_a_line_are_those_of_the_table() -> None:
    """In their order, in the example too."""
    line = list(json.loads(LogLine(0.0, "", listener="public").encode()))
    (example,) = blocks(LOG, "json")

    assert _MEMBER.findall(LOG) == line
    assert list(json.loads(example)) == line


def test_the_metrics_are_those_of_the_table() -> None:
    """Each with its type and its labels, in the order of the page that is scraped."""
    listed = [
        (name, kind, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in _METRIC.findall(METRICS)
    ]

    assert listed == [(f.name, f.kind, f.labels) for f in FAMILIES.values()]


def test_a_metric_that_is_mentioned_exists() -> None:
    """In the advice, too."""
    assert set(_MENTION.findall(PAGE)) <= set(FAMILIES)
