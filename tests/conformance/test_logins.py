"""THREATS.md A9 on real sockets: guesses, names in many spellings, bodies that are none."""

from collections.abc import Iterator
from typing import Final

import pytest

from gateway.issuer.passwords import HASHING_THREADS, MAX_PASSWORD_BYTES, WAITING_LOGINS
from gateway.issuer.throttle import RULES
from gateway.store.throttles import ThrottleKind
from tests.kit.endpoints import PASSWORD, ask, request, try_login, users
from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.upstream import Upstream
from tests.kit.wire import Response, Wire

FREE: Final = RULES[ThrottleKind.PAIR].free
FORM: Final = b"Content-Type: application/x-www-form-urlencoded\r\n"
# Behind a trusted proxy each test has an address of its own, and so counters of its own.
PROXY: Final = {"trusted_proxies": ["127.0.0.0/8"]}


@pytest.fixture(scope="module")
def running(
    shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """A gateway of two workers behind a trusted proxy."""
    document = configuration(
        shared_upstream.port, workers=2, users=users("alice", "bob", "stra\u00dfe"), **PROXY
    )
    with GatewayProcess(document, tmp_path_factory.mktemp("logins")) as process:
        yield process


@pytest.fixture
def gateway(running: GatewayProcess) -> Iterator[GatewayProcess]:
    """That gateway, quiet before and after."""
    yield running
    running.check_quiet()


def _from(number: int) -> bytes:
    return b"X-Forwarded-For: 198.51.100.%d\r\n" % number


def _guess(gateway: GatewayProcess, name: str, address: int, typed: str = "x") -> Response:
    body = {"username": name, "password": typed}
    return ask(gateway, b"POST", b"/authenticate", body, fields=_from(address))


def _seen(response: Response) -> tuple[int, list[tuple[bytes, bytes]], dict[str, str]]:
    """Return all that a client sees of an answer, without what is new each time."""
    fields = [field for field in response.headers if field[0] != b"date"]
    body = response.json()
    del body["request_id"]
    return response.status, fields, body


def test_an_unknown_user_and_a_wrong_password_are_one_answer(gateway: GatewayProcess) -> None:
    """AUTH-01: status, fields and body."""
    wrong, unknown = _guess(gateway, "alice", 1), _guess(gateway, "nobody", 1)

    assert wrong.reason == "login_failed"
    assert _seen(wrong) == _seen(unknown)


SPELLINGS: Final = [
    "Stra\u00dfe",
    "STRASSE",
    " strasse\t",
    "\uff33\uff34\uff32\uff21\uff33\uff33\uff25",
    "stra\u1e9ee",
    "strasse\u00a0",
]


def test_spellings_of_a_name_share_one_counter(gateway: GatewayProcess) -> None:
    """AUTH-04: after as many failures as are free, whatever the spelling, all of them wait."""
    assert len(SPELLINGS) > FREE
    answers = [_guess(gateway, name, 2) for name in SPELLINGS]
    assert [each.status for each in answers] == [401] * FREE + [429] * (len(SPELLINGS) - FREE)
    assert all(int(each.header(b"retry-after")[0]) >= 1 for each in answers[FREE:])
    assert _guess(gateway, "strasse", 2, PASSWORD).status == 429
    assert _guess(gateway, "strasse", 3, PASSWORD).status == 200


def test_guesses_at_once_are_no_more_than_one_after_the_other(gateway: GatewayProcess) -> None:
    """AUTH-05: forty sockets, two workers; the right password among them is no exception."""
    body = {"username": "bob", "password": "x"}
    wires = [Wire(gateway.port) for _ in range(40)]
    for wire in wires:
        wire.send(request(b"POST", b"/authenticate", body, fields=_from(4)))
    answers = [wire.read_response(b"POST") for wire in wires]
    for wire in wires:
        wire.close()
    statuses = [answer.status for answer in answers]

    # A second may pass meanwhile, after which one more is let through.
    assert FREE <= statuses.count(401) <= FREE + 3
    assert statuses.count(401) + statuses.count(429) == 40


def test_a_user_who_is_attacked_gets_in_from_home(gateway: GatewayProcess) -> None:
    """AUTH-03: the name is throttled elsewhere, and never where its user has logged in before."""
    assert _guess(gateway, "alice", 5, PASSWORD).status == 200
    elsewhere = [_guess(gateway, "alice", 100 + n).status for n in range(40)]

    assert 429 in elsewhere
    assert _guess(gateway, "alice", 5, PASSWORD).status == 200


LONG: Final = "p" * (MAX_PASSWORD_BYTES + 1)
FIELDS: Final = b"&".join(b"f%d=" % n for n in range(7000)) + b"&username=a&password=b"
ODD: Final = [
    pytest.param(b'{"username":["a"],"password":{}}', b"", 400, id="AUTH-10-types"),
    pytest.param(b'{"username":null,"password":null}', b"", 400, id="AUTH-10-null"),
    pytest.param(b'{"username":"a","username":"b","password":"c"}', b"", 400, id="AUTH-10-twice"),
    pytest.param(b'{"username":"\\ud800","password":"c"}', b"", 400, id="AUTH-10-surrogate"),
    pytest.param(b'{"username":"a","password":"\\udfff"}', b"", 400, id="AUTH-10-half"),
    pytest.param(b'{"username":1%b,"password":"c"}' % (b"0" * 5000), b"", 400, id="AUTH-10-huge"),
    pytest.param(b'{"username":"a","password":1e999}', b"", 400, id="AUTH-10-infinite"),
    pytest.param(b"[" * 30000, b"", 400, id="AUTH-10-deep"),
    pytest.param(b'["a","b"]', b"", 400, id="AUTH-10-list"),
    pytest.param(b'{"username":"a","password":"b"} {}', b"", 400, id="AUTH-10-two"),
    pytest.param(b'\xff\xfe{"username":"a"}', b"", 400, id="AUTH-10-encoding"),
    pytest.param(b"", b"Content-Type: application/json\r\n", 400, id="AUTH-10-empty"),
    pytest.param({"username": "a", "password": LONG}, b"", 400, id="AUTH-07-password"),
    pytest.param({"username": "n" * 1025, "password": "b"}, b"", 400, id="AUTH-07-name"),
    pytest.param(FIELDS, FORM, 400, id="AUTH-07-fields"),
    pytest.param(b"&".join([b"a"] * 10_000), FORM, 400, id="AUTH-07-10000-fields"),
    pytest.param(b" " * (64 * 1024 + 1), b"", 413, id="AUTH-07-body"),
    pytest.param({"username": "a\0", "password": "b"}, b"", 400, id="AUTH-11-nul"),
    pytest.param({"username": "a", "password": "b\0c"}, b"", 400, id="AUTH-08-nul"),
    pytest.param(
        {"username": "alice", "password": PASSWORD},
        b"Content-Type: text/plain\r\n",
        415,
        id="AUTH-12-text",
    ),
    pytest.param(
        {"username": "alice", "password": PASSWORD},
        b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
        415,
        id="DOS-09-gzip",
    ),
]


@pytest.mark.parametrize(("body", "fields", "status"), ODD)
def test_a_body_that_is_no_login_is_refused_unhashed(
    gateway: GatewayProcess, body: object, fields: bytes, status: int
) -> None:
    """AUTH-07, -08, -10, -11, -12: what is no login is no failed one either: none waits for it."""
    answers = [ask(gateway, b"POST", b"/authenticate", body, fields=fields + _from(6))]
    answers += [ask(gateway, b"POST", b"/authenticate", body, fields=fields + _from(6))]

    assert [answer.status for answer in answers] == [status] * 2
    assert b"canary" not in answers[0].body
    assert _guess(gateway, "bob", 6, PASSWORD).status == 200  # alice is under attack by now


@pytest.mark.parametrize(
    "name",
    ["' OR 1=1 --", 'alice"; DROP TABLE users; --', "%", "_____", "al%", "alice/*", "\u2028", "\\"],
)
def test_a_name_is_only_a_name(gateway: GatewayProcess, name: str) -> None:
    """AUTH-11: it is compared as it is, with nothing in it that means something."""
    assert _guess(gateway, name, 7, PASSWORD).reason == "login_failed"


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"])
def test_only_a_post_logs_in(gateway: GatewayProcess, method: bytes) -> None:
    """AUTH-13: a query ends up in logs and histories; it is not looked at."""
    path = b"/authenticate?username=alice&password=%b" % PASSWORD.encode("ascii")
    answer = ask(gateway, method, path)

    assert (answer.status, answer.header(b"allow")) == (405, [b"POST"])
    assert ask(gateway, b"POST", path, b"", fields=FORM).status == 400


def test_a_crowd_of_logins_is_bounded_and_holds_up_no_request(gateway: GatewayProcess) -> None:
    """AUTH-09: some are checked, those beyond the queue may come again; requests go on."""
    crowd = 3 * (HASHING_THREADS + WAITING_LOGINS)
    wires = [Wire(gateway.port, deadline_s=60) for _ in range(crowd)]
    for number, wire in enumerate(wires):
        body = {"username": f"crowd-{number}", "password": "x"}
        wire.send(request(b"POST", b"/authenticate", body, fields=_from(10 + number)))
    proxied = [ask(gateway, b"GET", b"/public").status for _ in range(20)]
    answers = [wire.read_response(b"POST") for wire in wires]
    for wire in wires:
        wire.close()

    assert proxied == [200] * 20
    assert {answer.status for answer in answers} <= {401, 429, 503}
    assert all(answer.header(b"retry-after") for answer in answers if answer.status != 401)


def test_nothing_secret_is_said(gateway: GatewayProcess) -> None:
    """OPS-15: neither password nor token of any test of this file is in the log."""
    granted = try_login(gateway, "bob").json()
    said = "\n".join(gateway.lines)

    assert PASSWORD not in said
    assert granted["token"] not in said
    assert granted["refresh_token"] not in said
