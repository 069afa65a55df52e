"""THREATS.md B4.4: what the gateway needs x what can happen to it.

Of each: the right refusal, in time; nothing forwarded that was not let in; all well within two
seconds of the repair. ``test_frozen_services.py`` and ``test_store_outage.py`` have the rest of
SIGSTOP, ``store/test_outages.py`` a disk that is full from the store's side.
"""

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.kit.chaos import ChaosProxy, Fault
from tests.kit.foreign import foreign_issuer, foreign_token
from tests.kit.frozen import freeze
from tests.kit.gateway import GatewayProcess, bearer, configuration
from tests.kit.key_server import JWKS, KeyServer, key_set, say
from tests.kit.postgres import PostgresServer, find_binaries
from tests.kit.redis_server import RedisServer
from tests.kit.script import OK, respond
from tests.kit.tokens import signing_key
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire

RECOVERED_S: Final = 2.0  # on a machine that has time for it; tests allow for one that has not
BUSY: Final = 4
RESPONSE_S: Final = 1.0
STORE_S: Final = 5.0  # ``StoreLimits.deadline_s``
KEY: Final = signing_key("ES256", kid="theirs")

UNREACHABLE: Final = (502, "upstream_unreachable")
PROTOCOL: Final = (502, "upstream_protocol")
TIMEOUT: Final = (504, "upstream_timeout")
STORE: Final = (503, "store_unavailable")
KEYS: Final = (503, "keys_unavailable")
GOOD: Final = (200, "")


def ask(port: int, path: str, fields: bytes = b"", method: str = "GET") -> tuple[int, str]:
    """Send one request over a connection of its own; return the status and the reason."""
    with Wire(port) as wire:
        head = f"{method} {path} HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 0\r\n"
        wire.send(head.encode("ascii") + fields + b"\r\n")
        response = wire.read_response(method.encode("ascii"))
        return response.status, response.reason


def log_out(gateway: GatewayProcess, session: str) -> tuple[int, str]:
    """Ask for what has to be written to the store."""
    return ask(gateway.port, "/logout", bearer(sid=session), "POST")


def recovery_s(is_well: Callable[[], bool]) -> float:
    """Ask until all is well; return how many seconds that took."""
    begun_s = time.monotonic()
    while not is_well():
        assert time.monotonic() - begun_s < 30
        time.sleep(0.02)  # the machine has other things to do than to ask
    return time.monotonic() - begun_s


def check_recovery(is_well: Callable[[], bool]) -> None:
    """Wait until all is well, and note how long that took."""
    took_s = recovery_s(is_well)
    sys.stdout.write(f"recovered in {took_s:.3f} s\n")  # pytest -rP shows it
    assert took_s < BUSY * RECOVERED_S


def check_strangers(gateway: GatewayProcess, service: Upstream) -> None:
    """Whoever has no token is refused now as ever, and the service hears of nobody else."""
    assert ask(gateway.port, "/p") == (401, "credential_missing")
    assert ask(gateway.port, "/p", bearer()[:-4] + b"AA\r\n")[0] == 401
    for request in service.requests:
        assert request.target.startswith(b"/public") or request.header(b"x-user") == [b"alice"]


# --- the service ---


@pytest.fixture(scope="module")
def service() -> Iterator[Upstream]:
    """It keeps all that it gets."""
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def link(service: Upstream) -> Iterator[ChaosProxy]:
    """What is between the gateway and its service."""
    with ChaosProxy(service.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def gateway(link: ChaosProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One with SQLite, whose service can go wrong."""
    timeouts = {"response_timeout": f"{RESPONSE_S:.0f}s", "idle_timeout": "1s"}
    document = configuration(link.port, upstream=timeouts)
    with GatewayProcess(document, tmp_path_factory.mktemp("faults")) as process:
        yield process
        process.check_quiet()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        pytest.param(Fault.REFUSE, UNREACHABLE, id="down"),
        pytest.param(Fault.BLACKHOLE, TIMEOUT, id="blackhole"),
        pytest.param(Fault.STALL, TIMEOUT, id="no-answer"),
        pytest.param(Fault.TRICKLE, TIMEOUT, id="DOS-13-slow-head"),
        pytest.param(Fault.RESET, PROTOCOL, id="reset-mid-reply"),
        pytest.param(Fault.TRUNCATE, PROTOCOL, id="cut-mid-reply"),
        pytest.param(Fault.GARBLE, PROTOCOL, id="wrong-reply"),
        pytest.param(Fault.HALF_CLOSE, UNREACHABLE, id="ended-without-reply"),
    ],
)
def test_the_service(
    gateway: GatewayProcess,
    service: Upstream,
    link: ChaosProxy,
    fault: Fault,
    expected: tuple[int, str],
) -> None:
    """502 where it is gone or talks nonsense, 504 at ``response_timeout`` where it is silent."""
    assert ask(gateway.port, "/p", bearer()) == GOOD
    link.set(fault)
    try:
        service.play(respond(OK))
        begun_s = time.monotonic()
        found = ask(gateway.port, "/p", bearer())
        took_s = time.monotonic() - begun_s
        check_strangers(gateway, service)
    finally:
        link.set(Fault.NONE)

    assert found == expected
    assert took_s < BUSY * RESPONSE_S
    check_recovery(lambda: ask(gateway.port, "/p", bearer()) == GOOD)
    check_strangers(gateway, service)


# --- the keys of others ---

_KEY_FAULTS: Final = (
    Fault.REFUSE, Fault.BLACKHOLE, Fault.STALL, Fault.TRICKLE, Fault.RESET, Fault.TRUNCATE,
    Fault.GARBLE, Fault.HALF_CLOSE,
)  # fmt: skip
_FROZEN: Final = "frozen"
_KEY_SERVER: Final = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(sys.argv[1].encode())
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def issuer_of(name: str) -> str:
    """The issuer whose keys a fault keeps away."""
    return f"https://{name.lower().replace('_', '-')}.test/"


class KeyHouse:
    """A gateway with an issuer for each fault; all were there when it started."""

    def __init__(self, folder: Path, service: Upstream, stack: ExitStack) -> None:
        server = stack.enter_context(KeyServer())
        server.answers[JWKS] = say(key_set(KEY))
        port = int(server.origin.rpartition(":")[2])
        self.links: dict[str, ChaosProxy] = {}
        self.frozen = subprocess.Popen(
            [sys.executable, "-c", _KEY_SERVER, key_set(KEY).decode("ascii")],
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(self.frozen.communicate)
        stack.callback(self.frozen.kill)
        assert self.frozen.stdout is not None
        ports = {_FROZEN: int(self.frozen.stdout.readline())}
        freeze(self.frozen.pid)
        for fault in _KEY_FAULTS:
            proxy = self.links[fault.name] = stack.enter_context(ChaosProxy(port))
            proxy.set(fault)
            ports[fault.name] = proxy.port
        issuers = [
            foreign_issuer(issuer_of(name), jwks_url=f"http://127.0.0.1:{port}{JWKS}")
            for name, port in ports.items()
        ]
        document = configuration(service.port, issuers=issuers)
        self.gateway = stack.enter_context(GatewayProcess(document, folder))

    def repair(self, name: str) -> None:
        """Let the keys of an issuer be read."""
        if name == _FROZEN:
            self.frozen.send_signal(signal.SIGCONT)
        else:
            self.links[name].set(Fault.NONE)


@pytest.fixture(scope="module")
def key_house(service: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyHouse]:
    """The gateway without anybody's keys but its own."""
    with ExitStack() as stack:
        house = KeyHouse(tmp_path_factory.mktemp("keys"), service, stack)
        yield house
        house.gateway.check_quiet()


@pytest.mark.parametrize("name", [_FROZEN, *(fault.name for fault in _KEY_FAULTS)])
def test_the_keys_of_others(
    key_house: KeyHouse,
    service: Upstream,
    name: str,
) -> None:
    """503 for their tokens alone, at once: no request waits for a key server."""
    gateway = key_house.gateway
    theirs = b"Authorization: Bearer %b\r\n" % foreign_token(KEY, iss=issuer_of(name)).encode()
    begun_s = time.monotonic()
    found = ask(gateway.port, "/p", theirs)
    took_s = time.monotonic() - begun_s

    assert found == KEYS
    assert took_s < RECOVERED_S
    assert ask(gateway.port, "/p", bearer()) == GOOD
    check_strangers(gateway, service)
    key_house.repair(name)
    check_recovery(lambda: ask(gateway.port, "/p", theirs) == GOOD)


# --- the store: PostgreSQL ---


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    """A server of this module's own."""
    if find_binaries() is None:
        pytest.skip("no PostgreSQL server on this machine: install the package postgresql")
    with PostgresServer() as running:
        yield running


@pytest.fixture(scope="module")
def store_link(database: PostgresServer) -> Iterator[ChaosProxy]:
    """What is between the gateway and its store."""
    with ChaosProxy(database.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def stored(
    database: PostgresServer,
    store_link: ChaosProxy,
    service: Upstream,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[GatewayProcess]:
    """A gateway whose store can go wrong."""
    url = database.create_database("faults").replace(f":{database.port}/", f":{store_link.port}/")
    document = configuration(service.port, store=url)
    with GatewayProcess(document, tmp_path_factory.mktemp("stored")) as process:
        yield process
        process.check_quiet()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.REFUSE, id="down"),
        pytest.param(Fault.TRICKLE, id="slow"),  # without any answer: ``test_store_outage.py``
        pytest.param(Fault.RESET, id="reset-mid-reply"),
        pytest.param(Fault.GARBLE, id="wrong-reply"),
        pytest.param(Fault.HALF_CLOSE, id="half-closed"),
    ],
)
def test_the_store(
    stored: GatewayProcess,
    service: Upstream,
    store_link: ChaosProxy,
    fault: Fault,
) -> None:
    """503 for what has to be kept, in time; what is known goes on: no request waits for it."""
    assert log_out(stored, f"before {fault}") == (204, "")
    store_link.set(fault)
    try:
        begun_s = time.monotonic()
        found = log_out(stored, f"in {fault}")
        took_s = time.monotonic() - begun_s
        begun_s = time.monotonic()
        passed = ask(stored.port, "/p", bearer())
        revoked = ask(stored.port, "/p", bearer(sid=f"before {fault}"))
        waited_s = time.monotonic() - begun_s
        check_strangers(stored, service)
    finally:
        store_link.set(Fault.NONE)

    assert found == STORE
    assert took_s < STORE_S + BUSY
    assert passed == GOOD
    assert revoked == (401, "token_revoked")
    assert waited_s < RECOVERED_S
    check_recovery(lambda: log_out(stored, f"after {fault}") == (204, ""))
    assert ask(stored.port, "/p", bearer(sid=f"after {fault}")) == (401, "token_revoked")


# --- the rate limits that are shared: Redis ---


@pytest.fixture(scope="module")
def counter_link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ChaosProxy, str]]:
    """What is between the gateway and Redis, and the URL that leads through it."""
    with (
        RedisServer(tmp_path_factory.mktemp("redis")) as redis,
        ChaosProxy(redis.port) as proxy,
    ):
        yield proxy, redis.url.replace(f":{redis.port}", f":{proxy.port}")


@pytest.fixture(scope="module")
def limited(
    counter_link: tuple[ChaosProxy, str],
    service: Upstream,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[GatewayProcess]:
    """A gateway that lets nobody through uncounted."""
    document = configuration(service.port, redis=counter_link[1])
    limit = {"requests": 10_000, "per": "1h", "key": "sub", "on_redis_failure": "refuse"}
    document["routes"].append({"path": "/limited", "upstream": "raw", "rate_limit": limit})
    with GatewayProcess(document, tmp_path_factory.mktemp("limited")) as process:
        yield process
        process.check_quiet()


@pytest.mark.parametrize(
    "fault",
    [
        Fault.REFUSE, Fault.BLACKHOLE, Fault.STALL, Fault.TRICKLE, Fault.RESET, Fault.TRUNCATE,
        Fault.GARBLE, Fault.HALF_CLOSE,
    ],
)  # fmt: skip
def test_the_counter(
    limited: GatewayProcess,
    service: Upstream,
    counter_link: tuple[ChaosProxy, str],
    fault: Fault,
) -> None:
    """CACHE-10: 503 where nobody may pass uncounted, within a moment; other routes go on."""
    check_recovery(lambda: ask(limited.port, "/limited", bearer()) == GOOD)
    counter_link[0].set(fault)
    try:
        begun_s = time.monotonic()
        found = ask(limited.port, "/limited", bearer())
        took_s = time.monotonic() - begun_s
        assert ask(limited.port, "/limited") == (401, "credential_missing")
        assert ask(limited.port, "/p", bearer()) == GOOD
        check_strangers(limited, service)
    finally:
        counter_link[0].set(Fault.NONE)

    assert found == (503, "rate_limit_unavailable")
    assert took_s < RECOVERED_S
    check_recovery(lambda: ask(limited.port, "/limited", bearer()) == GOOD)


# --- this host ---


def test_a_full_disk(gateway: GatewayProcess, service: Upstream) -> None:
    """Not a byte can be written to a file: 503 for what has to be kept, all else goes on."""
    soft, hard = resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        found = log_out(gateway, "full")
        passed = ask(gateway.port, "/p", bearer())
        check_strangers(gateway, service)
    finally:
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (soft, hard))

    assert found == STORE
    assert passed == GOOD
    check_recovery(lambda: log_out(gateway, "room") == (204, ""))


def test_no_descriptors(gateway: GatewayProcess, service: Upstream) -> None:
    """DOS-10: who is there is served, who comes is let go, and it is over when there are some."""
    request = b"GET /public HTTP/1.1\r\nHost: gw.test\r\n\r\n"
    soft, hard = resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        kept = stack.enter_context(Wire(gateway.port))
        kept.send(request)  # leaves a connection to the service, too
        assert kept.read_response().status == 200
        highest = max(int(fd.name) for fd in Path(f"/proc/{gateway.pid}/fd").iterdir())
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (highest + 8, hard))
        try:
            late = [stack.enter_context(Wire(gateway.port)) for _ in range(64)]
            assert late[-1].is_ended()  # accepted in their order
            before = _cpu_ticks(gateway.pid)
            for _ in range(20):
                kept.send(request)
                assert kept.read_response().status == 200
                with Wire(gateway.port) as refused:
                    assert refused.is_ended()
            assert _cpu_ticks(gateway.pid) - before < 100  # a second; it does not spin
            kept.send(b"GET /p HTTP/1.1\r\nHost: gw.test\r\n\r\n")
            assert kept.read_response().status == 401
        finally:
            resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (soft, hard))
        check_recovery(lambda: ask(gateway.port, "/p", bearer()) == GOOD)
    check_strangers(gateway, service)


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
