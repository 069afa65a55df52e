"""gateway.observe.writer: lines go out, and nobody is ever waited for."""

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.observe.writer import CHUNK_BYTES, MAX_WAITING_BYTES, LineWriter, open_target


def run(step: Callable[[], None]) -> None:
    """Run a step in a loop, and let what it has scheduled happen."""

    async def main() -> None:
        step()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())


def test_lines_are_appended_to_a_file(tmp_path: Path) -> None:
    """A file that is there keeps what it has; a new one is not for everybody to read."""
    path = tmp_path / "access.log"
    for text in (b"one\n", b"two\n"):
        writer = LineWriter(open_target(str(path)), [0.0])
        run(lambda writer=writer, text=text: writer.write(text))  # type: ignore[misc]
        writer.close()

    assert path.read_bytes() == b"one\ntwo\n"
    assert path.stat().st_mode & 0o007 == 0


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    """Whoever opens it says so at the start."""
    with pytest.raises(OSError, match="No such file"):
        open_target(str(tmp_path / "none" / "access.log"))


def test_standard_output_is_one(capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever that is: here a file, in a container a pipe."""
    writer = LineWriter(open_target("stdout"), [0.0])
    run(lambda: writer.write(b"told\n"))
    writer.close()

    assert capfd.readouterr().out == "told\n"


@pytest.fixture
def pipe() -> tuple[int, int]:
    """A pipe: its end to read from, and one to write to that waits for nobody."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, CHUNK_BYTES)
    return reading, writing


def test_a_full_pipe_holds_nobody_and_loses_what_is_above_the_bound(pipe: tuple[int, int]) -> None:
    """What was not taken is counted; what was kept comes in order, once it is read."""
    reading, writing = pipe
    dropped = [0.0]
    writer = LineWriter(writing, dropped)
    line = b"x" * 1023 + b"\n"
    count = 2 * MAX_WAITING_BYTES // len(line)

    def fill() -> None:
        for _ in range(count):
            writer.write(line)

    run(fill)
    assert dropped[0] == count - MAX_WAITING_BYTES // len(line)
    taken = os.read(reading, 1 << 20)
    before = dropped[0]
    writer.close()  # nobody reads any more: half a second, and the rest is lost
    os.set_blocking(reading, False)
    taken += os.read(reading, 1 << 20)
    os.close(reading)

    assert set(taken.split(b"\n")) == {line[:-1], b""}
    assert dropped[0] - before == MAX_WAITING_BYTES // len(line) - len(taken) // len(line)


def test_lines_that_wait_are_written_when_there_is_room(pipe: tuple[int, int]) -> None:
    """A reader that was slow for a moment misses nothing."""
    reading, writing = pipe
    writer = LineWriter(writing, [0.0])
    lines = [b"%07d\n" % number for number in range(2000)]

    async def main() -> bytes:
        for line in lines:
            writer.write(line)
        taken = b""
        while len(taken) < 8 * len(lines):
            taken += await asyncio.to_thread(os.read, reading, 1 << 20)
        return taken

    assert asyncio.run(main()) == b"".join(lines)
    writer.close()
    os.close(reading)


def test_a_reader_that_has_gone_is_told_of_once(
    pipe: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    """The gateway goes on; the number of lines lost says how much is missing."""
    reading, writing = pipe
    os.close(reading)
    dropped = [0.0]
    writer = LineWriter(writing, dropped)
    for _ in range(3):
        run(lambda: writer.write(b"line\n"))
    writer.close()
    writer.write(b"too late\n")

    assert dropped == [4.0]
    assert len(caplog.messages) == 1
