"""gateway.observe.sheets: what one worker counts, all can read."""

from pathlib import Path

import pytest

from gateway.observe.sheets import SHEET_BYTES, SheetWriter, read_sheets


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
