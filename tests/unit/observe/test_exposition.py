"""gateway.observe.exposition: the page, as Prometheus' own library reads it."""

from math import inf
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from gateway.observe.exposition import render, sum_up
from gateway.observe.series import BUCKETS_S, FAMILIES, encode_key

WIDTH: Final = len(BUCKETS_S) + 2


def samples(page: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return every sample of a page by its name and labels."""
    return {
        (sample.name, tuple(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_labels_are_read_as_they_were() -> None:
    """Names of routes come from the operator, with quotes and line ends if that be."""
    name = 'a "quoted"\\ name\nof two lines'
    read = samples(render({("gateway_requests_total", (name, "2xx", "")): [3.0]}))

    labels = (("route", name), ("status", "2xx"), ("reason", ""))
    assert read == {("gateway_requests_total", labels): 3.0}


def test_a_histogram_has_buckets_that_grow() -> None:
    """Each bucket counts all that is not longer; the last one is the count."""
    numbers = [1.0] * (len(BUCKETS_S) + 1) + [12.5]
    read = samples(render({("gateway_request_duration_seconds", ("r",)): numbers}))

    name = "gateway_request_duration_seconds"
    counts = [value for (sample, _), value in read.items() if sample == f"{name}_bucket"]
    assert counts == list(range(1, len(BUCKETS_S) + 2))
    assert read[f"{name}_count", (("route", "r"),)] == len(BUCKETS_S) + 1
    assert read[f"{name}_sum", (("route", "r"),)] == 12.5


def test_every_family_has_its_type() -> None:
    """A page with all there is can be read, and says what each is."""
    totals = {
        (family.name, tuple(family.labels)): [0.0] * family.width for family in FAMILIES.values()
    }
    read = list(text_string_to_metric_families(render(totals)))

    kinds = {(family.name, family.type) for family in read}
    assert kinds == {(f.name.removesuffix("_total"), f.kind) for f in FAMILIES.values()}


def test_nothing_heard_of_the_store_is_for_ever() -> None:
    """Before the first contact."""
    page = render({("gateway_store_silence_seconds", ()): [inf]})

    assert page.endswith("\ngateway_store_silence_seconds +Inf\n")


def test_workers_add_up_and_the_dead_have_nothing_now() -> None:
    """Counters of a worker that has ended stay; its connections are gone."""
    counter = encode_key("gateway_logins_total", ("done",))
    gauge = encode_key("gateway_requests_in_flight", ())
    totals = sum_up(
        [
            (True, counter, (2.0,)), (False, counter, (40.0,)), (True, counter, (1.0,)),
            (True, gauge, (3.0,)), (False, gauge, (5.0,)), (True, b'["unknown"]', (1.0,)),
        ]
    )  # fmt: skip

    assert totals == {
        ("gateway_logins_total", ("done",)): [43.0],
        ("gateway_requests_in_flight", ()): [3.0],
    }
