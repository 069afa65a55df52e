"""What a process gives to those that it starts."""

import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Final

import pytest

from gateway import parcel
from gateway.parcel import Parcel

PIPE_BYTES: Final = 64 * 1024
LARGE: Final = {number: f"{number:0100}" for number in range(10_000)}


def _echo(given: Parcel[dict[int, str]], answers: Connection) -> None:
    answers.send(given.content)


@pytest.mark.parametrize("has_memfd", [True, False], ids=["memfd", "temporary-file"])
def test_several_processes_are_given_the_same(
    monkeypatch: pytest.MonkeyPatch, *, has_memfd: bool
) -> None:
    """More than a pipe holds; each reads all of it."""
    if not has_memfd:
        monkeypatch.setattr(parcel, "_make_memfd", None)
    assert len(ForkingPickler.dumps(LARGE)) > PIPE_BYTES
    given = Parcel(LARGE)
    spawn = multiprocessing.get_context("spawn")
    for _ in range(2):
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=_echo, args=(given, theirs))
        process.start()
        theirs.close()
        assert ours.recv() == LARGE
        process.join(60)
        assert process.exitcode == 0
