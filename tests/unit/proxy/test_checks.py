"""Looking credentials up: one look-up for all, which nobody can stop and no failure can open."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.policy.checked import (
    CheckedCredential,
    CheckedCredentials,
    CredentialKind,
    Refused,
    UncheckedError,
)
from gateway.proxy.checks import MAX_CHECKS, Checks, Outcome
from tests.kit.tokens import NOW_S, issuer_of

GOOD = CheckedCredential(
    {"sub": "zoe"}, issuer_of(), CredentialKind.API_KEY, checked_at_s=NOW_S, epoch=0
)
Test = Callable[["Trial"], Awaitable[None]]


class Trial:
    """Checks whose look-ups end when the test says so."""

    def __init__(self) -> None:
        self.checks = Checks()
        self.checks.check = self._check
        self.begun: list[tuple[bytes, str]] = []
        self.result: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    async def _check(self, unchecked: UncheckedError, address: str) -> Outcome:
        self.begun.append((unchecked.credential, address))
        return await self.result

    def ask(self, credential: bytes = b"a", address: str = "::1") -> asyncio.Task[Outcome]:
        """Present a credential."""
        unchecked = CheckedCredentials(b"k").unchecked(CredentialKind.API_KEY, credential)
        return asyncio.get_running_loop().create_task(self.checks.look_up(unchecked, address))


def run(test: Test) -> None:
    """Run *test* in a loop, with a trial."""

    async def main() -> None:
        await test(Trial())

    asyncio.run(main())


async def settle() -> None:
    """Let all that is due happen."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_one_look_up_serves_all_who_present_the_same() -> None:
    """From one address; another credential or address has its own."""

    async def test(trial: Trial) -> None:
        asked = [trial.ask(), trial.ask(), trial.ask(b"b"), trial.ask(address="::2")]
        await settle()
        assert trial.begun == [(b"a", "::1"), (b"b", "::1"), (b"a", "::2")]
        assert trial.checks.count == 3
        trial.result.set_result(GOOD)
        assert set(await asyncio.gather(*asked)) == {GOOD}
        assert trial.checks.count == 0

    run(test)


def test_who_goes_away_stops_nobody() -> None:
    """Neither the one who began it."""

    async def test(trial: Trial) -> None:
        first, second = trial.ask(), trial.ask()
        await settle()
        first.cancel()
        await settle()
        trial.result.set_result(GOOD)
        assert await second is GOOD
        assert len(trial.begun) == 1

    run(test)


def test_a_failure_refuses_all_and_is_told_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An error may quote the credential (THREATS OPS-15)."""

    async def test(trial: Trial) -> None:
        asked = [trial.ask(), trial.ask()]
        await settle()
        trial.result.set_exception(ValueError("canary"))
        for outcome in await asyncio.gather(*asked):
            assert outcome == Refused("internal_error")  # type: ignore[arg-type]

    run(test)
    assert "ValueError while a credential was looked up" in caplog.text
    assert "canary" not in caplog.text


def test_a_look_up_that_is_broken_off_refuses() -> None:
    """As when the process ends."""

    async def test(trial: Trial) -> None:
        asked = trial.ask()
        await settle()
        trial.result.cancel()
        assert await asked == Refused("internal_error")  # type: ignore[arg-type]

    run(test)


def test_there_are_not_more_than_so_many_at_once() -> None:
    """THREATS CACHE-08: a flood of keys that nobody has is told to come again."""

    async def test(trial: Trial) -> None:
        asked = [trial.ask(b"%d" % number) for number in range(MAX_CHECKS)]
        await settle()
        outcome = await trial.ask(b"one more")
        assert isinstance(outcome, Refused)
        assert (outcome.reason, outcome.retry_after_s) == ("store_unavailable", 1)
        trial.result.set_result(GOOD)
        assert await asyncio.gather(*asked) == [GOOD] * MAX_CHECKS
        assert trial.checks.count == 0

    run(test)


def test_where_nothing_can_be_looked_up_nothing_counts() -> None:
    """As before a worker has a store."""

    async def test(trial: Trial) -> None:
        trial.checks = Checks()
        assert await trial.ask() == Refused("store_unavailable")  # type: ignore[arg-type]

    run(test)
