"""THREATS.md B4.4, clock jumps: somebody sets the wall clock of the host while the gateway runs.

The gateway is told the time by a file here, as an operator or NTP would set it. The clock that only
runs forward is left alone, as it is then.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.endpoints import ask, is_let_in, log_in, refresh, users
from tests.kit.foreign import FOREIGN, foreign_issuer, foreign_token
from tests.kit.gateway import GatewayProcess, configuration, mint
from tests.kit.key_server import JWKS, KeyServer, key_set, say
from tests.kit.tokens import signing_key
from tests.kit.upstream import Upstream

HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S
PERIOD_S: Final = 2.0  # of the rate limit, with what its clock may be behind
RECOVERED_S: Final = 2.0  # on a machine that has time for it; tests allow for one that has not
BUSY: Final = 4
KEY: Final = signing_key("ES256", kid="theirs")


# What Python runs: the gateway, once the wall clock is another one.
_PROGRAM: Final = """
import pathlib, time
true, file = time.time, pathlib.Path({file!r})
time.time = lambda: true() + float(file.read_text("ascii"))
from gateway.__main__ import main
main()
"""


class SetClock:
    """The wall clock of a gateway that is started as ``program``.

    Args:
        folder: Where the file is that sets it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "offset"
        self.set(0)
        self.program: Final = ("-c", _PROGRAM.format(file=str(self._file)))

    def set(self, offset_s: int) -> None:
        """Set it to the true time and *offset_s*."""
        new = self._file.with_suffix(".new")
        new.write_text(str(offset_s), "ascii")
        new.replace(self._file)


@pytest.fixture
def clock(tmp_path: Path) -> SetClock:
    """What the gateway takes for the time; it is right."""
    return SetClock(tmp_path)


@pytest.fixture
def gateway(clock: SetClock, tmp_path: Path) -> Iterator[GatewayProcess]:
    """One with users, with another issuer, and with a limit on one route."""
    with ExitStack() as stack:
        server = stack.enter_context(KeyServer())
        server.answers[JWKS] = say(key_set(KEY))
        service = stack.enter_context(Upstream())
        document = configuration(
            service.port, users=users("alice"), issuers=[foreign_issuer(jwks_url=server.url())]
        )
        limit = {"requests": 1, "per": "1s", "key": "sub"}
        document["routes"].append({"path": "/limited", "upstream": "raw", "rate_limit": limit})
        process = GatewayProcess(document, tmp_path / "gateway", clock.program)
        stack.enter_context(process)
        while judge(process, foreign_token(KEY)) == (503, "keys_unavailable"):
            time.sleep(0.02)  # a busy machine has not read them yet
        yield process
        process.check_quiet()


def judge(gateway: GatewayProcess, token: str) -> tuple[int, str]:
    """Return the status and the reason of what a token gets."""
    response = is_let_in(gateway, token)
    return response.status, response.reason


def check_recovery(gateway: GatewayProcess, token: str) -> None:
    """Wait until a token is let in, and note how long that took; until then nobody may be."""
    begun_s = time.monotonic()
    while (found := judge(gateway, token)) != (200, ""):
        assert found == (503, "store_unavailable")
        assert time.monotonic() - begun_s < 30
        time.sleep(0.02)
    took_s = time.monotonic() - begun_s
    sys.stdout.write(f"recovered in {took_s:.3f} s\n")  # pytest -rP shows it
    assert took_s < BUSY * RECOVERED_S


def test_an_hour_ahead_and_back(gateway: GatewayProcess, clock: SetClock) -> None:
    """Who expires is refused until the clock is right again; who was logged out stays so."""
    short, long = mint(expires_in_s=HOUR_S // 2), mint(expires_in_s=5 * HOUR_S)
    revoked = mint(expires_in_s=HOUR_S // 2, sid="ended")
    assert ask(gateway, b"POST", b"/logout", token=revoked).status == 204
    clock.set(HOUR_S)

    check_recovery(gateway, long)
    assert judge(gateway, short) == (401, "token_expired")
    early = log_in(gateway)
    clock.set(0)
    check_recovery(gateway, short)
    assert judge(gateway, revoked) == (401, "token_revoked")
    assert judge(gateway, early["token"]) == (401, "token_not_yet_valid")


def test_an_hour_behind_and_back(gateway: GatewayProcess, clock: SetClock) -> None:
    """What was issued seems to come from the future, which is refused; then all is as before."""
    before = log_in(gateway)
    assert ask(gateway, b"POST", b"/logout", token=log_in(gateway)["token"]).status == 204
    clock.set(-HOUR_S)

    assert judge(gateway, before["token"]) == (401, "token_not_yet_valid")
    behind = log_in(gateway)
    check_recovery(gateway, behind["token"])
    clock.set(0)
    check_recovery(gateway, before["token"])
    renewed = refresh(gateway, before["refresh_token"])
    assert renewed.status == 200
    check_recovery(gateway, renewed.json()["token"])
    assert refresh(gateway, behind["refresh_token"]).status == 200


@pytest.mark.parametrize("jump_s", [DAY_S, -DAY_S])
def test_a_day(gateway: GatewayProcess, clock: SetClock, jump_s: int) -> None:
    """Keys of others are kept and limits go on, for what they count is time that has passed."""
    assert ask(gateway, b"GET", b"/limited", token=mint()).status == 200
    clock.set(jump_s)
    now_s = int(time.time()) + jump_s
    times: dict[str, Any] = {"iat": now_s - 60, "nbf": now_s - 60, "exp": now_s + HOUR_S}
    theirs = foreign_token(KEY, iss=FOREIGN, **times)

    check_recovery(gateway, theirs)
    time.sleep(PERIOD_S)
    later = [ask(gateway, b"GET", b"/limited", token=mint(**times)).status for _ in range(4)]
    assert later[0] == 200
    assert 429 in later
    clock.set(0)
    time.sleep(PERIOD_S)
    check_recovery(gateway, foreign_token(KEY))
    assert ask(gateway, b"GET", b"/limited", token=mint()).status == 200
    assert judge(gateway, theirs)[0] == 401
