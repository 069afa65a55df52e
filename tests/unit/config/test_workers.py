"""How many processes serve."""

import os
from collections.abc import Callable

import pytest

from gateway.config.workers import MAX_WORKERS, WorkerChoice, worker_count
from tests.unit.config.conftest import Complain, Read

CURE = "write a whole number from 1 to 256 without quotes, or auto"

TAKEN: list[tuple[str, WorkerChoice]] = [
    ("1", 1), ("256", 256), ("auto", "auto"), ("'auto'", "auto"), ("'${N}'", 4), ("'${A}'", "auto"),
    ("'${NIL:-2}'", 2),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TAKEN)
def test_a_number_or_auto(text: str, expected: WorkerChoice, read_more: Read) -> None:
    """Also from a variable, which is text."""
    settings = read_more(f"workers: {text}", {"N": "4", "A": "auto"}).settings

    assert settings.workers == expected
    assert type(settings.workers) in (int, str)


@pytest.mark.parametrize(
    "text", ["0", "-1", "257", "1.0", "true", "'2'", "AUTO", "many", "[1]", "'${ZERO}'", "'${BIG}'"]
)
def test_anything_else_is_refused(text: str, complain_more: Complain) -> None:
    """A slip would start thousands of processes, or none."""
    said = complain_more(f"workers: {text}", {"ZERO": "00", "BIG": "257"})

    assert said.startswith("f:5: workers")
    assert said.endswith(f" is not a number of workers -> {CURE}")


def test_one_is_the_default(read_more: Read) -> None:
    """DESIGN.md section 2."""
    assert worker_count(read_more("").settings.workers) == 1


def test_a_number_is_what_it_says() -> None:
    """Whatever the host has."""
    assert worker_count(3) == 3


def test_auto_is_one_for_each_core_that_we_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that has two of 64 cores gets two."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5}, raising=False)

    assert worker_count("auto") == 2


@pytest.mark.parametrize(
    ("count", "expected"), [(lambda: 8, 8), (lambda: None, 1), (lambda: 1024, MAX_WORKERS)]
)
def test_auto_where_no_process_is_tied_to_cores(
    count: Callable[[], int | None], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All cores, one where nobody knows how many, and never more than may be written."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", count)

    assert worker_count("auto") == expected
