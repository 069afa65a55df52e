"""What one worker tells of itself: its access log and its numbers, built from the configuration.

The rule to keep in mind: nothing is counted where nobody can ask (no ``admin:``), nothing is
written where ``access_log`` is off, and there are no spans without ``tracing``. A worker that does
none of it has no ``Access`` at all.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.config.access_log import OFF
from gateway.config.load import Config
from gateway.errors import ConfigError
from gateway.issuer.key_ring import KeyRing
from gateway.issuer.revocation_table import RevocationTable
from gateway.observe.access import Access
from gateway.observe.exposition import render, sum_up
from gateway.observe.reloads import ReloadCounts
from gateway.observe.requests import RequestMetrics
from gateway.observe.series import Board, Histogram
from gateway.observe.sheets import SheetWriter, read_sheets
from gateway.observe.writer import LineWriter, open_target
from gateway.proxy.pool import Pool
from gateway.proxy.worker import Worker

if TYPE_CHECKING:
    from gateway.observe.spans import Spans

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
        self._target = config.settings.access_log
        descriptor = open_access_log(config)
        self._sheets = SheetWriter(directory)
        self._board: Board | None = None
        self._requests: RequestMetrics | None = None
        self._gauges: Iterable[tuple[str, ...]] = ()  # those of the last time, with their labels
        self._dropped = [0.0]
        self.reloads: ReloadCounts | None = None
        if config.settings.admin is not None:
            self._board = Board(self._sheets.add)
            self._requests = RequestMetrics(self._board)
            self._dropped = self._board.numbers("gateway_access_log_dropped_total")
            self.reloads = ReloadCounts(self._board)
        self._writer = self._make_writer(descriptor)
        self._spans = _make_spans(config)

    def _make_writer(self, descriptor: int | None) -> LineWriter | None:
        return None if descriptor is None else LineWriter(descriptor, self._dropped)

    def prepare(self, config: Config) -> Callable[[Worker, Worker | None], None]:
        """Open the access log of another configuration, where it is another one.

        Returns:
            What makes the public and the admin listener's worker write to it from then on.

        Raises:
            ConfigError: It cannot be opened; nothing has changed.
        """
        target = config.settings.access_log
        if target == self._target:
            return lambda _worker, _admin: None
        descriptor = open_access_log(config)

        def use(worker: Worker, admin: Worker | None) -> None:
            old, self._writer, self._target = self._writer, self._make_writer(descriptor), target
            self.listen_to(worker)
            if admin is not None:
                self.listen_to_admin(admin)
            if old is not None:
                old.close()

        return use

    def listen_to(self, worker: Worker) -> None:
        """Hear of the requests of the public listener from now on."""
        worker.access = None
        if self._writer or self._requests or self._spans:
            worker.access = Access(
                self._writer,
                self._requests,
                clock=self._clock,
                proxies=lambda: worker.snapshot.trusted_proxies,
                tracer=self._spans,
            )

    def listen_to_admin(self, worker: Worker) -> None:
        """Write the requests of the admin listener to the log; they are not counted."""
        worker.access = None
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
        gauges: dict[tuple[str, ...], float] = dict.fromkeys(self._gauges, 0)  # of what is gone
        gauges |= {
            ("gateway_workers",): 1,
            ("gateway_tasks",): len(asyncio.all_tasks()),
            ("gateway_requests_in_flight",): requests.in_flight,
            ("gateway_client_connections",): len(worker.connections),
            ("gateway_tunnels",): sum(not tunnel.is_over for tunnel in worker.tunnels),
            ("gateway_token_cache_entries",): worker.snapshot.verifier.remembered_count,
        }
        for limit, count in worker.admission.refused.items():
            board.numbers("gateway_connections_refused_total", limit)[0] = float(count)
        if worker.shared_limits is not None:
            unanswered = worker.shared_limits.unanswered
            board.numbers("gateway_rate_limits_alone_total")[0] = float(unanswered)
        for name, pools in worker.pools():
            gauges |= _gauges_of(name, pools, worker.sweeper.now_s)
        for series, value in gauges.items():
            board.numbers(*series)[0] = float(value)
        self._gauges = gauges.keys()
        board.publish()

    def note_lag(self, lag_s: float) -> None:
        """Count how late the loop was."""
        if self._board is not None:
            Histogram(self._board.numbers("gateway_loop_lag_seconds")).add(lag_s)

    async def run(self, worker: Worker) -> None:
        """Publish again and again; ends by being cancelled."""
        while True:
            self.publish(worker)
            await asyncio.sleep(PUBLISH_S)

    def close(self, worker: Worker) -> None:
        """Write what is left of the log, and leave the last numbers behind."""
        if self._writer is not None:
            self._writer.close()
        if self._spans is not None:
            self._spans.close()
        self.publish(worker)
        self._sheets.close()


def _make_spans(config: Config) -> "Spans | None":
    tracing = config.settings.tracing
    if tracing is None:
        return None
    from gateway.observe.spans import Spans  # noqa: PLC0415 (its packages are an extra)

    return Spans(tracing.otlp, sample=tracing.sample, service_name=tracing.service_name)


def _gauges_of(upstream: str, pools: Sequence[Pool], now_s: float) -> dict[tuple[str, ...], float]:
    idle = sum(pool.idle_count for pool in pools)
    busy = sum(pool.open_count for pool in pools) - idle
    gauges: dict[tuple[str, ...], float] = {
        ("gateway_upstream_connections", upstream, "idle"): idle,
        ("gateway_upstream_connections", upstream, "busy"): busy,
        ("gateway_upstream_waiting", upstream): sum(pool.waiting_count for pool in pools),
    }
    for pool in pools:
        series = ("gateway_upstream_endpoint_up", upstream, str(pool.endpoint))
        gauges[series] = pool.standing.can_take(now_s)
    return gauges


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
