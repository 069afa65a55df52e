"""``gateway demo``: both processes, the walk, and an end that leaves neither behind."""

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from gateway.cli.loading import DEFAULT_CONFIG, ConfigPath, exit_on_config_errors, load
from gateway.cli.output import print_error, print_heading, print_line
from gateway.config.addresses import Address
from gateway.errors import ConfigError

if TYPE_CHECKING:
    import httpx

_START_DEADLINE_S: Final = 60.0  # both start in a second; a loaded CI machine takes its time
_STOP_DEADLINE_S: Final = 15.0
_POLL_S: Final = 0.05
_EXIT_FAILED: Final = 1
_EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells say it


class DemoError(Exception):
    """The demo cannot go on; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the two processes, and where it keeps what it prints."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: IO[bytes]

    def check_alive(self) -> None:
        """Raise DemoError with the last lines that it printed, if it has ended."""
        status = self.process.poll()
        if status is not None:
            self.log.seek(0)
            printed = self.log.read().decode("utf-8", "replace").rstrip()
            raise DemoError(f"{self.name} ended with status {status}:\n{printed}")


def demo(
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    once: Annotated[bool, typer.Option("--once", help="Exit after the walk.")] = False,
) -> None:
    """Start the products service and the gateway, and walk through the story over real HTTP.

    Exit codes: 0, 1 (something was not as told, or did not start), 2 (bad configuration).
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # in a pipe, too, each step is told as it is taken
        sys.stdout.reconfigure(line_buffering=True)
    with exit_on_config_errors():
        upstream, gateway = find_addresses(config)
    signal.signal(signal.SIGTERM, _on_sigterm)
    try:
        as_told = _run(config, upstream, gateway, once=once)
    except DemoError as error:
        print_error(f"gateway demo: {error}")
        raise typer.Exit(_EXIT_FAILED) from None
    except KeyboardInterrupt:  # the way to end the demo, but not to end a walk
        raise typer.Exit(_EXIT_INTERRUPTED if once else 0) from None
    if not as_told:
        print_error("gateway demo: not everything was as told")
        raise typer.Exit(_EXIT_FAILED)


def find_addresses(config: Path) -> tuple[Address, Address]:
    """Return where the file says that the service and the gateway are."""
    loaded = load(config)
    endpoint = loaded.snapshot.upstreams[0].endpoints[0]
    listener = loaded.config.settings.listen[0]
    if not isinstance(listener, Address) or loaded.config.settings.tls is not None:
        raise ConfigError(
            loaded.config.place("listen"),
            "the demo speaks plain HTTP over TCP",
            "name host:port first, without 'tls'",
        )
    return Address(endpoint.host, endpoint.port), listener


def _on_sigterm(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt  # so that it ends the way that Ctrl-C does


def _run(config: Path, upstream: Address, gateway: Address, *, once: bool) -> bool:
    # Not above: ``gateway run`` would wait for it too.
    import httpx  # noqa: PLC0415

    from gateway.cli.demo_steps import STEPS  # noqa: PLC0415
    from gateway.cli.demo_walk import Walk  # noqa: PLC0415

    for address in (upstream, gateway):
        check_free(address)
    service = ["upstream_demo", "--host", upstream.host, "--port", str(upstream.port)]
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(httpx.Client(trust_env=False))
        parts = [
            stack.enter_context(start("upstream_demo", service)),
            stack.enter_context(start("the gateway", ["gateway", "run", "--config", str(config)])),
        ]
        wait_until_up(client, f"http://{upstream}/health", parts)
        wait_until_up(client, f"http://{gateway}/.well-known/jwks.json", parts)
        print_line(f"products service: http://{upstream}   gateway: http://{gateway}", style="bold")
        as_told = Walk(client, f"http://{gateway}").run(STEPS)
        if once:
            if as_told:
                print_heading("Everything was as told.")
            return as_told
        print_heading("Serving until Ctrl-C; paste what stands behind any $ above.")
        while True:
            time.sleep(_POLL_S)
            for part in parts:
                part.check_alive()


def check_free(address: Address) -> None:
    """Raise DemoError if somebody listens there already."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        socket.create_server((address.host, address.port), family=family).close()
    except OSError as error:
        raise DemoError(
            f"cannot listen on {address}: {os.strerror(error.errno or 0)}\n"
            f"  `ss -ltnp 'sport = :{address.port}'` says which process has the port; end it with "
            "`kill PID`,\n  or give another port in the configuration"
        ) from None


@contextlib.contextmanager
def start(name: str, arguments: list[str]) -> Iterator[Part]:
    """Run ``python -m`` with *arguments* for as long as the context lasts."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603 (our own interpreter and modules)
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the demo, which then ends both in order
        )
        try:
            yield Part(name, process, log)
        finally:
            stop(process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process that we started: politely, then not."""
    process.terminate()
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_DEADLINE_S)
    finally:  # also where a second Ctrl-C cuts the waiting short
        process.kill()
        process.wait()


def wait_until_up(client: "httpx.Client", url: str, parts: list[Part]) -> None:
    """Return when *url* answers 200.

    Raises:
        DemoError: A process ended, or it took too long.
    """
    import httpx  # noqa: PLC0415 (as above)

    deadline_s = time.monotonic() + _START_DEADLINE_S
    while time.monotonic() < deadline_s:
        for part in parts:
            part.check_alive()
        with contextlib.suppress(httpx.HTTPError):
            if client.get(url, timeout=1.0).status_code == httpx.codes.OK:
                return
        time.sleep(_POLL_S)
    raise DemoError(f"{url} did not answer within {_START_DEADLINE_S:g} s")
