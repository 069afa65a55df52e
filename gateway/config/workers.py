"""How many processes serve: ``workers``."""

import os
import re
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BeforeValidator, WithJsonSchema

from gateway.config.fields import VARIABLE, refusal
from gateway.config.secrets import Expanded

MAX_WORKERS: Final = 256  # more than a host has cores is a slip
_AUTO: Final = "auto"
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,2}")

WorkerChoice: TypeAlias = int | Literal["auto"]


def worker_count(workers: WorkerChoice) -> int:
    """Return how many processes are meant; ``auto`` is one for each core that we may use."""
    return min(_core_count(), MAX_WORKERS) if workers == _AUTO else workers


def _core_count() -> int:
    if hasattr(os, "sched_getaffinity"):  # only some systems tie a process to some of the cores
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _parse_workers(value: object) -> WorkerChoice:
    if value == _AUTO:
        return _AUTO
    if isinstance(value, Expanded) and _NUMBER.fullmatch(value):
        value = int(value)
    if type(value) is not int or not 1 <= value <= MAX_WORKERS:
        raise refusal(
            "{value} is not a number of workers",
            f"write a whole number from 1 to {MAX_WORKERS} without quotes, or auto",
        )
    return value


Workers = Annotated[
    WorkerChoice,
    BeforeValidator(_parse_workers),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MAX_WORKERS},
                {"enum": [_AUTO]},
                {"type": "string", "pattern": VARIABLE},
            ]
        }
    ),
]
