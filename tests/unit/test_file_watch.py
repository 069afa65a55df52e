"""When a configuration counts as changed on disk: once it is another one, and at rest."""

from pathlib import Path

import pytest

from gateway.file_watch import FileWatch


@pytest.fixture
def watch(tmp_path: Path) -> FileWatch:
    """The watch of a file that was just read; it takes a value of another file."""
    (tmp_path / "secret").write_text("one", "utf-8")
    path = tmp_path / "routes.yaml"
    path.write_text(f"token: ${{file:{tmp_path}/secret}}\n", "utf-8")
    watch = FileWatch(path)
    watch.take()
    return watch


def looks(watch: FileWatch, count: int = 3) -> list[bool]:
    """Look so many times."""
    return [watch.has_changed() for _ in range(count)]


def test_what_was_read_has_not_changed(watch: FileWatch) -> None:
    """However often it is looked at."""
    assert looks(watch) == [False, False, False]


def test_a_change_counts_when_two_looks_find_it_alike(watch: FileWatch) -> None:
    """And until it is read."""
    watch.path.write_text("version: 1\n", "utf-8")

    assert looks(watch) == [False, True, True]
    watch.take()
    assert looks(watch) == [False, False, False]


def test_a_file_that_is_still_written_is_left_alone(watch: FileWatch) -> None:
    """Each look finds another one."""
    for count in range(1, 5):
        watch.path.write_text("#" * count, "utf-8")
        assert not watch.has_changed()
    assert watch.has_changed()


def test_a_file_that_values_are_taken_of_is_looked_at_too(watch: FileWatch) -> None:
    """It may be a secret that is rotated."""
    watch.path.with_name("secret").write_text("three", "utf-8")

    assert looks(watch, 2) == [False, True]


def test_a_file_of_the_same_size_and_time_in_its_place_is_another(watch: FileWatch) -> None:
    """It is another file."""
    content = watch.path.read_bytes()
    beside = watch.path.with_name("new")
    beside.write_bytes(content)
    beside.replace(watch.path)

    assert looks(watch, 2) == [False, True]


def test_links_are_followed_to_what_they_lead_to(tmp_path: Path) -> None:
    """Kubernetes swaps the link of a folder above the file: ``..data``."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "routes.yaml").write_text("version: 1\n", "utf-8")
    (tmp_path / "..data").symlink_to("old")
    (tmp_path / "routes.yaml").symlink_to("..data/routes.yaml")
    watch = FileWatch(tmp_path / "routes.yaml")
    watch.take()
    assert looks(watch, 2) == [False, False]
    (tmp_path / "..tmp").symlink_to("new")
    (tmp_path / "..tmp").replace(tmp_path / "..data")

    assert looks(watch, 2) == [False, True]


def test_a_file_that_is_gone_is_a_change_and_its_return_another(watch: FileWatch) -> None:
    """The reload tells what is wrong, once; nothing here fails."""
    content = watch.path.read_bytes()
    watch.path.unlink()
    assert looks(watch, 2) == [False, True]
    watch.take()
    assert looks(watch, 2) == [False, False]
    watch.path.write_bytes(content)
    assert looks(watch, 2) == [False, True]


def test_a_missing_file_that_the_configuration_names_is_waited_for(watch: FileWatch) -> None:
    """A bad configuration becomes a good one without being touched."""
    late = watch.path.with_name("late")
    watch.path.write_text(f"a: ${{file:{late}}}\nb: ${{file:\0}}\n# ${{file:}}\n", "utf-8")
    watch.take()
    assert looks(watch, 2) == [False, False]
    late.write_text("here", "utf-8")

    assert looks(watch, 2) == [False, True]


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """Opening a pipe would wait for its writer."""
    watch = FileWatch(tmp_path)
    watch.take()

    assert looks(watch, 2) == [False, False]
