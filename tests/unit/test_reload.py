"""gateway.reload: what may change, what is refused, and one reload at a time."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config.load import Config, load_config
from gateway.errors import ConfigError, ConfigErrors, Place
from gateway.file_watch import FileWatch
from gateway.news import ReloadNews
from gateway.notify import Notifier
from gateway.policy.model import Snapshot
from gateway.reload import Reloader, find_fixed, hearing_hangups, read_again
from tests.kit.gateway import configuration, write_configuration

PORT = 9


class File:
    """A configuration file that was read."""

    def __init__(self, folder: Path) -> None:
        self.path = write_configuration(folder, configuration(PORT))
        self.config = load_config(self.path, os.environ)

    def change(self, **changes: Any) -> None:
        """Write the file anew."""
        self.path.write_text(yaml.safe_dump(configuration(PORT, **changes)), "utf-8")

    def change_token(self, **changes: Any) -> None:
        """Write the file anew, with changes below ``tokens``."""
        self.change(tokens=configuration(PORT)["tokens"] | changes)

    def faults(self) -> list[str]:
        """Return the paths of what a reload refuses."""
        with pytest.raises(ConfigErrors) as caught:
            read_again(self.config)
        return [error.place.path or error.fault for error in caught.value.errors]


@pytest.fixture
def file(tmp_path: Path) -> File:
    """A file."""
    return File(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"routes": []},
        {"upstream": {"connect_timeout": "1s"}},
        {"trusted_proxies": ["10.0.0.0/8"]},
        {"limits": {"store_silence": "5s"}},
        {"credentials": [{"cookie": "other"}]},
        {"claim_headers": {}},
        {"access_log": "stdout"},
        {"reload_on_change": False},
        {"issuers": [{"issuer": "i", "audience": "a", "algorithms": ["ES256"], "jwks_file": "k"}]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_requests_are_decided_by_can_change(file: File, changes: dict[str, Any]) -> None:
    """It is what a snapshot is compiled from; no key comes with it, so that nothing verifies."""
    if "claim_headers" in changes:
        changes = changes | {"routes": []}
    file.change(**changes)
    config, snapshot = read_again(file.config)

    assert config.settings != file.config.settings
    assert len(snapshot.routes) == len(config.settings.routes)


def test_what_tokens_say_can_change(file: File) -> None:
    """And how long they count; not what they are signed with."""
    file.change_token(claims={"plan": "user.plan"}, access_lifetime="1m", audience="other")
    config, _ = read_again(file.config)

    assert config.settings.tokens.access_lifetime == 60


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("listen", "127.0.0.1:1"),
        ("admin", {"listen": "127.0.0.1:2"}),
        ("workers", 2),
        ("store", "sqlite:///elsewhere.db"),
        ("store_key", "k" * 32),
        ("runtime_dir", "elsewhere"),
    ],
)
def test_what_a_process_is_made_of_cannot_change(file: File, key: str, value: object) -> None:
    """It is refused at its place in the new file."""
    file.change(**{key: value})

    assert [path.split(".")[0] for path in file.faults()] == [key]


def test_the_key_of_the_configuration_cannot_change(file: File) -> None:
    """A worker signs with the key that it began with; the secret is not quoted."""
    file.change_token(secret="canary" * 10)
    with pytest.raises(ConfigErrors) as caught:
        read_again(file.config)

    assert "'tokens.secret'" in str(caught.value)
    assert "restart the gateway" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_what_is_taken_out_of_the_file_is_refused_too(file: File) -> None:
    """Its default would count from the next start on."""
    document = configuration(PORT)
    del document["listen"]
    file.path.write_text(yaml.safe_dump(document), "utf-8")

    assert file.faults() == ["a reload cannot change 'listen'"]


def test_all_faults_are_found_at_once(file: File) -> None:
    """What cannot change, and what does not fit together."""
    file.change(workers=2, routes=[{"path": "/x", "upstream": "nowhere"}])

    assert sorted(file.faults()) == ["routes[0].upstream", "workers"]


def test_a_file_that_is_gone_is_refused(file: File) -> None:
    """As at a start."""
    file.path.unlink()

    assert file.faults() == ["the file cannot be read (No such file or directory)"]


def test_the_admin_token_can_change_and_its_listener_cannot(tmp_path: Path) -> None:
    """Nor whether there is one."""
    admin = {"listen": "127.0.0.1:2", "token": "t" * 32}
    path = write_configuration(tmp_path, configuration(PORT, admin=admin))
    old = load_config(path, os.environ)

    def fixed(admin: dict[str, str] | None) -> list[str]:
        changes = {} if admin is None else {"admin": admin}
        path.write_text(yaml.safe_dump(configuration(PORT, **changes)), "utf-8")
        return [error.fault for error in find_fixed(old, load_config(path, os.environ))]

    assert fixed(admin | {"token": "u" * 32}) == []
    assert fixed(admin | {"listen": "127.0.0.1:3"}) == ["a reload cannot change 'admin.listen'"]
    assert fixed(None) == ["a reload cannot change 'admin'"]


class House:
    """Who takes configurations over."""

    def __init__(self, file: File) -> None:
        self.config = file.config
        self.taken: list[Snapshot] = []
        self.news = asyncio.Event()
        self.watch = FileWatch(file.path)
        self.watch.take()
        news = ReloadNews(Notifier(), None)
        self.reloader = Reloader(lambda: self.config, self.take_over, self.watch, news)

    async def take_over(self, config: Config, snapshot: Snapshot) -> None:
        """Note it."""
        self.config = config
        self.taken.append(snapshot)
        self.news.set()


def test_a_reload_takes_over_what_the_file_says_now(file: File) -> None:
    """Once for each; a bad file raises, and changes nothing."""

    async def main() -> None:
        house = House(file)
        file.change(routes=[])
        await house.reloader.reload()
        assert house.config.settings.routes == ()
        file.change(workers=2)
        with pytest.raises(ConfigErrors):
            await house.reloader.reload()
        assert [len(each.routes) for each in house.taken] == [0]

    asyncio.run(main())


def test_signals_that_come_before_a_reload_reads_are_one(file: File) -> None:
    """What they ask for is done by the first of them."""

    async def main() -> None:
        house = House(file)
        for _ in range(5):
            house.reloader.on_signal()
        await house.news.wait()
        await house.reloader.reload()  # behind all that the signals have asked for
        assert len(house.taken) == 2

    asyncio.run(main())


def test_a_signal_during_a_reload_is_not_lost(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file may have changed since it was read."""

    async def main() -> None:
        house = House(file)
        loop = asyncio.get_running_loop()

        def read(config: Config) -> tuple[Config, Snapshot]:
            loop.call_soon_threadsafe(house.reloader.on_signal)
            monkeypatch.setattr("gateway.reload.read_again", read_again)
            return read_again(config)

        monkeypatch.setattr("gateway.reload.read_again", read)
        house.reloader.on_signal()
        while len(house.taken) < 2:
            await house.news.wait()
            house.news.clear()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_bad_file_is_told_at_a_signal(file: File, caplog: pytest.LogCaptureFixture) -> None:
    """All of its faults, loudly; nobody else would hear of them."""

    async def main() -> None:
        house = House(file)
        file.change(workers=2)
        house.reloader.on_signal()
        await asyncio.sleep(0)
        with pytest.raises(ConfigErrors):
            await house.reloader.reload()  # behind the other
        assert house.taken == []

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert "the old configuration stays" in caplog.text
    assert "cannot change 'workers'" in caplog.text


def test_a_file_that_cannot_be_taken_over_is_told_too(
    file: File, caplog: pytest.LogCaptureFixture
) -> None:
    """Its access log cannot be opened, say: that is found out last."""

    async def main() -> None:
        house = House(file)

        async def refuse(*_: object) -> None:
            raise ConfigError(Place("f"), "a fault", "a cure")

        house.reloader._take_over = refuse
        with pytest.raises(ConfigErrors):
            await house.reloader.reload()

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert "a fault" in caplog.text


def test_a_changed_file_is_taken_over_by_itself(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it says no; a bad one is tried and told once."""
    monkeypatch.setattr("gateway.reload.LOOK_S", 0.01)

    async def main() -> None:
        house = House(file)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            following = group.create_task(house.reloader.follow())
            file.change(routes=[], reload_on_change=False)
            await house.news.wait()
            assert house.config.settings.routes == ()
            file.change()
            await asyncio.sleep(0.1)
            assert len(house.taken) == 1
            await house.reloader.reload()
            assert house.config.settings.reload_on_change
            following.cancel()

    asyncio.run(main())


def test_a_hangup_is_heard_in_the_loop_and_ends_nobody() -> None:
    """Until the process drains; then it is ignored."""

    async def main(hear: Callable[[asyncio.Event], Callable[[], None]]) -> None:
        heard = asyncio.Event()
        with hearing_hangups(hear(heard)):
            os.kill(os.getpid(), signal.SIGHUP)
            async with asyncio.timeout(60):
                await heard.wait()
        os.kill(os.getpid(), signal.SIGHUP)

    before = signal.getsignal(signal.SIGHUP)
    try:
        asyncio.run(main(lambda event: event.set))
    finally:
        signal.signal(signal.SIGHUP, before)
