"""The numbers of all workers as Prometheus reads them: its text format, version 0.0.4.

The format is a page of text; the tests read what is written here with Prometheus' own library.
"""

from collections.abc import Iterable, Mapping
from itertools import accumulate
from math import inf
from typing import Final, TypeAlias

from gateway.observe.series import (
    BUCKETS_S,
    COUNTER,
    FAMILIES,
    HISTOGRAM,
    Family,
    Labels,
    decode_key,
)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Totals: TypeAlias = dict[tuple[str, Labels], list[float]]

_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def sum_up(entries: Iterable[tuple[bool, bytes, tuple[float, ...]]]) -> Totals:
    """Add up what the workers have laid open; of one that has ended, not what it had just then."""
    totals: Totals = {}
    for is_live, key, numbers in entries:
        name, labels = decode_key(key)
        family = FAMILIES.get(name)
        if family is None or not (is_live or family.kind in (COUNTER, HISTOGRAM)):
            continue
        known = totals.get((name, labels))
        totals[(name, labels)] = (
            list(numbers) if known is None else [a + b for a, b in zip(known, numbers, strict=True)]
        )
    return totals


def render(totals: Mapping[tuple[str, Labels], list[float]]) -> str:
    """Return the page."""
    by_family: dict[str, list[tuple[Labels, list[float]]]] = {}
    for (name, labels), numbers in sorted(totals.items()):
        by_family.setdefault(name, []).append((labels, numbers))
    lines: list[str] = []
    for family in FAMILIES.values():
        found = by_family.get(family.name)
        if found:
            lines.append(f"# HELP {family.name} {family.help}")
            lines.append(f"# TYPE {family.name} {family.kind}")
            for labels, numbers in found:
                pairs = list(zip(family.labels, labels, strict=True))
                lines += _samples(family, pairs, numbers)
    return "".join(line + "\n" for line in lines)


def _samples(family: Family, pairs: list[tuple[str, str]], numbers: list[float]) -> list[str]:
    if family.kind != HISTOGRAM:
        return [_sample(family.name, pairs, numbers[0])]
    *buckets, total_s = numbers
    bounds = (*map(_number, BUCKETS_S), "+Inf")
    counts = list(accumulate(buckets))
    return [
        *(
            _sample(f"{family.name}_bucket", [*pairs, ("le", bound)], count)
            for bound, count in zip(bounds, counts, strict=True)
        ),
        _sample(f"{family.name}_sum", pairs, total_s),
        _sample(f"{family.name}_count", pairs, counts[-1]),
    ]


def _sample(name: str, pairs: list[tuple[str, str]], value: float) -> str:
    labels = ",".join(f'{label}="{text.translate(_ESCAPES)}"' for label, text in pairs)
    return f"{name}{{{labels}}} {_number(value)}" if labels else f"{name} {_number(value)}"


def _number(value: float) -> str:
    if value == inf:
        return "+Inf"
    return str(int(value)) if value.is_integer() else repr(value)
