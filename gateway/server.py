"""The composition root of ``gateway run``: prepares what all workers share, then runs them.

What is done once is done here, before any worker starts: the store is made or brought up to date,
the first key is made, the revocations are read into the table, the listeners are bound.
"""

import asyncio
import contextlib
import errno
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import uvicorn

from gateway.config.addresses import Address, SocketFile
from gateway.config.compile import compile_snapshot
from gateway.config.load import Config, load_config
from gateway.config.workers import worker_count
from gateway.desk import open_desk, open_ring, store_faults
from gateway.errors import ConfigError
from gateway.file_watch import FileWatch
from gateway.issuer.key_ring import KeyRing
from gateway.issuer.revocation_table import RevocationTable
from gateway.issuer.sync import StoreSync
from gateway.lifetime import BACKLOG
from gateway.news import SERVING
from gateway.notify import find_notifier
from gateway.observer import check_access_log
from gateway.parcel import Parcel
from gateway.process import WorkerPlan, uvicorn_config
from gateway.proxy.admission import own_room
from gateway.runtime_dir import runtime_dir
from gateway.socket_file import listen_on, remove
from gateway.store.keys import StoredKey
from gateway.supervisor import Supervisor
from gateway.tls import check_tls

_TABLE: Final = "revocations"
_LISTEN_CURES: Final = {
    errno.EADDRINUSE: "stop what listens there (ss -ltnp shows it), or choose another port",
    errno.EACCES: "choose a port from 1024 on, or give the process CAP_NET_BIND_SERVICE",
}

log: Final = logging.getLogger(__name__)

_clock: Final = time.time  # noqa: TID251 (read here for what is done before any worker starts)


def serve(path: Path) -> int:
    """Run the gateway with the configuration at *path* until SIGINT or SIGTERM.

    Returns:
        0, or uvicorn's ``STARTUP_FAILURE`` where a worker could not start, which ends them all.

    Raises:
        ConfigErrors: The configuration has faults.
        ConfigError: The store or the signing key cannot be used, or an address cannot be listened
            on.
    """
    signal.signal(signal.SIGHUP, lambda *_: None)  # what asks for a reload must not end a start
    watch = FileWatch(path)
    watch.take()
    config = load_config(path, os.environ)
    check_access_log(config)
    check_tls(config, _clock())
    _raise_descriptor_limit(config)
    with (
        runtime_dir(Path(config.settings.runtime_dir)) as directory,
        contextlib.ExitStack() as stack,
    ):
        table = RevocationTable.create(directory / _TABLE)
        keys = asyncio.run(_prepare(config, table))
        sockets = _listen_all(config, "listen", config.settings.listen)
        _remove_at_end(stack, sockets)
        admin = config.settings.admin
        admin_sockets = [] if admin is None else _listen_all(config, "admin", admin.listen)
        workers = worker_count(config.settings.workers)
        plan = WorkerPlan(
            parcel=Parcel(config),
            table_path=directory / _TABLE,
            keys=tuple(keys),
            parent_pid=os.getpid() if workers > 1 else None,
            admin_sockets=tuple(admin_sockets),
            watch=watch,
        )
        notifier = find_notifier(os.environ)
        if workers > 1:
            supervisor = Supervisor(
                plan,
                sockets,
                table,
                workers=workers,
                notifier=notifier,
                tell=lambda: _tell(sockets, plan),
            )
            supervisor.run()
            return supervisor.exit_code
        _run_one(replace(plan, notifier=notifier), sockets)
    return 0


async def _prepare(config: Config, table: RevocationTable) -> list[StoredKey]:
    """Bring the store up to date, read its revocations into *table*, and return its keys.

    Raises:
        ConfigErrors: The configuration does not fit together.
        ConfigError: The store or its keys cannot be used.
    """
    with store_faults(config):
        async with open_desk(config) as desk:
            ring = await open_ring(config, desk, _clock())
            compile_snapshot(config, ring.verification_keys())
            sync = StoreSync(desk.store, table, None, _ignore, clock=_clock)
            await sync.catch_up()
            return await desk.keeper.list_keys() if desk.keeper is not None else []


def _ignore(_: KeyRing) -> None:
    pass


class _Server(uvicorn.Server):
    """uvicorn, saying where it listens in one line that people and scripts can read."""

    def __init__(self, plan: WorkerPlan) -> None:
        super().__init__(uvicorn_config(plan))
        self._plan = plan

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _tell(sockets or [], self._plan)
        self._plan.notifier.ready(SERVING)


def _run_one(plan: WorkerPlan, sockets: list[socket.socket]) -> None:
    """Be the only worker."""
    server = _Server(plan)
    # uvicorn drains at these signals and then raises them again for whoever handled them before.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    server.run(sockets)


def _tell(sockets: Sequence[socket.socket], plan: WorkerPlan) -> None:
    scheme = "https" if plan.config.settings.tls is not None else "http"
    for what, listeners in (
        (f"listening on {scheme}", sockets),
        ("admin on http", plan.admin_sockets),
    ):
        for listener in listeners:
            name = listener.getsockname()
            if isinstance(name, str):
                text = f"listening on {SocketFile(name)}"
            else:
                text = f"{what}://{Address(*name[:2])}"
            print(f"gateway: {text}", file=sys.stderr, flush=True)  # noqa: T201


def _remove_at_end(stack: contextlib.ExitStack, sockets: Sequence[socket.socket]) -> None:
    """Have the files of Unix sockets removed; asked for before uvicorn closes these."""
    for listener in sockets:
        if listener.family == socket.AF_UNIX:
            path = Path(listener.getsockname())
            stack.callback(remove, path, path.lstat())


def _listen_all(
    config: Config, key: str, addresses: Sequence[Address | SocketFile]
) -> list[socket.socket]:
    return [_listen(config, key, index, address) for index, address in enumerate(addresses)]


def _listen(config: Config, key: str, index: int, address: Address | SocketFile) -> socket.socket:
    """Bind a listener; uvicorn begins to listen once everything is ready."""
    try:
        if isinstance(address, SocketFile):
            return listen_on(Path(address.path), BACKLOG)
        return socket.create_server((address.host, address.port), family=_family(address))
    except OSError as error:
        place = config.place(key, index) if key == "listen" else config.place(key, "listen", index)
        reason = (error.strerror or "no reason told").partition(" (while")[0]  # Python adds it
        if isinstance(address, SocketFile):
            cure = (
                "stop what listens there, or name a path in a folder that the gateway may write to"
            )
        else:
            cure = _LISTEN_CURES.get(error.errno or 0, "name an address of this host")
        raise ConfigError(place, f"cannot listen on {address}: {reason}", cure) from None


def _raise_descriptor_limit(config: Config) -> None:
    """Take as many file descriptors as we may: 10,000 connections do not fit the usual 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS refuses an infinite one
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted, room = config.settings.limits.connections, own_room()
    if room < wanted * 9 // 10:  # a few less are no news
        log.warning(
            "gateway: a worker takes %d connections and not %d (limits.connections): it may open "
            "%d files (ulimit -n, LimitNOFILE), and half of them are for services",
            room,
            wanted,
            resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        )


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET
