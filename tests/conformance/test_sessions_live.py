"""THREATS.md A10 on real sockets: two workers, one store, sessions that begin, go on and end."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.config.load import load_config
from gateway.desk import Desk, make_desk
from gateway.issuer.user_admin import NewUser
from gateway.store.engine import Store, StoreLimits
from gateway.store.rotation import GRACE_S
from gateway.store.users import Grants
from tests.kit.endpoints import (
    Everywhere,
    ask,
    is_let_in,
    log_in,
    refresh,
    request,
    store_url,
    try_login,
    users,
)
from tests.kit.gateway import GatewayProcess, configuration, mint
from tests.kit.upstream import Upstream
from tests.kit.wire import Response, Wire

REVOKED: Final = {(401, "token_revoked")}
IN: Final = {(200, "")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the gateway of this file runs."""
    return tmp_path_factory.mktemp("sessions")


@pytest.fixture(scope="module")
def running(shared_upstream: Upstream, folder: Path) -> Iterator[GatewayProcess]:
    """A gateway of two workers."""
    document = configuration(shared_upstream.port, workers=2, users=users("alice", "bob"))
    with GatewayProcess(document, folder) as process:
        yield process


@pytest.fixture
def gateway(running: GatewayProcess, shared_upstream: Upstream) -> Iterator[GatewayProcess]:
    """That gateway, quiet before and after."""
    yield running
    shared_upstream.clear()
    running.check_quiet()


def _at_the_desk(folder: Path, work: Callable[[Desk], Awaitable[Any]]) -> Any:
    """Do what a command would do, beside the gateway that runs in *folder*."""

    async def run() -> Any:
        config = load_config(folder / "routes.yaml", {})
        async with Store(store_url(folder), StoreLimits()) as store:
            return await work(make_desk(config, store))

    return asyncio.run(run())


# --- refresh ---


def test_parallel_refreshes_give_one_successor(gateway: GatewayProcess) -> None:
    """SES-01, SES-04: twenty sockets, one successor; all can go on, and nobody loses a cookie."""
    granted = log_in(gateway)
    body = {"refresh_token": granted["refresh_token"]}
    wires = [Wire(gateway.port) for _ in range(20)]
    for wire in wires:
        wire.send(request(b"POST", b"/refresh", body))
    answers = [wire.read_response(b"POST") for wire in wires]
    for wire in wires:
        wire.close()

    assert [answer.status for answer in answers] == [200] * 20
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert {answer.json()["session_id"] for answer in answers} == {granted["session_id"]}
    assert not any(answer.header(b"set-cookie") for answer in answers)
    assert all(is_let_in(gateway, answer.json()["token"]).status == 200 for answer in answers)
    assert refresh(gateway, answers[0].json()["refresh_token"]).status == 200


def test_a_token_that_comes_back_after_the_grace_ends_the_session(
    gateway: GatewayProcess, folder: Path
) -> None:
    """SES-02, RFC 9700 section 4.14.2: the family, its access tokens on every worker, and a log."""
    granted = log_in(gateway)
    successor = refresh(gateway, granted["refresh_token"]).json()
    with sqlite3.connect(folder / "var" / "gateway.db", timeout=10) as database:
        database.execute("UPDATE refresh_tokens SET spent_at_s = spent_at_s - ?", (GRACE_S,))
    database.close()
    with Everywhere(gateway) as workers:
        assert workers.outcomes(successor["token"]) == IN
        stolen = refresh(gateway, granted["refresh_token"])
        after = workers.outcomes(successor["token"])

    assert (stolen.status, stolen.reason) == (401, "refresh_reused")
    assert after == REVOKED
    assert refresh(gateway, successor["refresh_token"]).reason == "refresh_invalid"
    said = [line for line in gateway.lines if granted["session_id"] in line]
    assert any("used again" in line for line in said)
    assert not any(granted["refresh_token"] in line for line in gateway.lines)


def test_a_refresh_token_is_its_sessions_alone(gateway: GatewayProcess) -> None:
    """SES-06: whose session it is stands in the store, and nothing in a request can change it."""
    alice, bob = log_in(gateway), log_in(gateway, "bob")
    body = {
        "refresh_token": bob["refresh_token"],
        "session_id": alice["session_id"],
        "sub": "alice",
    }
    answer = ask(gateway, b"POST", b"/refresh", body, token=alice["token"]).json()
    claims = ask(gateway, b"GET", b"/whoami", token=answer["token"]).json()

    assert (claims["sub"], claims["sid"]) == ("bob", bob["session_id"])
    assert refresh(gateway, alice["refresh_token"]).status == 200


@pytest.mark.parametrize(
    "framed",
    [
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n", id="chunked"),
        pytest.param(b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n%b", id="expect"),
        pytest.param(
            b"Connection: Content-Type, Accept\r\nContent-Length: %d\r\n\r\n%b", id="connection"
        ),
    ],
)
def test_a_refresh_is_one_however_it_is_framed(gateway: GatewayProcess, framed: bytes) -> None:
    """Chunked, announced, or with its content type named as hop-by-hop: it works or it is 415."""
    granted = log_in(gateway)
    body = b'{"refresh_token":"%b"}' % granted["refresh_token"].encode("ascii")
    head = b"POST /refresh HTTP/1.1\r\nHost: gw.test\r\nContent-Type: application/json\r\n"
    with Wire(gateway.port) as wire:
        wire.send(head + framed % (len(body), body) + request(b"GET", b"/whoami"))
        answer, after = wire.read_response(b"POST"), wire.read_response()

    assert answer.status == 200 or answer.reason == "unsupported_media_type"
    assert after.reason == "credential_missing"
    assert refresh(gateway, granted["refresh_token"]).status == 200


# --- the end of sessions ---


def test_a_logout_holds_on_every_worker_before_its_answer(gateway: GatewayProcess) -> None:
    """CACHE-05, SES-05, SES-08: the token, which all of them remembered, and its successor."""
    granted, other = log_in(gateway), log_in(gateway)
    with Everywhere(gateway) as workers:
        assert workers.outcomes(granted["token"]) == IN
        answer = ask(gateway, b"POST", b"/logout", token=granted["token"])
        after = workers.outcomes(granted["token"])
        assert workers.outcomes(other["token"]) == IN

    assert (answer.status, answer.body) == (204, b"")
    assert after == REVOKED
    assert refresh(gateway, granted["refresh_token"]).reason == "refresh_invalid"
    assert ask(gateway, b"POST", b"/logout", token=granted["token"]).status == 204


def test_what_is_pipelined_behind_a_logout_comes_after_it(gateway: GatewayProcess) -> None:
    """One connection, three requests in one write: the third is decided when the second is done."""
    granted = log_in(gateway)
    token = granted["token"]
    with Wire(gateway.port) as wire:
        wire.send(
            request(b"GET", b"/p/x", token=token)
            + request(b"POST", b"/logout", {}, token=token)
            + request(b"GET", b"/p/x", token=token)
        )
        answers = [wire.read_response(method) for method in (b"GET", b"POST", b"GET")]

    assert [answer.status for answer in answers] == [200, 204, 401]
    assert answers[2].reason == "token_revoked"


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_logout_whose_client_does_not_wait_is_carried_out(
    gateway: GatewayProcess, how: str
) -> None:
    """A page that is left, an app that is ended: who has asked for it is logged out."""
    for _ in range(3):
        granted = log_in(gateway)
        wire = Wire(gateway.port)
        wire.send(request(b"GET", b"/whoami"))
        wire.read_response()
        wire.send(request(b"POST", b"/logout", token=granted["token"]))
        wire.reset() if how == "reset" else wire.close()
        while is_let_in(gateway, granted["token"]).status == 200:
            pass  # the deadline is the test runner's; it takes some milliseconds
        assert refresh(gateway, granted["refresh_token"]).reason == "refresh_invalid"


def test_an_expired_token_logs_out(gateway: GatewayProcess) -> None:
    """SES-08: the session that it names goes on with its refresh token, and ends with this."""
    granted = log_in(gateway)
    expired = mint(expires_in_s=-3600, sid=granted["session_id"])
    forged = expired[:-4] + "AAAA"

    assert ask(gateway, b"POST", b"/logout", token=forged).reason == "token_signature"
    assert is_let_in(gateway, expired).reason == "token_expired"
    assert ask(gateway, b"POST", b"/logout", {"all": True}, token=expired).status == 401
    assert is_let_in(gateway, granted["token"]).status == 200
    assert ask(gateway, b"POST", b"/logout", token=expired).status == 204
    assert is_let_in(gateway, granted["token"]).reason == "token_revoked"


def test_logging_out_everywhere_means_this_second_too(gateway: GatewayProcess) -> None:
    """SES-09: tokens of the same second; whoever logs in then has one that counts all the same."""
    grants = [log_in(gateway, "bob") for _ in range(3)]
    alice = log_in(gateway)
    answer = ask(gateway, b"POST", b"/logout", {"all": True}, token=grants[0]["token"])
    elsewhere = mint(sub="bob", sid="elsewhere")  # issued by another host in this second or so
    again = log_in(gateway, "bob")

    assert answer.status == 204
    assert [is_let_in(gateway, each["token"]).reason for each in grants] == ["token_revoked"] * 3
    assert is_let_in(gateway, elsewhere).status in (200, 401)
    assert is_let_in(gateway, again["token"]).status == 200
    assert is_let_in(gateway, alice["token"]).status == 200
    assert refresh(gateway, grants[1]["refresh_token"]).reason == "refresh_invalid"


def test_looking_at_a_logout_ends_nothing(gateway: GatewayProcess) -> None:
    """SES-18: an image of another site's page can send GET; it is 405 and nothing more."""
    granted = log_in(gateway)
    for fields in (b"", b"Cookie: session=%b\r\n" % granted["token"].encode("ascii")):
        token = "" if fields else granted["token"]
        answer = ask(gateway, b"GET", b"/logout", token=token, fields=fields)
        assert (answer.status, answer.header(b"allow")) == (405, [b"POST"])

    assert ask(gateway, b"GET", b"/logout").status == 401
    assert is_let_in(gateway, granted["token"]).status == 200


def test_users_see_and_end_their_own_sessions(gateway: GatewayProcess) -> None:
    """An id of somebody else's session is an id of none; HEAD and a body change nothing."""
    first, second, bob = log_in(gateway), log_in(gateway), log_in(gateway, "bob")
    listed = ask(gateway, b"GET", b"/sessions", b"ignored", token=first["token"])
    ids = {each["id"]: each["current"] for each in listed.json()["sessions"]}

    assert ids[first["session_id"]]
    assert not ids[second["session_id"]]
    assert bob["session_id"] not in ids
    assert ask(gateway, b"HEAD", b"/sessions", token=first["token"]).status == 200
    for other, status in ((bob, 404), (second, 204), (second, 404)):
        path = b"/sessions/%b" % other["session_id"].encode("ascii")
        assert ask(gateway, b"DELETE", path, token=first["token"]).status == status
    assert is_let_in(gateway, second["token"]).reason == "token_revoked"
    assert is_let_in(gateway, bob["token"]).status == 200


# --- what operators change ---


def _disable(desk: Desk, user_id: str, now_s: float) -> Awaitable[bool]:
    return desk.users.disable(user_id, now_s)


def _remove(desk: Desk, user_id: str, now_s: float) -> Awaitable[bool]:
    return desk.users.remove(user_id, now_s)


def _change_password(desk: Desk, user_id: str, now_s: float) -> Awaitable[bool]:
    return desk.users.set_password_hash(user_id, users("x")[0]["password_hash"], now_s)


def _change_grants(desk: Desk, user_id: str, now_s: float) -> Awaitable[bool]:
    return desk.users.set_grants(user_id, Grants(roles=(), scopes=(), attributes={}), now_s)


@pytest.mark.parametrize(
    ("change", "goes_on"),
    [(_disable, False), (_remove, False), (_change_password, False), (_change_grants, True)],
)
def test_what_an_operator_takes_away_is_gone_within_a_second(
    gateway: GatewayProcess,
    folder: Path,
    change: Callable[[Desk, str, float], Awaitable[bool]],
    goes_on: bool,  # noqa: FBT001 (a parameter of the table)
) -> None:
    """SES-05, CACHE-07: by a command, of which the workers hear from the store."""
    name = f"zoe-{change.__name__}"
    new = NewUser(username=name, password_hash=users("x")[0]["password_hash"], roles=("user",))
    user = _at_the_desk(folder, lambda desk: desk.users.add(new, 0.0))
    granted = log_in(gateway, name)
    issued_s = ask(gateway, b"GET", b"/whoami", token=granted["token"]).json()["iat"]
    with Everywhere(gateway) as workers:
        assert workers.outcomes(granted["token"]) == IN
        assert _at_the_desk(folder, lambda desk: change(desk, user.id, issued_s))
        with ThreadPoolExecutor(1) as thread:
            seen = thread.submit(_until_revoked, workers, granted["token"]).result(10)

    assert seen == REVOKED
    answer = refresh(gateway, granted["refresh_token"])
    assert answer.status == (200 if goes_on else 401)
    if change is _disable:
        assert _anonymous(try_login(gateway, name)) == _anonymous(try_login(gateway, "nobody"))


def _until_revoked(workers: Everywhere, token: str) -> set[tuple[int, str]]:
    while (seen := workers.outcomes(token)) != REVOKED:
        assert seen <= IN | REVOKED
    return seen


def _anonymous(response: Response) -> tuple[int, list[bytes], str]:
    """AUTH-02: what a client can tell a disabled user from an unknown one by: nothing."""
    body = response.json()
    return response.status, response.header(b"www-authenticate"), body["detail"] + body["reason"]
