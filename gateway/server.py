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
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from gateway.config.addresses import Address, SocketFile
from gateway.config.compile import compile_snapshot
from gateway.config.load import Config, load_config
from gateway.config.workers import worker_count
from gateway.desk import open_desk, open_ring, store_faults
from gateway.errors import ConfigError, ConfigErrors
from gateway.issuer.key_ring import KeyRing
from gateway.issuer.revocation_table import RevocationTable
from gateway.issuer.shared_file import SharedFileError
from gateway.issuer.sync import StoreSync
from gateway.lifetime import BACKLOG, RETIRE
from gateway.observer import check_access_log
from gateway.process import START_S, WorkerPlan, uvicorn_config
from gateway.proxy.admission import own_room
from gateway.reload import read_again, tell_done, tell_refused
from gateway.runtime_dir import runtime_dir
from gateway.socket_file import listen_on, remove
from gateway.store.keys import StoredKey
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
            config=config,
            table_path=directory / _TABLE,
            keys=tuple(keys),
            parent_pid=os.getpid() if workers > 1 else None,
            admin_sockets=tuple(admin_sockets),
        )
        if workers > 1:
            supervisor = _Supervisor(uvicorn_config(plan, workers=workers), sockets, plan, table)
            supervisor.run()
            return supervisor.exit_code
        _run_one(plan, sockets)
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


class _Supervisor(Multiprocess):
    """uvicorn's supervisor of several workers; it tidies their table of revocations too."""

    def __init__(
        self,
        config: uvicorn.Config,
        sockets: list[socket.socket],
        plan: WorkerPlan,
        table: RevocationTable,
    ) -> None:
        super().__init__(config, sockets)
        self._plan = plan
        self._table = table
        self._leaving: list[Process] = []  # workers that drain, each for as long as it takes

    @property
    def exit_code(self) -> int:
        """What the gateway ends with: not 0, where it ended since a worker could not start."""
        failed = any(process.exitcode == STARTUP_FAILURE for process in self.processes)
        return STARTUP_FAILURE if failed else 0

    def init_processes(self) -> None:
        """Start the workers, and say where they listen once all of them do."""
        super().init_processes()
        self._let_deaths_be_heard()
        if all(process.wait_until_ready(START_S, self.should_exit) for process in self.processes):
            _tell(self.sockets, self._plan)

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have died, twice a second."""
        super().keep_subprocess_alive()
        self._leaving = [each for each in self._leaving if each.process.is_alive()]
        self._let_deaths_be_heard()
        with contextlib.suppress(SharedFileError):  # the next look will do
            self._table.purge(_clock())

    def join_all(self) -> None:
        """Wait for all workers, and for those that a reload has replaced."""
        super().join_all()
        for process in self._leaving:
            process.join()

    def handle_signals(self) -> None:
        """Do what signals ask for; several SIGHUP ask for one reload."""
        for _ in range(self.signal_queue.count(signal.SIGHUP) - 1):
            self.signal_queue.remove(signal.SIGHUP)
        super().handle_signals()

    def handle_hup(self) -> None:
        """Read the configuration again and, where it is good, replace the workers one by one."""
        try:
            config, _ = read_again(self._plan.config)
        except ConfigErrors as error:
            tell_refused(error)
            return
        old = self._plan, self.config
        self._plan = replace(self._plan, config=config)
        self.config = uvicorn_config(self._plan, workers=self.processes_num)
        replaced = self._replace_workers()
        if replaced == len(self.processes):
            tell_done(config)
        elif not replaced:
            self._plan, self.config = old
        if replaced < len(self.processes):
            log.error("reloaded by %d of %d workers only", replaced, len(self.processes))

    def _replace_workers(self) -> int:
        """Let each worker go when its successor serves; return for how many that went well.

        As uvicorn does it, but those that go are not waited for: a long answer would keep the
        next worker from its reload, and all of them from their end.
        """
        for index, old in enumerate(self.processes):
            new = Process(self.config, self.sockets)
            new.start()
            new.child_conn.close()  # as ``_let_deaths_be_heard``
            if self._is_asked_to_end() or not new.wait_until_ready(START_S, self.should_exit):
                new.kill()
                new.join()
                return index
            _retire(old)
            self._leaving.append(old)
            self.processes[index] = new
        return len(self.processes)

    def _is_asked_to_end(self) -> bool:
        return any(number in self.signal_queue for number in (signal.SIGINT, signal.SIGTERM))

    def _let_deaths_be_heard(self) -> None:
        """Close our copy of each worker's end of its pipe: then the pipe ends when the worker does.

        Otherwise one that is killed while it is asked whether it is well is waited for.
        """
        for process in self.processes:
            process.child_conn.close()


def _retire(process: Process) -> None:
    """Let a worker go, and know that the gateway does not end with it."""
    if process.pid is not None and process.exitcode is None:
        os.kill(process.pid, RETIRE)
    process.parent_conn.close()


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
    if room < wanted:
        log.warning(
            "gateway: a worker takes %d connections and not %d (limits.connections): it may open "
            "%d files (ulimit -n, LimitNOFILE), and half of them are for services",
            room,
            wanted,
            resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        )


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET
