"""The table of revocations: a dictionary that processes share, and that survives its writers."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, cast

import pytest

from gateway.errors import ConfigError
from gateway.issuer import shared_file
from gateway.issuer.revocation_log import RevocationLog, log_path
from gateway.issuer.revocation_table import RevocationTable
from gateway.issuer.shared_file import Fence, SharedFileError, held, open_file
from gateway.store.revocations import Revocation
from tests.kit.revocations import LONG_AGO_S, NOW_S, token_revocation, user_revocation


class Died(BaseException):
    """A writer was killed here."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the table of a test is."""
    return tmp_path / "revocations"


@pytest.fixture
def table(path: Path) -> Iterator[RevocationTable]:
    """An empty table with room for eight."""
    table = RevocationTable.create(path, 8)
    yield table
    table.close()


@pytest.fixture
def other(table: RevocationTable, path: Path) -> Iterator[RevocationTable]:
    """The same table, as another process has it."""
    assert table.generation == 1
    other = RevocationTable(path)
    yield other
    other.close()


def _is_revoked(table: RevocationTable, key: str) -> bool:
    return table.is_revoked([("jti", key)], NOW_S, NOW_S)


def _tokens(first: int, end: int) -> list[Revocation]:
    return [token_revocation(str(number)) for number in range(first, end)]


def test_any_of_the_claims_revokes(table: RevocationTable) -> None:
    """A token is asked for by all its claims at once."""
    table.add([user_revocation("aymen", NOW_S)])

    assert table.is_revoked([("jti", "x"), ("sub", "aymen")], NOW_S, NOW_S)
    assert not table.is_revoked([("jti", "x"), ("sub", "alice")], NOW_S, NOW_S)
    assert not table.is_revoked([], NOW_S, NOW_S)


def test_a_name_with_half_a_character_can_be_revoked(table: RevocationTable) -> None:
    """What an operator's JSON spells as a lone surrogate is a key like others, and no error."""
    table.add([token_revocation("\ud800")])

    assert _is_revoked(table, "\ud800")


def test_the_epoch_moves_with_news_only(table: RevocationTable) -> None:
    """What is imported from the store again and again makes nobody look anything up."""
    table.add([token_revocation("a")])
    epoch = table.epoch

    table.add([token_revocation("a"), token_revocation("a", LONG_AGO_S)])
    assert table.epoch == epoch
    table.add([token_revocation("a", NOW_S + 5000)])

    assert table.epoch == epoch + 1


# --- growing and shrinking ------------------------------------------------------------------------


def test_a_full_table_grows(table: RevocationTable, other: RevocationTable) -> None:
    """It never refuses for its size, and who has the old log open finds the new one."""
    table.add(_tokens(0, 3000))

    assert table.capacity == 4096
    assert table.generation == other.generation > 1
    assert all(_is_revoked(other, str(number)) for number in range(3000))


def test_a_purge_drops_what_has_expired_and_shrinks(table: RevocationTable, path: Path) -> None:
    """After the storm the table has the size that it was made with; one log stands there."""
    table.add(token_revocation(f"old {number}", LONG_AGO_S) for number in range(4000))
    table.add(_tokens(0, 3))
    assert table.capacity == 4096

    assert table.purge(NOW_S)

    assert table.capacity == 128  # a quarter of the old one's room might be taken while it copies
    assert all(_is_revoked(table, str(number)) for number in range(3))
    assert {file.name for file in path.parent.iterdir()} == {
        path.name,
        log_path(path, table.generation).name,
    }


def test_a_purge_waits_until_it_is_worth_it(table: RevocationTable) -> None:
    """Up to three quarters, what has expired harms nobody."""
    table.add(token_revocation(f"old {number}", LONG_AGO_S) for number in range(5))
    assert not table.purge(NOW_S)
    table.add(_tokens(0, 1))

    assert table.purge(NOW_S)
    assert not table.purge(NOW_S)


def test_a_clock_set_forward_and_back_revives_nothing(table: RevocationTable) -> None:
    """SES-24: what has expired is kept for an hour more."""
    table.add(_tokens(0, 7))

    assert table.purge(NOW_S + 1000 + 3599)

    assert all(_is_revoked(table, str(number)) for number in range(7))


def test_what_is_added_while_a_log_is_copied_is_copied_too(
    table: RevocationTable, other: RevocationTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers go on beside a purge."""
    table.add(_tokens(0, 7))
    make = shared_file.make_file

    def add_meanwhile(path: Path, size: int) -> object:
        other.add(_tokens(7, 8))
        return make(path, size)

    monkeypatch.setattr("gateway.issuer.revocation_log.make_file", add_meanwhile)
    assert table.purge(NOW_S)

    assert all(_is_revoked(other, str(number)) for number in range(8))
    assert other.generation == 2


@pytest.mark.parametrize("is_removed", [False, True], ids=["still-there", "removed"])
def test_two_processes_copy_a_log_once(
    table: RevocationTable,
    other: RevocationTable,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_removed: bool,
) -> None:
    """Who comes second to the lock finds the work done, and goes on with the new log."""
    table.add(_tokens(0, 7))
    assert _is_revoked(other, "0")

    def be_second(name: Path) -> int:
        monkeypatch.undo()
        if is_removed:
            assert table.purge(NOW_S)
            return open_file(name)
        descriptor = open_file(name)
        assert table.purge(NOW_S)
        return descriptor

    monkeypatch.setattr(shared_file, "open_file", be_second)
    other.purge(NOW_S)

    assert other.generation == table.generation == 2
    assert _is_revoked(other, "0")
    assert log_path(path, 2).exists()


def test_a_reader_finds_the_log_after_the_next(
    table: RevocationTable, other: RevocationTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that is replaced between its number and its opening is no error."""
    table.add(_tokens(0, 9))

    def grow_first(path: Path) -> int:
        monkeypatch.undo()
        table.add(_tokens(9, 17))
        return open_file(path)

    monkeypatch.setattr(shared_file, "open_file", grow_first)

    assert _is_revoked(other, "16")


# --- what can go wrong ----------------------------------------------------------------------------


def test_a_writer_keeps_the_order_of_its_steps(
    table: RevocationTable, other: RevocationTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries, index, epoch, count: who has seen the epoch finds what it was counted up for."""
    log = other._current()
    steps = []

    def watch(_: Fence) -> None:
        steps.append((log.written(), _is_revoked(other, "0"), other.epoch, log.count))

    monkeypatch.setattr(Fence, "stand", watch)
    table.add(_tokens(0, 1))

    assert steps == [(1, False, 0, 0), (1, True, 0, 0), (1, True, 1, 0)]
    assert log.count == 1


def test_the_expiry_is_the_last_word_of_an_entry(table: RevocationTable) -> None:
    """An entry that has it is taken for whole, whenever its writer was killed."""
    written: list[int] = []

    class Words:
        def __setitem__(self, at: int, word: int) -> None:
            written.append(word)

    log = table._current()
    log._words = cast("memoryview", Words())

    log.write(0, [((1, 2), (3, 4))])

    assert written == [1, 2, 3, 4]


@pytest.mark.parametrize("step", [1, 2, 3], ids=["no-index", "no-epoch", "no-count"])
def test_what_a_killed_writer_has_begun_is_ended_by_the_next(
    table: RevocationTable, other: RevocationTable, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Written is revoked: the next writer makes it known, with an epoch that nobody has seen."""
    stands = 0

    def die(_: Fence) -> None:
        nonlocal stands
        stands += 1
        if stands == step:
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr(Fence, "stand", die)
        with pytest.raises(Died):
            table.add(_tokens(0, 3))
    seen = other.epoch

    other.add(_tokens(2, 4))

    assert all(_is_revoked(other, str(number)) for number in range(4))
    assert other.epoch > seen


def test_half_an_entry_is_written_over(table: RevocationTable, other: RevocationTable) -> None:
    """An entry without its last word was never there."""
    log = table._current()
    log.write(0, [((1, 2), (3, 0))])

    other.add(_tokens(0, 1))

    assert _is_revoked(table, "0")
    assert log.count == 1
    assert log.find((1, 2)) is None


@pytest.mark.parametrize("step", [1, 2, 3, 4], ids=["making", "reading", "naming", "telling"])
def test_a_killed_purge_leaves_the_old_log(
    table: RevocationTable, other: RevocationTable, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Until the new log's number is told, the old one is current; the next purge begins anew."""
    table.add(_tokens(0, 7))

    def die(*_: object, **__: object) -> None:
        raise Died

    places = {
        1: "gateway.issuer.revocation_log.make_file",
        2: "gateway.issuer.revocation_log.RevocationLog.take",
        3: "pathlib.Path.replace",
        4: "gateway.issuer.shared_file.Fence.stand",
    }
    with monkeypatch.context() as patch:
        patch.setattr(places[step], die)
        with pytest.raises(Died):
            table.purge(NOW_S)
    assert other.generation == 1
    other.add(_tokens(7, 8))

    assert other.purge(NOW_S)

    assert all(_is_revoked(table, str(number)) for number in range(8))


def test_a_full_disk_is_told_and_forgets_nothing(
    table: RevocationTable, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller answers 503; what was revoked stays so, and there is no half file."""
    table.add(_tokens(0, 8))

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(shared_file, "_reserve", refuse)
        with pytest.raises(SharedFileError, match="No space left"):
            table.add(_tokens(8, 9))
    assert [_is_revoked(table, str(number)) for number in (0, 7, 8)] == [True, True, False]
    assert not path.with_name("revocations.log").exists()

    table.add(_tokens(8, 9))

    assert _is_revoked(table, "8")


def test_a_log_that_somebody_removed_is_told(table: RevocationTable, path: Path) -> None:
    """It can be read while it is mapped, and not replaced; the writer does not try for ever."""
    table.add(_tokens(0, 8))
    log_path(path, 1).unlink()

    with pytest.raises(SharedFileError, match="No such file"):
        table.add(_tokens(8, 9))

    assert _is_revoked(table, "0")


def test_a_stopped_writer_holds_nobody_for_ever(
    table: RevocationTable, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller answers 503, and readers have never waited."""
    monkeypatch.setattr(shared_file, "_LOCK_TRIES", 2)
    descriptor = open_file(path)
    with held(descriptor):
        with pytest.raises(SharedFileError):
            table.add(_tokens(0, 1))
        assert not _is_revoked(table, "0")
    os.close(descriptor)

    table.add(_tokens(0, 1))

    assert _is_revoked(table, "0")


def test_the_files_are_their_owners_alone(table: RevocationTable, path: Path) -> None:
    """Whatever the umask: who could write there could log people out, or in again."""
    old = os.umask(0)
    try:
        table.add(_tokens(0, 9))
        RevocationTable.create(path.with_name("second"), 8).close()
    finally:
        os.umask(old)

    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_a_new_table_takes_the_place_of_an_old_one(table: RevocationTable, path: Path) -> None:
    """An empty one: the store has it all, and a power cut can have torn the old one."""
    table.add(_tokens(0, 9))
    assert table.generation == 2

    new = RevocationTable.create(path, 8)

    assert (new.epoch, new.generation) == (0, 1)
    assert not _is_revoked(new, "0")
    assert _is_revoked(table, "0")
    assert not log_path(path, 2).exists()
    new.close()


def _truncate(path: Path) -> None:
    os.truncate(path, 100)


def _replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _replace_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _replace_by_link(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name("elsewhere")))


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"something else")


DAMAGES: Final = [
    pytest.param(Path.unlink, id="gone"),
    pytest.param(_truncate, id="cut"),
    pytest.param(lambda path: os.truncate(path, 0), id="empty"),
    pytest.param(_overwrite, id="foreign"),
    pytest.param(_replace_by_directory, id="directory"),
    pytest.param(_replace_by_fifo, id="fifo"),
    pytest.param(_replace_by_link, id="link"),
    pytest.param(lambda path: path.chmod(0o640), id="readable-by-others"),
]


@pytest.mark.parametrize("of_log", [False, True], ids=["table", "log"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_file_is_refused(
    path: Path, damage: Callable[[Path], object], *, of_log: bool
) -> None:
    """The error names the file and says what to do; a new table can be made there."""
    RevocationTable.create(path, 8).close()
    damage(log_path(path, 1) if of_log else path)

    with pytest.raises(ConfigError, match=str(path)) as caught:
        RevocationTable(path)

    assert "remove" in caught.value.cure


def test_another_tables_log_is_refused(table: RevocationTable, path: Path) -> None:
    """What was put there from a copy would be asked with the wrong key, and know nothing."""
    second = path.with_name("second")
    RevocationTable.create(second, 8).close()
    log_path(second, 1).replace(log_path(path, 1))
    assert not _is_revoked(table, "0")  # its own is mapped

    with pytest.raises(ConfigError, match="not a whole log"):
        RevocationTable(path)


def test_a_damaged_index_holds_nobody_for_ever(path: Path) -> None:
    """An index without an empty place would be searched round and round."""
    log = RevocationLog.make(path, table=1, generation=1, entries=8)
    log.write(0, [((1, 2), (3, 4))])
    for slot in range(16):
        log._index[slot] = 1

    with pytest.raises(ValueError, match="no empty place"):
        log.find((5, 6))


def test_a_table_that_cannot_be_made_is_an_error_of_the_configuration(path: Path) -> None:
    """The directory is the operator's."""
    with pytest.raises(ConfigError, match="No such file") as caught:
        RevocationTable.create(path / "below")

    assert "directory" in caught.value.cure
