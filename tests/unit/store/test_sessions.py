"""Sessions: begun once, ended once, listed while they live."""

from dataclasses import replace

import pytest

from gateway.store import sessions
from gateway.store.engine import Store
from gateway.store.sessions import EndReason, Session
from tests.kit.stores import DAY_S, NOW_S, session

pytestmark = pytest.mark.anyio


async def _start(store: Store, *started: Session) -> None:
    async with store.write() as tx:
        for each in started:
            await sessions.start(tx, each, f"token of {each.id}")


async def _ids_of(store: Store, user_id: str, *, now_s: float = NOW_S) -> list[str]:
    async with store.read() as tx:
        return [each.id for each in await sessions.list_of_user(tx, user_id, now_s=now_s)]


async def test_a_session_is_found_as_it_was_kept(store: Store) -> None:
    """What was told of a session comes back."""
    await _start(store, session())

    async with store.read() as tx:
        assert await sessions.find(tx, "s-1") == session()
        assert await sessions.find(tx, "s-2") is None
        assert await sessions.find(tx, "s\0\ud800") is None


async def test_what_a_client_says_of_itself_is_bounded_and_printable(store: Store) -> None:
    """A user agent cannot fill the table, nor write control characters on a terminal."""
    await _start(store, replace(session(), user_agent="\x1b[2J\0" + "x" * 10_000))

    async with store.read() as tx:
        found = await sessions.find(tx, "s-1")

    assert found is not None
    assert found.user_agent.isprintable()
    assert len(found.user_agent) == 256


async def test_a_session_ends_once(store: Store) -> None:
    """Logout is idempotent: the second one finds nothing to end, and changes nothing."""
    await _start(store, session())
    async with store.write() as tx:
        first = await sessions.end(tx, "s-1", reason=EndReason.LOGOUT, now_s=NOW_S + 1)
        second = await sessions.end(tx, "s-1", reason=EndReason.REVOKED, now_s=NOW_S + 2)
        found = await sessions.find(tx, "s-1")

    assert second is None
    assert first == found
    assert first == replace(session(), ended_at_s=NOW_S + 1, end_reason=EndReason.LOGOUT)


@pytest.mark.parametrize("session_id", ["s-2", "s\0", "\ud800", "%"])
async def test_what_is_not_there_cannot_be_ended(store: Store, session_id: str) -> None:
    """Any text can be asked for."""
    await _start(store, session())

    async with store.write() as tx:
        assert await sessions.end(tx, session_id, reason=EndReason.LOGOUT, now_s=NOW_S) is None


async def test_a_user_ends_only_their_own(store: Store) -> None:
    """The session of another user is not there for who asks."""
    await _start(store, session())
    async with store.write() as tx:
        stranger = await sessions.end(
            tx, "s-1", reason=EndReason.LOGOUT, now_s=NOW_S, user_id="u-2"
        )
        owner = await sessions.end(tx, "s-1", reason=EndReason.LOGOUT, now_s=NOW_S, user_id="u-1")

    assert stranger is None
    assert owner is not None


async def test_all_of_a_user_end_at_once(store: Store) -> None:
    """Logging out everywhere ends the user's sessions, but the one to keep, and no one else's."""
    await _start(store, session("a"), session("b"), session("c"), session("d", user_id="u-2"))
    async with store.write() as tx:
        ended = await sessions.end_all(tx, "u-1", reason=EndReason.LOGOUT_ALL, now_s=NOW_S, but="b")
        again = await sessions.end_all(tx, "u-1", reason=EndReason.LOGOUT_ALL, now_s=NOW_S)

    assert sorted(each.id for each in ended) == ["a", "c"]
    assert [each.id for each in again] == ["b"]
    assert await _ids_of(store, "u-2") == ["d"]


async def test_only_live_sessions_are_listed(store: Store) -> None:
    """What has ended, or is over by its idle or its absolute end, is not there."""
    await _start(
        store,
        session("ended"),
        session("idle", idle_expires_at_s=NOW_S),
        session("over", expires_at_s=NOW_S),
        session("old"),
        session("new", refreshed_at_s=NOW_S + 1),
    )
    async with store.write() as tx:
        await sessions.end(tx, "ended", reason=EndReason.LOGOUT, now_s=NOW_S)
        pages = [
            await sessions.list_page(tx, now_s=NOW_S, limit=1),
            await sessions.list_page(tx, now_s=NOW_S, after="new"),
            await sessions.list_of_user(tx, "u-1", now_s=NOW_S, limit=1),
        ]

    assert await _ids_of(store, "u-1") == ["new", "old"]
    assert await _ids_of(store, "u\0") == []
    assert [[each.id for each in page] for page in pages] == [["new"], ["old"], ["new"]]


async def test_what_is_long_over_is_deleted_with_its_tokens(store: Store) -> None:
    """A purge takes the sessions whose absolute end came before, and the family of each."""
    await _start(store, session("over", expires_at_s=NOW_S), session("live"))
    async with store.write() as tx:
        assert await sessions.purge(tx, before_s=NOW_S + DAY_S) == 1
        assert await sessions.find(tx, "over") is None
        await sessions.start(tx, session("another"), "token of over")  # its hash is free again

    assert await _ids_of(store, "u-1") == ["another", "live"]
