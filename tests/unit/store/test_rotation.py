"""Refresh tokens rotate: one successor, a short grace, and the end of the family on reuse."""

import asyncio
import secrets
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from gateway.store import rotation, sessions
from gateway.store.engine import Store
from gateway.store.rotation import (
    GRACE_S,
    Ended,
    Expired,
    Move,
    Replayed,
    Reused,
    Rotated,
    Rotation,
    TokenState,
    Unknown,
    plan_rotation,
)
from gateway.store.sessions import EndReason
from gateway.store.tables import refresh_tokens
from tests.kit.stores import DAY_S, NOW_S, session

pytestmark = pytest.mark.anyio


async def _start(store: Store) -> None:
    async with store.write() as tx:
        await sessions.start(tx, session(), "token-0")


async def _rotate(
    store: Store, presented: str, successor: str, *, now_s: float = NOW_S
) -> Rotation:
    async with store.write() as tx:
        return await rotation.rotate(tx, presented, successor, idle_s=DAY_S, now_s=now_s)


async def test_a_live_token_gives_way_to_its_successor(store: Store) -> None:
    """A rotation spends the token, and the successor is the one that rotates next."""
    await _start(store)

    first = await _rotate(store, "token-0", "token-1", now_s=NOW_S + 60)
    second = await _rotate(store, "token-1", "token-2", now_s=NOW_S + 120)

    assert isinstance(first, Rotated)
    assert first.session.refreshed_at_s == NOW_S + 60
    assert first.session.idle_expires_at_s == NOW_S + 60 + DAY_S
    assert isinstance(second, Rotated)


async def test_sliding_never_passes_the_absolute_end(store: Store) -> None:
    """However often it is refreshed, a session ends at its absolute end."""
    await _start(store)
    async with store.write() as tx:
        far = await rotation.rotate(tx, "token-0", "token-1", idle_s=900 * DAY_S, now_s=NOW_S)

    assert isinstance(far, Rotated)
    assert far.session.idle_expires_at_s == far.session.expires_at_s


async def test_a_spent_token_gets_the_same_successor_within_the_grace(store: Store) -> None:
    """SES-01: tabs that refresh side by side hold one and the same token afterwards."""
    await _start(store)
    await _rotate(store, "token-0", "token-1")

    again = await _rotate(store, "token-0", "token-x", now_s=NOW_S + GRACE_S - 0.1)

    assert isinstance(again, Replayed)
    assert again.successor == "token-1"
    assert "token-1" not in repr(again)


async def test_a_spent_token_ends_the_session_after_the_grace(store: Store) -> None:
    """SES-02, RFC 9700 section 4.14.2: reuse ends the family, the live token included."""
    await _start(store)
    await _rotate(store, "token-0", "token-1")

    reused = await _rotate(store, "token-0", "token-x", now_s=NOW_S + GRACE_S)
    after = await _rotate(store, "token-1", "token-2", now_s=NOW_S + GRACE_S)

    assert isinstance(reused, Reused)
    assert reused.session.end_reason is EndReason.REUSE
    assert isinstance(after, Ended)
    assert after.session.ended_at_s == NOW_S + GRACE_S


async def test_an_ended_session_refreshes_no_more(store: Store) -> None:
    """SES-05: after logout neither the live token nor a spent one within its grace counts."""
    await _start(store)
    await _rotate(store, "token-0", "token-1")
    async with store.write() as tx:
        await sessions.end(tx, "s-1", reason=EndReason.LOGOUT, now_s=NOW_S)

    for token in ("token-0", "token-1"):
        outcome = await _rotate(store, token, "token-x")
        assert isinstance(outcome, Ended)
        assert outcome.session.end_reason is EndReason.LOGOUT


@pytest.mark.parametrize("after_s", [DAY_S, 31 * DAY_S], ids=["idle", "absolute"])
async def test_an_expired_session_refreshes_no_more(store: Store, after_s: float) -> None:
    """At its sliding end, and at the absolute one, a session is over."""
    await _start(store)

    assert isinstance(await _rotate(store, "token-0", "x", now_s=NOW_S + after_s), Expired)


@pytest.mark.parametrize("token", ["", "token-9", "a\0b", "\ud800", "x" * 100_000])
async def test_any_other_text_is_unknown(store: Store, token: str) -> None:
    """What was never issued is unknown, whatever characters it has."""
    await _start(store)

    assert isinstance(await _rotate(store, token, "x"), Unknown)


async def test_twenty_at_once_get_one_successor(store: Store) -> None:
    """SES-01: of twenty parallel refreshes one rotates, and nineteen are told its successor."""
    await _start(store)
    made = [f"successor-{index}" for index in range(20)]

    outcomes = await asyncio.gather(*(_rotate(store, "token-0", token) for token in made))

    rotated = [made[i] for i, outcome in enumerate(outcomes) if isinstance(outcome, Rotated)]
    assert len(rotated) == 1
    others = [outcome for outcome in outcomes if not isinstance(outcome, Rotated)]
    assert [o.successor for o in others if isinstance(o, Replayed)] == rotated * 19
    assert isinstance(await _rotate(store, rotated[0], "next"), Rotated)


async def test_a_rotation_that_is_not_committed_has_not_been(store: Store) -> None:
    """SES-03: what fails after the rotation takes it back; the client tries the old token again."""
    await _start(store)

    with suppress(LookupError):
        async with store.write() as tx:
            await rotation.rotate(tx, "token-0", "token-1", idle_s=DAY_S, now_s=NOW_S)
            raise LookupError

    assert isinstance(await _rotate(store, "token-1", "x"), Unknown)
    assert isinstance(await _rotate(store, "token-0", "token-1"), Rotated)


async def test_the_database_alone_holds_no_token(store: Store) -> None:
    """No column has a refresh token or its successor in it, and old seals are erased."""
    await _start(store)
    await _rotate(store, "token-0", "token-1")
    async with store.read() as tx:
        kept = repr(await tx.rows(select(refresh_tokens)))
    await _rotate(store, "token-1", "token-2", now_s=NOW_S + 1000)
    sealed = select(func.count()).where(refresh_tokens.c.sealed_successor.is_not(None))
    async with store.read() as tx:
        row = await tx.row(sealed)

    assert "token-" not in kept
    assert row is not None
    assert row[0] == 1


async def test_forgotten_tokens_are_unknown_and_harm_nobody(store: Store) -> None:
    """A spent token that was purged no longer ends its session."""
    await _start(store)
    await _rotate(store, "token-0", "token-1")
    async with store.write() as tx:
        assert await rotation.purge_spent(tx, before_s=NOW_S + 1) == 1

    assert isinstance(await _rotate(store, "token-0", "x", now_s=NOW_S + 60), Unknown)
    assert isinstance(await _rotate(store, "token-1", "x", now_s=NOW_S + 60), Rotated)


def test_a_clock_that_was_set_back_logs_nobody_out() -> None:
    """SES-24: a token that was spent "in the future" was spent just now."""
    spent = TokenState(spent_at_s=NOW_S, has_sealed_successor=True)

    assert plan_rotation(spent, session(), now_s=NOW_S - 3600) is Move.REPLAY


STEPS = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from([0.0, 1.0, 4.0, 9.9, 10.0, 11.0, 90.0])),
    max_size=12,
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example has its own session
)
@given(steps=STEPS)
async def test_a_family_follows_the_model(store: Store, steps: list[tuple[int, float]]) -> None:
    """Whatever is presented when: the answers are those of a list of tokens and their times."""
    name = secrets.token_hex(8)
    issued = [f"{name}-0"]
    spent_at_s: list[float] = []
    now_s, ended = NOW_S, False
    async with store.write() as tx:
        await sessions.start(tx, session(name), issued[0])

    for back, wait_s in steps:
        now_s += wait_s
        index = max(len(issued) - 1 - back, 0)
        successor = f"{name}-{len(issued)}"
        outcome = await _rotate(store, issued[index], successor, now_s=now_s)
        if ended:
            assert isinstance(outcome, Ended)
        elif index == len(issued) - 1:
            assert isinstance(outcome, Rotated)
            issued.append(successor)
            spent_at_s.append(now_s)
        elif now_s - spent_at_s[index] < GRACE_S:
            assert isinstance(outcome, Replayed)
            assert outcome.successor == issued[index + 1]
        else:
            assert isinstance(outcome, Reused)
            ended = True
