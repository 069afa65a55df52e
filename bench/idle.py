"""What an idle connection costs the gateway in memory: ``python -m bench.idle``.

Two gateways, each with so many connections that stay open and ask for nothing: at one they never
have, at the other each has had one answer. What counts is how the resident memory of the one
process grows from half of them to all: the first ones fit into memory that the start has left free.
"""

import argparse
import platform
import resource
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench.contenders import GATEWAY, PATH, Deployment, Server
from bench.load import ANSWER_S, ask
from bench.rig import RigError, choose_cores, memory_bytes, show_progress, upstream
from bench.tokens import mint
from gateway.proxy.admission import client_room

WARM_UP_REQUESTS: Final = 200
SPARE: Final = 100  # connections that others may need: those asked before, and our own files
SETTLE_S: Final = 1.0  # for the gateway, to accept the last of them


def main() -> int:
    """Measure; return the exit status."""
    options = _parse_options()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the gateway inherits it
    count = min(options.connections, client_room(hard) - SPARE)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            found = measure_idle(Path(name), count)
    except (RigError, OSError) as error:
        show_progress(f"bench: {error}")
        return 1
    print(f"{count:,} idle connections. Python {platform.python_version()}.\n")
    print("| connections | resident memory with half | with all | each |\n|---|--:|--:|--:|")
    for kind, (half, full) in found.items():
        mib = 1024 * 1024
        print(
            f"| {kind} | {half / mib:.1f} MiB | {full / mib:.1f} MiB "
            f"| {(full - half) / (count - count // 2) / 1024:.1f} KiB |"
        )
    return 0


def measure_idle(folder: Path, count: int) -> dict[str, tuple[int, int]]:
    """Return the resident memory with half and with all, by what the connections have done."""
    cores = choose_cores()
    deployment = Deployment(folder, cores.contender)
    token = mint(deployment.signer)
    head = f"GET {PATH} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    found = {}
    with upstream(folder / "upstream", cores.load) as port:
        for kind, request in {"never asked": b"", "have had one answer": head}.items():
            with GATEWAY.deployed(deployment, port) as server, ExitStack() as stack:
                for _ in range(WARM_UP_REQUESTS):
                    ask(server, token)
                half = _grow(stack, server, request, count // 2)
                found[kind] = half, _grow(stack, server, request, count - count // 2)
                show_progress(f"{count:,} that {kind}: done")
    return found


def _grow(stack: ExitStack, server: Server, request: bytes, count: int) -> int:
    """Open so many more connections; return the resident memory then."""
    for _ in range(count):
        _connect(stack, server, request)
    time.sleep(SETTLE_S)
    return memory_bytes(server.pid, "VmRSS")


def _connect(stack: ExitStack, server: Server, request: bytes) -> None:
    """Open one connection that stays open until *stack* ends; send *request* if there is one."""
    address = ("127.0.0.1", server.port)
    connection = stack.enter_context(socket.create_connection(address, timeout=ANSWER_S))
    if request:
        connection.sendall(request)
        if not connection.recv(4096).startswith(b"HTTP/1.1 200 "):
            raise RigError("a request got no good answer")


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument(
        "--connections", type=int, default=10_000, help="as far as RLIMIT_NOFILE has room for them"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
