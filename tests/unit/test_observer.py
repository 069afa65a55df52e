"""gateway.observer: what is built for which configuration; the rest is for integration."""

import asyncio
import os
from pathlib import Path

import pytest

from gateway.config.load import Config, load_config
from gateway.errors import ConfigError
from gateway.observer import Observer, check_access_log
from tests.kit.gateway import configuration, write_configuration
from tests.kit.policy import route, snapshot
from tests.kit.transport import Client

ADMIN = {"listen": "127.0.0.1:0"}


def config_of(folder: Path, **changes: object) -> Config:
    """Return the configuration of the threat tables, with changes."""
    return load_config(write_configuration(folder, configuration(1, **changes)), os.environ)


@pytest.mark.parametrize(
    ("log", "admin", "told"),
    [(False, False, (False, False)), (True, False, (True, True)), (False, True, (True, False))],
)
def test_nobody_listens_where_nothing_is_wanted(
    *, log: bool, admin: bool, told: tuple[bool, bool], tmp_path: Path
) -> None:
    """The hot path asks one thing: whether there is an ``Access``."""
    changes: dict[str, object] = {"admin": ADMIN} if admin else {}
    if log:
        changes["access_log"] = str(tmp_path / "access.log")

    async def main() -> tuple[bool, bool]:
        observer = Observer(config_of(tmp_path, **changes), tmp_path, lambda: 0.0)
        public, operators = (Client(snapshot(route("/p"))).worker for _ in range(2))
        observer.listen_to(public)
        observer.listen_to_admin(operators)
        observer.close(public)
        return public.access is not None, operators.access is not None

    assert asyncio.run(main()) == told


def test_a_log_that_cannot_be_opened_ends_the_start(tmp_path: Path) -> None:
    """With its line, the fault and the cure."""
    config = config_of(tmp_path, access_log=str(tmp_path / "none" / "access.log"))

    with pytest.raises(ConfigError) as raised:
        check_access_log(config)
    assert raised.value.place.path == "access_log"
    assert raised.value.fault == "the access log cannot be opened: No such file or directory"


def test_a_log_that_can_be_opened_is_made(tmp_path: Path) -> None:
    """And ``off`` is none."""
    path = tmp_path / "access.log"
    check_access_log(config_of(tmp_path, access_log=str(path)))
    check_access_log(config_of(tmp_path))

    assert path.read_bytes() == b""
