"""The demo's processes: ports that are taken, processes that die, an end that leaves none."""

import socket
import sys
from pathlib import Path

import httpx
import pytest

from gateway.cli.demo import DemoError, check_free, find_addresses, start, wait_until_up
from gateway.config.addresses import Address
from gateway.errors import ConfigError
from tests.kit.gateway import configuration, write_configuration


def test_a_taken_port_is_named_with_its_cure() -> None:
    """Which port it is, and how to find who has it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DemoError, match=f"cannot listen on 127.0.0.1:{port}: .*\n.*ss -ltnp"):
            check_free(Address("127.0.0.1", port))
    check_free(Address("127.0.0.1", port))


def test_addresses_are_those_of_the_file(tmp_path: Path) -> None:
    """Nothing else says where the demo listens."""
    path = write_configuration(tmp_path, configuration(9) | {"listen": "127.0.0.1:8"})

    assert find_addresses(path) == (Address("127.0.0.1", 9), Address("127.0.0.1", 8))


@pytest.mark.parametrize(
    "more",
    [{"listen": "unix:/run/x"}, {"tls": {"certificate": "c.pem", "key": "k.pem"}}],
    ids=["unix", "tls"],
)
def test_the_demo_needs_a_plain_listener(tmp_path: Path, more: dict[str, object]) -> None:
    """It is refused before anything is started."""
    path = write_configuration(tmp_path, configuration(9) | more)

    with pytest.raises(ConfigError, match="the demo speaks plain HTTP over TCP"):
        find_addresses(path)


def test_a_process_that_dies_is_told_with_its_last_words() -> None:
    """The demo does not wait for what will not come."""
    with (
        httpx.Client(trust_env=False) as client,
        start("a part", ["json.tool", "--nonsense"]) as part,
    ):
        part.process.wait()
        with pytest.raises(DemoError, match=r"(?s)a part ended with status 2:.*nonsense"):
            wait_until_up(client, "http://127.0.0.1:9/", [part])


def test_a_process_ends_with_its_context() -> None:
    """Whatever happens inside."""
    with pytest.raises(KeyError), start("a part", ["http.server", "0"]) as part:
        raise KeyError
    assert part.process.returncode is not None
    assert sys.executable in part.process.args  # type: ignore[operator]  # it is our list
