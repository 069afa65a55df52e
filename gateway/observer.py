"""What one worker tells of itself: its access log and its numbers, built from the configuration.

The rule to keep in mind: nothing is counted where nobody can ask (no ``admin:``), and nothing is
written where ``access_log`` is off. A worker that does neither has no ``Access`` at all.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from gateway.config.access_log import OFF
from gateway.config.load import Config
from gateway.errors import ConfigError
from gateway.issuer.key_ring import KeyRing
from gateway.issuer.revocation_table import RevocationTable
from gateway.observe.access import Access
from gateway.observe.exposition import render, sum_up
from gateway.observe.requests import RequestMetrics
from gateway.observe.series import Board
from gateway.observe.sheets import SheetWriter, read_sheets
from gateway.observe.writer import LineWriter, open_target
from gateway.proxy.worker import Worker

PUBLISH_S: Final = 0.5  # how old the numbers of the other workers may be, when one is asked


class Observer:
    """Builds what listens to a worker's requests, and tells of the worker.

    Args:
        config: The configuration.
        directory: The gateway's runtime directory, where the workers' numbers lie.
        clock: Seconds since the epoch.

    Raises:
        ConfigError: The access log cannot be opened.
    """

    def __init__(self, config: Config, directory: Path, clock: Callable[[], float]) -> None:
        self._directory = directory
        self._clock = clock
        descriptor = open_access_log(config)
        self._sheets = SheetWriter(directory)
        self._board: Board | None = None
        self._requests: RequestMetrics | None = None
        dropped = [0.0]
        if config.settings.admin is not None:
            self._board = Board(self._sheets.add)
            self._requests = RequestMetrics(self._board)
            dropped = self._board.numbers("gateway_access_log_dropped_total")
        self._writer = None if descriptor is None else LineWriter(descriptor, dropped)

    def listen_to(self, worker: Worker) -> None:
        """Hear of the requests of the public listener from now on."""
        if self._writer is not None or self._requests is not None:
            worker.access = Access(
                self._writer,
                self._requests,
                clock=self._clock,
                proxies=lambda: worker.snapshot.trusted_proxies,
            )

    def listen_to_admin(self, worker: Worker) -> None:
        """Write the requests of the admin listener to the log; they are not counted."""
        if self._writer is not None:
            worker.access = Access(
                self._writer,
                None,
                clock=self._clock,
                proxies=lambda: worker.snapshot.trusted_proxies,
                listener="admin",
            )

    async def page(self, worker: Worker, ring: KeyRing, table: RevocationTable) -> str:
        """Return the numbers of all workers, as Prometheus reads them.

        With thousands of routes that takes a tenth of a second, for which no request shall wait.
        """
        self.publish(worker)
        of_host = {
            "gateway_signing_keys": float(len(ring.all)),
            "gateway_revocations": float(table.count),
            "gateway_store_silence_seconds": max(0.0, self._clock() - table.contacts[0]),
        }
        return await asyncio.to_thread(_make_page, self._directory, of_host)

    def publish(self, worker: Worker) -> None:
        """Lay this worker's numbers open, as they are now."""
        board, requests = self._board, self._requests
        if board is None or requests is None:
            return
        for name, value in (
            ("gateway_workers", 1),
            ("gateway_requests_in_flight", requests.in_flight),
            ("gateway_client_connections", len(worker.connections)),
            ("gateway_token_cache_entries", worker.snapshot.verifier.remembered_count),
        ):
            board.numbers(name)[0] = float(value)
        if worker.shared_limits is not None:
            unanswered = worker.shared_limits.unanswered
            board.numbers("gateway_rate_limits_alone_total")[0] = float(unanswered)
        for name, pools in worker.pools():
            idle = sum(pool.idle_count for pool in pools)
            busy = sum(pool.open_count for pool in pools) - idle
            waiting = sum(pool.waiting_count for pool in pools)
            board.numbers("gateway_upstream_connections", name, "idle")[0] = float(idle)
            board.numbers("gateway_upstream_connections", name, "busy")[0] = float(busy)
            board.numbers("gateway_upstream_waiting", name)[0] = float(waiting)
        board.publish()

    async def run(self, worker: Worker) -> None:
        """Publish again and again; ends by being cancelled."""
        while True:
            self.publish(worker)
            await asyncio.sleep(PUBLISH_S)

    def close(self, worker: Worker) -> None:
        """Write what is left of the log, and leave the last numbers behind."""
        if self._writer is not None:
            self._writer.close()
        self.publish(worker)
        self._sheets.close()


def _make_page(directory: Path, of_host: Mapping[str, float]) -> str:
    totals = sum_up(read_sheets(directory))
    for name, value in of_host.items():
        totals[name, ()] = [value]
    return render(totals)


def open_access_log(config: Config) -> int | None:
    """Open the access log and return its descriptor; None where there is none.

    Raises:
        ConfigError: It cannot be opened.
    """
    target = config.settings.access_log
    if target == OFF:
        return None
    try:
        return open_target(target)
    except OSError as error:
        raise ConfigError(
            config.place("access_log"),
            f"the access log cannot be opened: {error.strerror}",
            "name a file in a directory that exists and may be written to, or write stdout",
        ) from None


def check_access_log(config: Config) -> None:
    """Check that the access log can be opened; a new file is made.

    Raises:
        ConfigError: It cannot be.
    """
    descriptor = open_access_log(config)
    if descriptor is not None:
        os.close(descriptor)
