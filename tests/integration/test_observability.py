"""Access log and metrics of a running gateway: each request once, and no secret in any of it."""

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import StartGateway
from tests.integration.test_admin import HOST, LOGIN, OPERATOR, PUBLIC_HOST, TOKEN, ask
from tests.kit.gateway import DEADLINE_S, SECRET, GatewayProcess, bearer, configuration, mint
from tests.kit.script import close, respond
from tests.kit.upstream import Upstream
from tests.kit.wire import Response, Wire

CANARY: Final = "canary7f3a9c"
OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: s=%b\r\n\r\nok" % CANARY.encode()
ADMIN: Final = {"listen": "127.0.0.1:0", "token": TOKEN}


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Return the lines of an access log; each is a whole one."""
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def page_of(gateway: GatewayProcess) -> str:
    """Return the page that Prometheus would get."""
    answer = ask(gateway.admin_port, "GET", "/metrics")
    assert answer.status == 200
    return answer.body.decode()


def value_of(gateway: GatewayProcess, name: str, **labels: str) -> float:
    """Return one sample; 0 where there is none."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(page_of(gateway))
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def wait_until(holds: Callable[[], bool]) -> None:
    """Return when something holds that another process tells nobody of."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline_s, "it did not come about"
        time.sleep(0.05)


def test_every_request_has_its_line_and_is_counted(
    start_gateway: StartGateway, own_upstream: Upstream, tmp_path: Path
) -> None:
    """Two workers write to one file, and whichever is asked adds up both."""
    log = tmp_path / "access.log"
    document = configuration(own_upstream.port, admin=ADMIN, workers=2, access_log=str(log))
    gateway = start_gateway(document)
    for number in range(40):
        own_upstream.play(respond(OK))
        with Wire(gateway.port) as wire:
            wire.send(b"GET /p/%d HTTP/1.1\r\n%b%b\r\n" % (number, PUBLIC_HOST, bearer()))
            assert wire.read_response().status == 200
            wire.send(b"GET /p/%d HTTP/1.1\r\n%b\r\n" % (number, PUBLIC_HOST))
            assert wire.read_response().status == 401
    wait_until(lambda: value_of(gateway, "gateway_requests_total", route="p") == 80)

    told = [line for line in lines_of(log) if line["listener"] == "public"]
    assert sorted((line["path"], line["status"]) for line in told) == sorted(
        (f"/p/{number}", status) for number in range(40) for status in (200, 401)
    )
    assert len({line["request_id"] for line in told}) == 80
    assert value_of(gateway, "gateway_workers") == 2
    assert value_of(gateway, "gateway_requests_in_flight") == 0
    assert value_of(gateway, "gateway_tokens_total") == 40
    assert value_of(gateway, "gateway_request_duration_seconds_count", route="p") == 80


def test_counters_outlive_a_worker_that_is_killed(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """A restart makes no counter smaller, and what is open only counts where somebody lives."""
    gateway = start_gateway(configuration(own_upstream.port, admin=ADMIN, workers=2))
    for _ in range(20):
        assert ask(gateway.port, "GET", "/none", fields=PUBLIC_HOST).status == 404
    wait_until(lambda: value_of(gateway, "gateway_requests_total", status="4xx") == 20)
    children = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text("ascii")
    workers = [int(pid) for pid in children.split() if _is_worker(int(pid))]
    assert len(workers) == 2

    os.kill(workers[0], signal.SIGKILL)
    wait_until(lambda: str(workers[0]) not in _children(gateway) and len(_children(gateway)) > 2)
    wait_until(lambda: value_of(gateway, "gateway_workers") == 2)

    assert value_of(gateway, "gateway_requests_total", status="4xx") == 20


def _children(gateway: GatewayProcess) -> list[str]:
    path = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children")
    return path.read_text("ascii").split()


def _is_worker(pid: int) -> bool:
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _posted(path: str, members: dict[str, Any], *fields: bytes) -> bytes:
    body = json.dumps(members).encode()
    framing = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    lines = b"".join((PUBLIC_HOST, *fields, framing))
    return b"POST %b HTTP/1.1\r\n%b\r\n%b" % (path.encode(), lines, body)


def _got(target: str, *fields: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (target.encode(), PUBLIC_HOST, b"".join(fields))


def _requests_with_canaries(token: str) -> list[bytes]:
    canary = CANARY.encode()
    good = b"Authorization: Bearer %b\r\n" % token.encode()
    forged = b"Authorization: Bearer %b.%b.%b\r\n" % (canary, canary, canary)
    cookie = b"Cookie: session=%b; other=%b\r\n" % (canary, canary)
    return [
        _got(f"/public/x?access_token={CANARY}&q={CANARY}"),
        _got(f"/p/x?access_token={CANARY}"),
        _got(f"/p/x?q={CANARY}", good),
        _got("/p/x", forged),
        _got("/p/x", cookie),
        _got("/p/x", b"access-token: %b\r\n" % canary),
        _got("/p/x", good, b"access-token: %b\r\n" % canary),
        _got("/admin/x", good, b"X-Secret: %b\r\nReferer: http://h/?t=%b\r\n" % (canary, canary)),
        _got("/public/x", b"traceparent: %b\r\ntracestate: %b\r\n" % (canary, canary)),
        _got("/public/x", b"Authorization: Basic %b\r\n" % canary),
        _got("/whoami", forged),
        _got("/none", b"User-Agent: %b\r\n" % canary),
        _posted("/authenticate", {"username": "zoe", "password": CANARY}),
        _posted("/authenticate", {"username": CANARY, "password": CANARY}),
        _posted("/authenticate", {"username": ["x", CANARY], "password": CANARY}),
        _posted("/refresh", {"refresh_token": CANARY}),
        _posted("/introspect", {"token": CANARY}, forged),
        _posted("/public/x", {"secret": CANARY}),
        b"GET /p/x HTTP/1.1\r\nHost: %b\x00\r\n\r\n" % canary,
        b"GET /public/../%b HTTP/1.1\r\nHost: a\r\n\r\n" % canary,
        b"GET /?x=%b HTTP/9.9\r\nHost: a\r\n\r\n" % canary,
        b"POST /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\n" % canary,
    ]


def test_no_secret_is_in_anything_that_is_told(
    start_gateway: StartGateway, own_upstream: Upstream, tmp_path: Path
) -> None:
    """THREATS OPS-15: tokens, passwords, cookies and queries are in no log, metric or refusal."""
    log = tmp_path / "access.log"
    gateway = start_gateway(configuration(own_upstream.port, admin=ADMIN, access_log=str(log)))
    assert ask(gateway.admin_port, "POST", "/users", LOGIN).status == 201
    login = ask(gateway.port, "POST", "/authenticate", LOGIN, fields=PUBLIC_HOST).json()
    token = mint(scope=CANARY, secret=CANARY)
    refusals: list[Response] = []
    requests = _requests_with_canaries(token)
    for request in requests:
        own_upstream.play(respond(OK))
        with Wire(gateway.port) as wire:
            wire.send(request)
            answer = wire.read_response()
        own_upstream.clear()
        if answer.status >= 400:
            refusals.append(answer)
    own_upstream.play(close)
    refusals.append(ask(gateway.port, "GET", "/p/x", fields=PUBLIC_HOST + bearer(x=CANARY)))
    ask(gateway.admin_port, "GET", f"/users?limit={CANARY}")
    ask(
        gateway.admin_port, "GET", "/keys", fields=HOST + b"Authorization: %b\r\n" % CANARY.encode()
    )
    page = page_of(gateway)
    wait_until(lambda: len(lines_of(log)) >= len(requests) + 6)

    said = "\n".join((page, *gateway.lines, log.read_text("ascii")))
    bodies = b"\n".join(answer.body for answer in refusals).decode()
    known = (CANARY, TOKEN, SECRET, LOGIN["password"])
    secrets = (*known, token, login["token"], login["refresh_token"])
    assert len(refusals) > 15
    assert [secret for secret in secrets if secret in said] == []
    assert [secret for secret in secrets if secret in bodies] == []
    assert re.search(r"eyJ[A-Za-z0-9]", said) is None  # the beginning of every JWT
    assert OPERATOR not in said.encode()


def test_a_line_cannot_be_forged(
    start_gateway: StartGateway, own_upstream: Upstream, tmp_path: Path
) -> None:
    """THREATS OPS-14: what a client or an issuer of tokens makes up stays within its line."""
    log = tmp_path / "access.log"
    gateway = start_gateway(configuration(own_upstream.port, access_log=str(log)))
    nasty = 'a\u2028"}{\u0085\u009b'
    own_upstream.play(respond(OK))
    ask(gateway.port, "GET", "/admin/x", fields=PUBLIC_HOST + bearer(sub=nasty))
    ask(gateway.port, "GET", "/public/%C3%A9", fields=PUBLIC_HOST)
    wait_until(lambda: log.read_bytes().count(b"\n") >= 2)

    first, second = lines_of(log)
    assert (first["sub"], first["reason"]) == (nasty, "role_missing")
    assert second["path"] == "/public/%C3%A9"
