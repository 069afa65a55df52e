"""The numbers of one process: what there is (a table), and where it is counted.

Counting is one addition to a list. Every other step waits for ``publish``, which puts what has
changed where the other processes of this host can read it (``sheets``).

The rule to keep in mind: labels come from the configuration and from closed lists alone (THREATS.md
OPS-16). What a client sends is never one, so that there are as many series as the file implies.
"""

import json
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

# Upper bounds in seconds: Prometheus' own defaults, and three below, since a proxy's share of a
# request is a millisecond or less. The last one is the default of ``response_timeout``.
BUCKETS_S: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip

COUNTER: Final = "counter"
GAUGE: Final = "gauge"  # summed over the workers that live
HISTOGRAM: Final = "histogram"

Numbers: TypeAlias = list[float]
Labels: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: all series of a name."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str

    @property
    def width(self) -> int:
        """How many numbers a series has: a histogram's buckets, the one above them, and the sum."""
        return len(BUCKETS_S) + 2 if self.kind == HISTOGRAM else 1


def _table(*families: Family) -> dict[str, Family]:
    return {family.name: family for family in families}


FAMILIES: Final = _table(
    Family(
        "gateway_requests_total",
        COUNTER,
        ("route", "status", "reason"),
        "Requests that have ended, by route, class of the status and reason.",
    ),
    Family(
        "gateway_request_duration_seconds",
        HISTOGRAM,
        ("route",),
        "From the end of a request's head to the end of its answer.",
    ),
    Family(
        "gateway_upstream_response_seconds",
        HISTOGRAM,
        ("upstream",),
        "From the end of a request's head to the head of the service's answer.",
    ),
    Family(
        "gateway_request_body_bytes_total",
        COUNTER,
        ("route",),
        "Bytes of the bodies of requests.",
    ),
    Family(
        "gateway_response_body_bytes_total",
        COUNTER,
        ("route",),
        "Bytes of the bodies of answers.",
    ),
    Family(
        "gateway_tokens_total",
        COUNTER,
        ("cache",),
        "Requests with a good token: verified anew (miss) or remembered (hit).",
    ),
    Family("gateway_logins_total", COUNTER, ("outcome",), "Logins, by outcome."),
    Family("gateway_refreshes_total", COUNTER, ("outcome",), "Refreshes, by outcome."),
    Family("gateway_logouts_total", COUNTER, ("outcome",), "Logouts, by outcome."),
    Family(
        "gateway_access_log_dropped_total",
        COUNTER,
        (),
        "Lines of the access log that were not written, since nobody took them in time.",
    ),
    Family(
        "gateway_connections_refused_total",
        COUNTER,
        ("limit",),
        "Connections that were refused, by the key of limits that they were beyond.",
    ),
    Family(
        "gateway_loop_lag_seconds",
        HISTOGRAM,
        (),
        "How late the loop of a worker does what is due, asked twice a second.",
    ),
    Family(
        "gateway_reloads_total",
        COUNTER,
        ("outcome",),
        "Times that the configuration was read again: done, or refused since it had faults.",
    ),
    Family(
        "gateway_configuration_refused",
        GAUGE,
        (),
        "1 where the last reload was refused: the file on disk is not what serves.",
    ),
    Family(
        "gateway_rate_limits_alone_total",
        COUNTER,
        (),
        "Requests with a rate limit that Redis could not be asked about.",
    ),
    Family("gateway_requests_in_flight", GAUGE, (), "Requests that have not ended yet."),
    Family("gateway_client_connections", GAUGE, (), "Open connections of clients."),
    Family("gateway_tunnels", GAUGE, (), "Open websockets."),
    Family(
        "gateway_upstream_connections",
        GAUGE,
        ("upstream", "state"),
        "Open connections to a service, idle or busy (being made, too).",
    ),
    Family(
        "gateway_upstream_waiting",
        GAUGE,
        ("upstream",),
        "Requests that wait for a connection to a service.",
    ),
    Family(
        "gateway_upstream_endpoint_up",
        GAUGE,
        ("upstream", "endpoint"),
        "Workers that send requests to an endpoint: to them it is neither ejected nor unhealthy.",
    ),
    Family("gateway_token_cache_entries", GAUGE, (), "Verified tokens that are remembered."),
    Family("gateway_workers", GAUGE, (), "Processes that serve."),
    Family("gateway_tasks", GAUGE, (), "Tasks of the event loops of the workers."),
    Family("gateway_signing_keys", GAUGE, (), "Keys that sign or verify the gateway's tokens."),
    Family("gateway_revocations", GAUGE, (), "Revocations that are held, expired ones included."),
    Family(
        "gateway_store_silence_seconds",
        GAUGE,
        (),
        "How long ago the store was reached last.",
    ),
)


class Place(Protocol):
    """Where a series is published."""

    def put(self, numbers: Numbers) -> None:
        """Write the numbers as they are now."""
        ...


class Series:
    """The numbers of one name and one set of labels."""

    __slots__ = ("numbers", "place", "published")

    def __init__(self, place: Place, width: int) -> None:
        self.numbers: Numbers = [0.0] * width
        self.published: Numbers = []
        self.place = place

    def publish(self) -> None:
        """Put the numbers where others see them, if they have changed."""
        if self.numbers != self.published:
            self.place.put(self.numbers)
            self.published = self.numbers.copy()


class Histogram:
    """Durations, sorted into buckets; each counts what is not in a lower one."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def add(self, duration_s: float) -> None:
        """Count one duration."""
        numbers = self._numbers
        numbers[bisect_left(BUCKETS_S, duration_s)] += 1.0
        numbers[-1] += duration_s


class Board:
    """All series of one process.

    Args:
        make_place: Returns where a series is published, for its key and how many numbers it has.
    """

    __slots__ = ("_make_place", "_series")

    def __init__(self, make_place: Callable[[bytes, int], Place]) -> None:
        self._make_place = make_place
        self._series: dict[tuple[str, Labels], Series] = {}

    def numbers(self, name: str, *labels: str) -> Numbers:
        """Return the numbers of a series, to be added to; made at first use.

        Raises:
            KeyError: There is no such metric.
        """
        key = (name, labels)
        series = self._series.get(key)
        if series is None:
            width = FAMILIES[name].width
            place = self._make_place(encode_key(name, labels), width)
            series = self._series[key] = Series(place, width)
        return series.numbers

    def publish(self) -> None:
        """Put all that has changed where the other processes see it."""
        for series in self._series.values():
            series.publish()


def encode_key(name: str, labels: Labels) -> bytes:
    """Return what a series is called in a sheet."""
    return json.dumps([name, *labels], separators=(",", ":")).encode("ascii")


def decode_key(key: bytes) -> tuple[str, Labels]:
    """Return what ``encode_key`` was given."""
    name, *labels = json.loads(key)
    return name, tuple(labels)
