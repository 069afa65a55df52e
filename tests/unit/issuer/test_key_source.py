"""How one issuer's keys are followed: what replaces them, what does not, and who is asked when."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from gateway.issuer import key_source
from gateway.issuer.jwks import MAX_SET_BYTES
from gateway.issuer.key_source import (
    COOL_DOWN_S,
    FILE_FRESH_S,
    FRESH_S,
    MAX_RETRY_S,
    STALE_S,
    KeyDocument,
    KeySource,
    UnreadableKeysError,
    file_reader,
    read_key_file,
)
from tests.kit.key_server import key_set
from tests.kit.tokens import signing_key

pytestmark = pytest.mark.anyio

ISSUER: Final = "https://login.test"
OLD: Final = signing_key("ES256", kid="old")
NEW: Final = signing_key("ES256", kid="new")
FAULT: Final = UnreadableKeysError("the answer was 500")
DEADLINE_S: Final = 30.0


class Origin:
    """Where keys are read from in place of a server."""

    def __init__(self, *answers: bytes | UnreadableKeysError) -> None:
        self.answers = list(answers)  # the last one is given again and again
        self.times: list[float] = []
        self._asked = asyncio.Condition()

    async def read(self) -> KeyDocument:
        """Give the next answer."""
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        async with self._asked:
            self.times.append(asyncio.get_running_loop().time())
            self._asked.notify_all()
        if isinstance(answer, UnreadableKeysError):
            raise answer
        return KeyDocument(answer)

    async def wait_for(self, count: int) -> None:
        """Wait until it was asked so often."""
        async with asyncio.timeout(DEADLINE_S), self._asked:
            await self._asked.wait_for(lambda: len(self.times) >= count)


class Followed:
    """A source and what it said of itself, with a clock that the test moves."""

    def __init__(
        self, read: Callable[[], Awaitable[KeyDocument]], clock: Callable[[], float] | None = None
    ) -> None:
        self.now_s = 1000.0
        self.changes: list[list[str]] = []
        self._changed = asyncio.Event()
        self.source = KeySource(
            ISSUER,
            frozenset(("ES256",)),
            read,
            self._note,
            clock=clock or (lambda: self.now_s),
        )

    def _note(self) -> None:
        self.changes.append(self.kids)
        self._changed.set()

    async def wait_for(self, kids: list[str]) -> None:
        """Wait until these are the ids of its keys."""
        async with asyncio.timeout(DEADLINE_S):
            while self.kids != kids:
                self._changed.clear()
                await self._changed.wait()

    @property
    def kids(self) -> list[str]:
        """The ids of its keys."""
        return [key.kid for key in self.source.keys]


BAD: Final = [
    pytest.param(FAULT, id="unreadable"),
    pytest.param(b"<html>sorry</html>", id="html"),
    pytest.param(b'{"keys": []}', id="empty"),
    pytest.param(b'{"keys": [{"kty": "oct", "k": "AQ"}]}', id="no-key-of-use"),
]


@pytest.mark.parametrize("bad", BAD)
async def test_an_error_takes_no_key_away(
    bad: bytes | UnreadableKeysError, caplog: pytest.LogCaptureFixture
) -> None:
    """JWKS-02, JWKS-06: what was good stays, loudly; said once, and once when it is over."""
    followed = Followed(Origin(key_set(OLD), bad, bad, key_set(NEW)).read)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await followed.source.refresh()
        assert followed.kids == ["old"]
        await followed.source.refresh()

    assert followed.changes == [["old"], ["new"]]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "known ones stand" in caplog.text


async def test_a_good_set_replaces_the_keys_as_a_whole() -> None:
    """JWKS-04: a key that is gone from the set counts no more."""
    followed = Followed(Origin(key_set(OLD, NEW), key_set(NEW)).read)
    assert await followed.source.refresh() == FRESH_S
    await followed.source.refresh()

    assert followed.changes == [["old", "new"], ["new"]]


async def test_the_same_keys_are_no_change() -> None:
    """Whatever order or words they come in: verified tokens stay remembered."""
    followed = Followed(Origin(key_set(OLD, NEW), key_set(OLD, NEW), key_set(NEW, OLD)).read)
    for _ in range(3):
        await followed.source.refresh()

    assert followed.changes == [["old", "new"]]


async def test_another_key_under_the_same_id_is_a_change() -> None:
    """JWKS-05: the newest counts, and what the old one verified is forgotten."""
    again = signing_key("ES256", kid="again")
    renamed = key_set(again).replace(b'"again"', b'"old"')
    followed = Followed(Origin(key_set(OLD), renamed).read)
    await followed.source.refresh()
    first = followed.source.keys[0].material
    await followed.source.refresh()

    assert followed.changes == [["old"], ["old"]]
    assert followed.source.keys[0].material != first


async def test_a_key_that_is_not_used_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """Not with every reading of the same document."""
    data = key_set(OLD, {"kty": "oct", "k": "AQ"})
    followed = Followed(Origin(data).read)
    with caplog.at_level(logging.WARNING):
        await followed.source.refresh()
        await followed.source.refresh()

    assert len(caplog.records) == 1
    assert "key 2: it is a secret" in caplog.text


async def test_keys_that_nobody_has_confirmed_for_a_day_are_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Stale while there are errors, but not for ever; a success counts as well as a change."""
    followed = Followed(Origin(key_set(OLD), key_set(OLD), FAULT, FAULT, key_set(OLD)).read)
    await followed.source.refresh()
    followed.now_s += 60
    await followed.source.refresh()
    followed.now_s += STALE_S - 1
    await followed.source.refresh()
    assert followed.kids == ["old"]
    followed.now_s += 1
    with caplog.at_level(logging.ERROR):
        await followed.source.refresh()
    assert followed.kids == []
    assert "its tokens are refused" in caplog.text

    await followed.source.refresh()
    assert followed.changes == [["old"], [], ["old"]]


async def test_failures_are_answered_with_growing_pauses() -> None:
    """With keys up to a minute; without keys, soon again: requests are refused meanwhile."""
    with_keys = Followed(Origin(key_set(OLD), FAULT).read)
    await with_keys.source.refresh()
    without = Followed(Origin(FAULT).read)

    assert [await with_keys.source.refresh() for _ in range(8)] == [
        1, 2, 4, 8, 16, 32, MAX_RETRY_S, MAX_RETRY_S,
    ]  # fmt: skip
    assert [await without.source.refresh() for _ in range(20)] == [1] + [2] * 19


async def _run(followed: Followed, until: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.get_running_loop().create_task(followed.source.run())
    try:
        await until()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_an_unknown_key_id_causes_one_reading_and_then_there_is_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """JWKS-01: the first at once, whatever was read a moment ago; the next when it has cooled."""
    monkeypatch.setattr(key_source, "COOL_DOWN_S", 0.3)
    origin = Origin(key_set(OLD), key_set(OLD), key_set(NEW))
    followed = Followed(origin.read, clock=asyncio.get_running_loop().time)

    async def ask() -> None:
        await followed.source.tried.wait()
        for count in (2, 3):
            for _ in range(1000):
                followed.source.want()
            await origin.wait_for(count)
        await followed.wait_for(["new"])

    await _run(followed, ask)
    first, second, third = origin.times
    assert second - first < FRESH_S / 2
    assert third - second >= 0.3
    assert COOL_DOWN_S == 30


async def test_without_keys_nobody_needs_to_ask() -> None:
    """They are read again soon anyway: a flood of tokens makes it no sooner."""
    followed = Followed(Origin(FAULT).read)
    await followed.source.refresh()
    followed.source.want()

    assert not followed.source._wanted.is_set()


async def test_keys_are_read_again_when_they_are_no_longer_fresh(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without anybody's asking, and after a failure too."""
    monkeypatch.setattr(key_source, "FIRST_RETRY_S", 0.01)
    origin = Origin(FAULT, key_set(OLD))
    followed = Followed(origin.read)

    async def read_twice() -> None:
        await origin.wait_for(2)
        await followed.wait_for(["old"])

    await _run(followed, read_twice)
    assert followed.source.tried.is_set()


async def test_a_file_is_read_again_and_again(tmp_path: Path) -> None:
    """Every five seconds, so that a change of it counts soon."""
    path = tmp_path / "jwks.json"
    path.write_bytes(key_set(OLD))
    followed = Followed(file_reader(path))
    assert await followed.source.refresh() == FILE_FRESH_S == 5
    path.write_bytes(key_set(NEW))
    await followed.source.refresh()
    path.unlink()
    await followed.source.refresh()

    assert followed.changes == [["old"], ["new"]]
    assert followed.kids == ["new"]


def _missing(_: Path) -> None:
    pass


def _pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [_missing, _pipe, Path.mkdir])
def test_only_a_file_is_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe would make the reader wait for its writer."""
    path = tmp_path / "jwks.json"
    make(path)

    with pytest.raises(UnreadableKeysError, match="there is no such file"):
        read_key_file(path)


def test_a_path_that_is_none_is_a_fault_like_any_other() -> None:
    """Not one that ends the worker."""
    with pytest.raises(UnreadableKeysError):
        read_key_file(Path("a\0b"))


def test_no_more_is_read_of_a_file_than_it_takes_to_refuse_it(tmp_path: Path) -> None:
    """However large it is."""
    path = tmp_path / "jwks.json"
    path.write_bytes(b" " * (MAX_SET_BYTES + 5))

    assert len(read_key_file(path)) == MAX_SET_BYTES + 1
