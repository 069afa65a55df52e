"""First the store, then the table, then the answer."""

import pytest

from gateway.issuer.revoker import CLOCKS_APART_S
from gateway.issuer.shared_file import SharedFileError
from gateway.store import revocations
from gateway.store.engine import Writing
from gateway.store.faults import StoreUnavailableError
from gateway.store.revocations import Revocation
from tests.kit.issuing import ACCESS_S, LEEWAY_S, Issuing
from tests.unit.issuer.fakes import NOW_S

pytestmark = pytest.mark.anyio


async def test_what_is_revoked_is_known_before_it_returns(issuer: Issuing) -> None:
    """In the store and in the table; it is forgotten when the last token has expired."""

    async def work(_: Writing) -> tuple[str, list[Revocation]]:
        return "done", [issuer.revoker.of_session("s-1", NOW_S)]

    assert await issuer.revoker.carry_out(work) == "done"
    assert issuer.table.is_revoked([("sid", "s-1")], int(NOW_S), NOW_S)
    async with issuer.store.read() as tx:
        [kept] = await revocations.since(tx, 0)
    assert (kept.key, kept.expires_at_s) == ("s-1", NOW_S + ACCESS_S + LEEWAY_S + CLOCKS_APART_S)


async def test_work_that_fails_revokes_nothing(issuer: Issuing) -> None:
    """One transaction: it happens, or it does not."""

    async def work(tx: Writing) -> tuple[None, list[Revocation]]:
        await revocations.add(tx, [issuer.revoker.of_session("s-1", NOW_S)])
        raise StoreUnavailableError("canary")

    with pytest.raises(StoreUnavailableError):
        await issuer.revoker.carry_out(work)
    assert not issuer.table.is_revoked([("sid", "s-1")], int(NOW_S), NOW_S)
    async with issuer.store.read() as tx:
        assert await revocations.since(tx, 0) == []


async def test_no_answer_promises_what_workers_do_not_know_yet(
    issuer: Issuing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is locked by a stopped process: who asked hears that it is not done."""

    def add(_: object) -> None:
        raise SharedFileError("a lock was not given back in time")

    async def work(_: Writing) -> tuple[None, list[Revocation]]:
        return None, [issuer.revoker.of_session("s-1", NOW_S)]

    monkeypatch.setattr(issuer.table, "add", add)
    with pytest.raises(StoreUnavailableError):
        await issuer.revoker.carry_out(work)
    async with issuer.store.read() as tx:
        assert len(await revocations.since(tx, 0)) == 1  # ``sync`` brings it to the table


async def test_all_tokens_of_a_second_are_meant(issuer: Issuing) -> None:
    """``iat`` has whole seconds, so that the tokens of the very second of a revocation go too."""

    async def work(_: Writing) -> tuple[None, list[Revocation]]:
        return None, [issuer.revoker.of_user("u-1", NOW_S)]

    assert issuer.revoker.issuable_from_s("u-1") == 0.0
    await issuer.revoker.carry_out(work)
    second = int(NOW_S)
    assert [
        issuer.table.is_revoked([("sub", "u-1")], issued_s, NOW_S)
        for issued_s in (second - 1, second, second + 1)
    ] == [True, True, False]
    assert issuer.revoker.issuable_from_s("u-1") == second + 1
    assert issuer.revoker.issuable_from_s("u-2") == 0.0
