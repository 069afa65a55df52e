"""How long after a logout another host still takes the token: ``python -m bench.logout``.

Two gateways of two workers each share one PostgreSQL. A logout is asked of one of them; from its
answer on, each worker of the other is asked for the same token until it refuses. The second row is
the same with a database that notifies nobody, so that only the poll of each gateway is left.

The delay of a logout ends with the answer of the worker that was last to refuse; so it is at least
what two requests take.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Final

from tests.kit.client import Client, connected_to_all
from tests.kit.gateway import GatewayProcess, configuration, mint
from tests.kit.postgres import PostgresServer, find_binaries
from tests.kit.tally import Tally

WORKERS: Final = 2
GIVEN_UP_S: Final = 30.0
LONGEST_PAUSE_S: Final = 0.5  # the gateway's poll; without pauses, each logout would follow one
_GOLDEN: Final = 0.618  # its multiples are spread evenly over a whole

# Found before the function of that name that PostgreSQL has; the tables are made in "public".
_SILENCE: Final = """
CREATE SCHEMA silent;
CREATE FUNCTION silent.pg_notify(text, text) RETURNS void LANGUAGE sql AS '';
ALTER DATABASE "{name}" SET search_path = public, silent, pg_catalog;
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.logout", description=__doc__)
    parser.add_argument("--logouts", type=int, default=200, help="of each row")
    options = parser.parse_args(arguments)
    if find_binaries() is None:
        print("no PostgreSQL server on this machine: install the package postgresql")
        return 1
    print(f"{'ms after the logout was answered':34}{'median':>8}{'p99':>8}{'worst':>8}")
    with PostgresServer() as server:
        for title, name in (("with LISTEN/NOTIFY", "heard"), ("without: the poll alone", "silent")):
            url = server.create_database(name)
            if name == "silent":
                server.query(name, _SILENCE.format(name=name))
            delays_ms = sorted(1000 * delay_s for delay_s in _measure(url, options.logouts))
            p99 = delays_ms[int(0.99 * (len(delays_ms) - 1))]
            print(f"{title:34}{median(delays_ms):8.1f}{p99:8.1f}{delays_ms[-1]:8.1f}", flush=True)
    return 0


def _measure(url: str, logouts: int) -> list[float]:
    """Return the delay of each of so many logouts, in seconds."""
    with ExitStack() as stack:
        service = stack.enter_context(Tally())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        document = configuration(service.port, store=url, workers=WORKERS)
        sides: list[Mapping[str, list[Client]]] = []
        for name in ("one", "other"):
            gateway = stack.enter_context(GatewayProcess(document, folder / name))
            sides.append(stack.enter_context(connected_to_all(gateway.port, WORKERS)))
        here, there = ([taken[0] for taken in side.values()] for side in sides)
        delays_s = []
        for number in range(logouts):
            time.sleep(number * _GOLDEN % 1 * LONGEST_PAUSE_S)
            delays_s.append(_log_out(here[number % WORKERS], there, number))
        return delays_s


def _log_out(here: Client, there: Sequence[Client], number: int) -> float:
    """Log a session out at one gateway; return when the last worker of the other refuses it."""
    token = mint(sid=f"session {number}", jti=f"token {number}")
    for client in there:  # which remembers it as a good one
        if client.ask("GET", "/p", token).status != 200:
            sys.exit("a good token was refused")
    if here.ask("POST", "/logout", token).status != 204:
        sys.exit("a logout was refused")
    answered_s = time.perf_counter()
    refused: set[Client] = set()
    while len(refused) < len(there):
        refused |= {c for c in there if c.ask("GET", "/p", token).reason == "token_revoked"}
        if time.perf_counter() - answered_s > GIVEN_UP_S:
            sys.exit("a logout did not arrive")
    return time.perf_counter() - answered_s


if __name__ == "__main__":
    sys.exit(main())
