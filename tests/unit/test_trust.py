"""The keys of other issuers, from the configuration on."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from gateway import trust as trust_module
from gateway.config.load import Config, load_config
from gateway.trust import Trust, look_at_keys
from tests.kit.gateway import configuration, write_configuration
from tests.kit.key_server import JWKS, KeyServer, key_set, say
from tests.kit.tokens import signing_key

KEY: Final = signing_key("ES256", kid="theirs")
OPENID: Final = "/.well-known/openid-configuration"


def _issuer(name: str, **source: Any) -> dict[str, Any]:
    return {"issuer": name, "audience": "a", "algorithms": ["ES256"], **source}


def _config(folder: Path, *issuers: dict[str, Any]) -> Config:
    return load_config(write_configuration(folder, configuration(9, issuers=list(issuers))), {})


def _three(folder: Path, server: KeyServer) -> Config:
    """Return a configuration with an issuer of each kind."""
    server.answers[JWKS] = say(key_set(KEY))
    metadata = f'{{"issuer": "{server.origin}", "jwks_uri": "{server.url()}"}}'
    server.answers[OPENID] = say(metadata.encode())
    folder.mkdir(exist_ok=True)
    file = folder / "jwks.json"
    file.write_bytes(key_set(KEY))
    return _config(
        folder,
        _issuer("url", jwks_url=server.url()),
        _issuer("file", jwks_file=str(file)),
        _issuer(server.origin, discovery=True),
    )


async def _with_duties(trust: Trust, act: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.get_running_loop().create_task(trust.run())
    await asyncio.sleep(0)
    try:
        await act()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def test_the_keys_of_every_kind_of_source_are_here_soon_after_the_start(tmp_path: Path) -> None:
    """A start waits for them, and each change is told."""

    async def main(config: Config) -> None:
        changes: list[set[str]] = []
        trust = Trust(
            config,
            lambda: changes.append({name for name, keys in trust.keys().items() if keys}),
            clock=asyncio.get_running_loop().time,
        )
        assert trust.lacks_keys()
        await _with_duties(trust, trust.settle)
        assert not trust.lacks_keys()
        assert {key.kid for keys in trust.keys().values() for key in keys} == {"theirs"}
        assert [len(names) for names in changes] == [1, 2, 3]

    with KeyServer() as server:
        asyncio.run(main(_three(tmp_path, server)))


def test_a_start_waits_for_nobody_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JWKS-07: it goes on without the keys, and says so."""
    monkeypatch.setattr(trust_module, "PREFETCH_S", 0.01)

    async def main() -> None:
        config = _config(tmp_path, _issuer("file", jwks_file=str(tmp_path / "none")))
        trust = Trust(config, lambda: None, clock=lambda: 0.0)
        await trust.settle()  # which does not even run
        assert trust.lacks_keys()
        trust.want("file")
        trust.want("http://gateway.test")

    asyncio.run(main())


def test_without_other_issuers_there_is_nothing_to_do(tmp_path: Path) -> None:
    """No wait, and no part that is not ready."""

    async def main() -> None:
        trust = Trust(_config(tmp_path), lambda: None, clock=lambda: 0.0)
        await trust.settle()
        assert (trust.keys(), trust.lacks_keys()) == ({}, False)

    asyncio.run(main())


def test_a_command_reads_the_keys_once(tmp_path: Path) -> None:
    """Of every kind of source; nothing is wrong."""
    with KeyServer() as server:
        keys, warnings = asyncio.run(look_at_keys(_three(tmp_path, server)))

        assert sorted(keys) == sorted(("url", "file", server.origin))
        assert all(len(found) == 1 for found in keys.values())
        assert warnings == []


def test_a_command_says_what_is_wrong_with_keys(tmp_path: Path) -> None:
    """With the place of the issuer; the keys of the others are there all the same."""
    secret = {"kty": "oct", "k": "c2VjcmV0"}
    with KeyServer() as server:
        server.answers[JWKS] = say(key_set(KEY, secret))
        config = _config(
            tmp_path,
            _issuer("none", jwks_file=str(tmp_path / "none")),
            _issuer("url", jwks_url=server.url()),
        )
        keys, warnings = asyncio.run(look_at_keys(config))

    assert {name: len(found) for name, found in keys.items()} == {"none": 0, "url": 1}
    assert [(each.place.path, str(each).rpartition("warning: ")[2]) for each in warnings] == [
        ("issuers[0]", "the keys of this issuer cannot be read: there is no such file"),
        ("issuers[1]", "a key of this issuer is not used: key 2: it is a secret"),
    ]


def test_a_reload_changes_whom_a_worker_trusts(tmp_path: Path) -> None:
    """The keys of a new issuer are here before it is believed; who is gone is followed no more."""

    async def main() -> None:
        file = tmp_path / "jwks.json"
        file.write_bytes(key_set(KEY))
        one, two = (_issuer(name, jwks_file=str(file)) for name in ("one", "two"))
        trust = Trust(_config(tmp_path, one), lambda: None, clock=asyncio.get_running_loop().time)

        async def reload() -> None:
            await trust.settle()
            known = trust.keys()["one"]
            both = _config(tmp_path, one, two)
            sources = await trust.prepare(both)
            assert sorted(trust.keys()) == ["one"]
            trust.use(sources, both)
            assert trust.keys()["one"] is known
            assert [key.kid for key in trust.keys()["two"]] == ["theirs"]
            last = _config(tmp_path, two)
            sources = await trust.prepare(last)
            running = len(asyncio.all_tasks())
            trust.use(sources, last)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert list(trust.keys()) == ["two"]
            assert len(asyncio.all_tasks()) == running - 1

        await _with_duties(trust, reload)

    asyncio.run(main())
