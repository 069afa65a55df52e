"""What one cheap input may cost: bounded, or refused."""

import resource
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import StartGateway
from tests.kit.gateway import configuration
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire

HOST: Final = b"Host: gw.test\r\n"

# What one head of 32 KiB may make us do: some 10 ms each, at 0.4 ms for any other of that size.
COSTLY: Final = [
    pytest.param(b"Connection: " + b",".join([b"a"] * 15_000) + b"\r\n", id="connection"),
    pytest.param(b"Upgrade: " + b",".join([b"a"] * 15_000) + b"\r\n", id="upgrade"),
    pytest.param(b"Cookie: " + b";".join([b"a"] * 15_000) + b"\r\n", id="cookies"),
    pytest.param(
        b"".join(b"Connection: " + b",".join([b"a"] * 99) + b"\r\n" for _ in range(90)),
        id="many-connections",
    ),
    pytest.param(
        b"".join(b"Cookie: " + b";".join([b"a"] * 150) + b"\r\n" for _ in range(90)),
        id="many-cookies",
    ),
]


@pytest.mark.parametrize("fields", COSTLY)
def test_the_items_of_a_list_are_bounded_like_fields(wire: Wire, fields: bytes) -> None:
    """``http1/fields.py``: a list of 15,000 options is 15,000 fields in disguise: 431."""
    wire.send(b"GET /public HTTP/1.1\r\n" + HOST + fields + b"\r\n")

    assert wire.read_response().status == 431


def test_descriptors_are_raised_to_what_is_allowed(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """DOS-10: 10,000 connections do not fit the usual soft limit of 1,024 descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        gateway = start_gateway(configuration(own_upstream.port))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    limits = Path(f"/proc/{gateway.pid}/limits").read_text(encoding="ascii")
    (line,) = (line for line in limits.splitlines() if line.startswith("Max open files"))

    assert int(line.split()[3]) > 1024
