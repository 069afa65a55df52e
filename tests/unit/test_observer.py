"""gateway.observer: what is built for which configuration; the rest is for integration."""

import asyncio
import os
from pathlib import Path

import pytest

from gateway.config.load import Config, load_config
from gateway.errors import ConfigError
from gateway.observe.exposition import sum_up
from gateway.observe.sheets import read_sheets
from gateway.observer import Observer, check_access_log
from gateway.policy.model import Endpoint, Upstream
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


def test_endpoints_that_take_requests_are_up_and_those_that_are_gone_are_not(
    tmp_path: Path,
) -> None:
    """A gauge of an upstream that a reload took away must not stay as it was."""
    left, right = Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2)
    upstream = Upstream(name="shop", endpoints=(left, right))

    async def main() -> list[dict[str, float]]:
        observer = Observer(config_of(tmp_path, admin=ADMIN), tmp_path, lambda: 0.0)
        worker = Client(snapshot(route("/p", upstream=upstream))).worker
        observer.listen_to(worker)
        pools = worker.endpoints_of(upstream).pools
        pools[0].standing.fit = False
        observer.publish(worker)
        seen = [_ups(tmp_path)]
        worker.use(snapshot(route("/p")), worker.control)
        observer.publish(worker)
        seen.append(_ups(tmp_path))
        observer.close(worker)
        return seen

    before, after = asyncio.run(main())
    assert before == {str(left): 0, str(right): 1}
    assert after == {str(left): 0, str(right): 0}


def _ups(directory: Path) -> dict[str, float]:
    totals = sum_up(read_sheets(directory))
    name = "gateway_upstream_endpoint_up"
    return {labels[1]: numbers[0] for (found, labels), numbers in totals.items() if found == name}
