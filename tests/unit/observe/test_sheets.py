"""gateway.observe.sheets: what one worker counts, all can read."""

import errno
import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.observe.sheets import (
    MAX_ENDED,
    SHEET_BYTES,
    SheetWriter,
    fold_ended,
    read_sheets,
)


def test_what_is_put_is_read(tmp_path: Path) -> None:
    """By key, with every number."""
    writer = SheetWriter(tmp_path)
    first, second = writer.add(b'["a"]', 1), writer.add(b'["b", "longer"]', 3)
    second.put([1.0, 2.5, 3.0])
    first.put([7.0])

    entries = [(live, key.rstrip(), numbers) for live, key, numbers in read_sheets(tmp_path)]
    assert entries == [(True, b'["a"]', (7.0,)), (True, b'["b", "longer"]', (1.0, 2.5, 3.0))]
    writer.close()


def test_the_numbers_of_a_worker_outlive_it(tmp_path: Path) -> None:
    """A restart makes no counter smaller; whether the worker lives is told by its lock."""
    writer = SheetWriter(tmp_path)
    writer.add(b'["a"]', 1).put([7.0])
    writer.close()

    assert list(read_sheets(tmp_path)) == [(False, b'["a"]   ', (7.0,))]


def test_a_full_sheet_is_followed_by_another(tmp_path: Path) -> None:
    """Nothing moves, nothing is lost; a series longer than a sheet gets one of its size."""
    writer = SheetWriter(tmp_path)
    count = SHEET_BYTES // 16
    for number in range(count):
        writer.add(b'["%05d"]' % number, 1).put([float(number)])
    writer.add(b'["x"]', SHEET_BYTES // 8).put([1.0] * (SHEET_BYTES // 8))

    read = {key.rstrip(): numbers for _, key, numbers in read_sheets(tmp_path)}
    assert len(read) == count + 1
    assert all(read[b'["%05d"]' % number] == (number,) for number in range(count))
    writer.close()


def test_without_room_the_worker_counts_for_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Metrics are never a reason to stop serving."""
    writer = SheetWriter(tmp_path / "none")
    writer.add(b'["a"]', 1).put([1.0])

    assert "metrics cannot be shared" in caplog.text
    assert list(read_sheets(tmp_path / "none")) == []


def test_a_sheet_that_is_just_being_made_has_no_entries(tmp_path: Path) -> None:
    """Nor has a file of that name that is none."""
    (tmp_path / "metrics-new").write_bytes(bytes(64))

    assert list(read_sheets(tmp_path)) == []


def _ended(directory: Path, value: float, key: bytes = b'["a"]') -> None:
    """Leave a sheet behind as a worker that has ended does; nothing is put together yet."""
    writer = SheetWriter(directory)
    writer.add(key, 2).put([value, 1.0])
    writer.close()


def _files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("metrics-*"))


def _sum(directory: Path) -> tuple[float, ...]:
    numbers = [numbers for _, key, numbers in read_sheets(directory) if key.rstrip() == b'["a"]']
    return tuple(map(sum, zip(*numbers, strict=True)))


def test_workers_that_end_again_and_again_leave_few_files(tmp_path: Path) -> None:
    """However often one crashes; no number is lost, none counts twice, and the living stay."""
    living = SheetWriter(tmp_path)
    living.add(b'["a"]', 2).put([1000.0, 1.0])
    most = 0
    for number in range(3 * MAX_ENDED):
        _ended(tmp_path, 0.1)
        most = max(most, len(_files(tmp_path)))
        total, count = _sum(tmp_path)
        assert total == pytest.approx(1000 + 0.1 * (number + 1))
        assert count == number + 2

    assert most <= MAX_ENDED + 3
    assert "metrics-ended" in _files(tmp_path)
    assert [live for live, _, _ in read_sheets(tmp_path)].count(True) == 1
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())
    living.close()


def test_putting_sheets_together_changes_no_sum(tmp_path: Path) -> None:
    """To the last bit: a counter that goes back by any amount is a restart to Prometheus."""
    for value in (0.1, 0.2, 0.3, 1e-9, 12345.678, 2.0**53, 7.7):
        _ended(tmp_path, value)
    before = _sum(tmp_path)

    fold_ended(tmp_path, most=0)
    assert _files(tmp_path) == ["metrics-ended"]
    assert _sum(tmp_path) == before


def test_a_fold_that_was_cut_short_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the new sheet and the removal of the old ones; the next one tidies up."""
    _ended(tmp_path, 1.0)
    _ended(tmp_path, 2.0, b'["a"]')

    def killed(*_: object, **__: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        fold_ended(tmp_path, most=0)
    assert len(_files(tmp_path)) == 2

    fold_ended(tmp_path, most=0)
    assert _sum(tmp_path) == (3.0, 2.0)
    with monkeypatch.context() as patched:
        patched.setattr("gateway.observe.sheets.Path.unlink", _not_of_sheets(Path.unlink))
        _ended(tmp_path, 4.0)
        fold_ended(tmp_path, most=0)
    assert len(_files(tmp_path)) == 2
    assert _sum(tmp_path) == (7.0, 3.0)
    fold_ended(tmp_path, most=0)
    assert _files(tmp_path) == ["metrics-ended"]
    assert _sum(tmp_path) == (7.0, 3.0)


def _not_of_sheets(unlink: Callable[..., None]) -> Callable[..., None]:
    def some(path: Path, *, missing_ok: bool = False) -> None:
        if path.name.startswith("metrics-"):
            raise InterruptedError
        unlink(path, missing_ok=missing_ok)

    return some


def test_nothing_is_put_together_while_somebody_reads(tmp_path: Path) -> None:
    """What one reads must not move meanwhile; the next worker that starts has another try."""
    _ended(tmp_path, 1.0)
    with (tmp_path / "metrics.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        fold_ended(tmp_path, most=0)
        assert "metrics-ended" not in _files(tmp_path)

    fold_ended(tmp_path, most=0)
    assert _files(tmp_path) == ["metrics-ended"]


def test_where_there_is_no_room_sheets_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk loses no number that lies on it."""
    _ended(tmp_path, 1.0)
    monkeypatch.setattr(Path, "rename", _no_room)
    fold_ended(tmp_path, most=0)

    assert _sum(tmp_path) == (1.0, 1.0)


def _no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_broken_sheet_is_no_reason_not_to_start(tmp_path: Path) -> None:
    """Whoever wrote it: sheets are then left as they are."""
    _ended(tmp_path, 1.0)
    (tmp_path / "metrics-broken").write_bytes(b"gwsheet1" + b"\x08" + bytes(7) + b"\xff" * 64)

    SheetWriter(tmp_path).close()
    fold_ended(tmp_path, most=0)
    assert len(_files(tmp_path)) == 2


def test_a_directory_that_is_gone_is_no_reason_not_to_start(tmp_path: Path) -> None:
    """There is nothing to put together, and nobody to ask."""
    fold_ended(tmp_path / "none", most=0)

    assert list(read_sheets(tmp_path / "none")) == []
