"""The parent of several workers: starts them, replaces those that die, and reloads all of them.

It serves nothing itself. What only one process may do for all is done here: it looks at the
configuration's files, speaks to the service manager, and tidies the table of revocations.
"""

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from gateway.errors import ConfigErrors
from gateway.issuer.revocation_table import RevocationTable
from gateway.issuer.shared_file import SharedFileError
from gateway.lifetime import RETIRE
from gateway.news import SERVING, ReloadNews
from gateway.notify import Notifier
from gateway.observe.reloads import ReloadCounts
from gateway.observe.series import Board
from gateway.observe.sheets import SheetWriter
from gateway.parcel import Parcel
from gateway.process import START_S, WorkerPlan, uvicorn_config
from gateway.reload import read_again

_READY_LOOK_S: Final = 1.0

log: Final = logging.getLogger(__name__)

_clock: Final = time.time  # noqa: TID251 (read here for what no worker does)


class Supervisor(Multiprocess):
    """uvicorn's supervisor of several workers, and what a gateway's does besides.

    Args:
        plan: What the workers are built from.
        sockets: What they listen on.
        table: Their revocations.
        workers: How many there are.
        notifier: Speaks to the service manager.
        tell: Says where they listen; called once, when all of them do.
    """

    def __init__(
        self,
        plan: WorkerPlan,
        sockets: list[socket.socket],
        table: RevocationTable,
        *,
        workers: int,
        notifier: Notifier,
        tell: Callable[[], None],
    ) -> None:
        super().__init__(uvicorn_config(plan, workers=workers), sockets)
        self._plan = plan
        self._table = table
        self._leaving: list[Process] = []  # workers that drain, each for as long as it takes
        self._notifier = notifier
        self._tell: Callable[[], None] | None = tell
        self._sheets = SheetWriter(plan.table_path.parent)
        counts = None
        if plan.config.settings.admin is not None:
            counts = ReloadCounts(Board(self._sheets.add))
        self._news = ReloadNews(notifier, counts)

    @property
    def exit_code(self) -> int:
        """What the gateway ends with: not 0, where it ended since a worker could not start."""
        failed = any(process.exitcode == STARTUP_FAILURE for process in self.processes)
        return STARTUP_FAILURE if failed else 0

    def init_processes(self) -> None:
        """Start the workers, and say where they listen once all of them do."""
        super().init_processes()
        self._let_deaths_be_heard()
        if all(self._comes_up(process) for process in self.processes):
            self._tell_once()

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have died, twice a second."""
        self._notifier.beat()
        super().keep_subprocess_alive()
        self._leaving = [each for each in self._leaving if each.process.is_alive()]
        self._let_deaths_be_heard()
        with contextlib.suppress(SharedFileError):  # the next look will do
            self._table.purge(_clock())
        if self._tell is not None and all(each.is_ready() for each in self.processes):
            self._tell_once()  # they have taken longer than most
        if self._plan.config.settings.reload_on_change and self._plan.watch.has_changed():
            self.handle_hup()

    def terminate_all(self) -> None:
        """Let all workers drain."""
        self._notifier.stopping()
        super().terminate_all()

    def join_all(self) -> None:
        """Wait for all workers, and for those that a reload has replaced."""
        super().join_all()
        for process in self._leaving:
            process.join()
        self._sheets.close()

    def handle_signals(self) -> None:
        """Do what signals ask for; several SIGHUP ask for one reload."""
        for _ in range(self.signal_queue.count(signal.SIGHUP) - 1):
            self.signal_queue.remove(signal.SIGHUP)
        super().handle_signals()

    def handle_hup(self) -> None:
        """Read the configuration again and, where it is good, replace the workers one by one."""
        self._news.begun()
        self._plan.watch.take()
        try:
            config, _ = read_again(self._plan.config)
        except ConfigErrors as error:
            self._news.refused(error)
            return
        old = self._plan, self.config
        self._plan = replace(self._plan, parcel=Parcel(config))
        self.config = uvicorn_config(self._plan, workers=self.processes_num)
        replaced = self._replace_workers()
        if replaced == len(self.processes):
            self._news.done(config)
            return
        if not replaced:
            self._plan, self.config = old
        log.error("reloaded by %d of %d workers only", replaced, len(self.processes))
        self._news.failed()

    def _replace_workers(self) -> int:
        """Let each worker go when its successor serves; return for how many that went well.

        As uvicorn does it, but those that go are not waited for: a long answer would keep the
        next worker from its reload, and all of them from their end.
        """
        for index, old in enumerate(self.processes):
            new = Process(self.config, self.sockets)
            new.start()
            new.child_conn.close()  # as ``_let_deaths_be_heard``
            if self._is_asked_to_end() or not self._comes_up(new):
                new.kill()
                new.join()
                return index
            _retire(old)
            self._leaving.append(old)
            self.processes[index] = new
        return len(self.processes)

    def _comes_up(self, process: Process) -> bool:
        """Wait until a worker serves; return whether it does."""
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s:
            self._notifier.beat()
            if process.wait_until_ready(_READY_LOOK_S, self.should_exit):
                return True
            if not process.process.is_alive() or self._is_asked_to_end():
                return False
        return False

    def _tell_once(self) -> None:
        if self._tell is not None:
            self._tell()
            self._notifier.ready(SERVING)
        self._tell = None

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
