"""Keys follow one another: published first, signing later, verifying to the last token."""

import asyncio

import pytest

from gateway.issuer.key_ring import KeyRing
from gateway.issuer.key_rotation import MIN_AHEAD_S, KeyKeeper, KeyPolicy
from gateway.store import keys
from gateway.store.engine import Store
from gateway.store.faults import UnfitStoreError
from gateway.store.keys import KeyBox, KeyState, NewKey
from tests.kit.stores import NOW_S

pytestmark = pytest.mark.anyio

POLICY = KeyPolicy(algorithm="ES256", token_lifetime_s=90.0)


def _keeper(store: Store, box: KeyBox | None = None) -> KeyKeeper:
    return KeyKeeper(store, box or KeyBox(), POLICY)


async def _read(store: Store, keeper: KeyKeeper) -> KeyRing:
    async with store.read() as tx:
        return await keeper.read(tx)


async def _advance(store: Store, keeper: KeyKeeper, now_s: float) -> bool:
    async with store.read() as tx:
        marks = await keys.list_marks(tx)
    return await keeper.advance(marks, now_s)


async def _states(keeper: KeyKeeper) -> list[str]:
    """Return the states that keys are in, in alphabetical order."""
    return sorted(key.state.value for key in await keeper.list_keys())


async def test_gateways_that_start_at_once_sign_with_one_key(store: Store) -> None:
    """The first one makes it; the others find it."""
    rings = await asyncio.gather(*(_keeper(store).open(NOW_S) for _ in range(5)))

    assert len({ring.signing.kid for ring in rings}) == 1
    assert await _states(_keeper(store)) == ["current"]


async def test_a_rotation_publishes_first_and_signs_later(store: Store) -> None:
    """THREATS JWKS-08: a verifier knows each key before it sees the first signature of it."""
    keeper = _keeper(store)
    old = (await keeper.open(NOW_S)).signing.kid
    signs_at_s = await keeper.rotate(NOW_S)

    assert signs_at_s == NOW_S + POLICY.ahead_s
    published = await _read(store, keeper)
    assert published.signing.kid == old
    assert len(published.public_jwks()) == 2

    assert not await _advance(store, keeper, signs_at_s - 1)
    assert await _advance(store, keeper, signs_at_s)
    signing = await _read(store, keeper)
    assert signing.signing.kid != old
    assert [key.kid for key in signing.others] == [old]
    assert await _states(keeper) == ["current", "retiring"]


async def test_a_retired_key_verifies_until_its_last_token_has_expired(store: Store) -> None:
    """And then it is gone, for good."""
    keeper = _keeper(store)
    await keeper.open(NOW_S)
    signs_at_s = await keeper.rotate(NOW_S)
    assert signs_at_s is not None
    await _advance(store, keeper, signs_at_s)

    assert not await _advance(store, keeper, signs_at_s + POLICY.token_lifetime_s)
    assert await _states(keeper) == ["current", "retiring"]
    assert await _advance(store, keeper, signs_at_s + POLICY.token_lifetime_s + 60)
    assert await _states(keeper) == ["current"]


async def test_one_rotation_at_a_time(store: Store) -> None:
    """A second one would publish a key that pushes out one nobody has signed with."""
    keeper = _keeper(store)
    await keeper.open(NOW_S)
    answers = await asyncio.gather(*(keeper.rotate(NOW_S) for _ in range(3)))

    assert sum(answer is not None for answer in answers) == 1
    assert await _states(keeper) == ["current", "next"]


async def test_a_key_that_waits_says_when_it_signs(store: Store) -> None:
    """The same time as its rotation said."""
    keeper = _keeper(store)
    await keeper.open(NOW_S)
    told_s = await keeper.rotate(NOW_S)
    waiting = [key for key in await keeper.list_keys() if key.state is KeyState.NEXT]

    assert [keeper.signs_from_s(key) for key in waiting] == [told_s]


async def test_many_gateways_promote_once(store: Store) -> None:
    """Each sees that it is due; the database lets one do it."""
    keeper = _keeper(store)
    await keeper.open(NOW_S)
    signs_at_s = await keeper.rotate(NOW_S)
    assert signs_at_s is not None
    await asyncio.gather(*(_advance(store, keeper, signs_at_s) for _ in range(4)))

    assert await _states(keeper) == ["current", "retiring"]


async def test_another_algorithm_is_another_line(store: Store) -> None:
    """A gateway does not promote what it does not sign with; it verifies with it all the same."""
    other = KeyKeeper(store, KeyBox(), KeyPolicy(algorithm="EdDSA", token_lifetime_s=90.0))
    keeper = _keeper(store)
    await keeper.open(NOW_S)
    await other.open(NOW_S + 1)
    await other.rotate(NOW_S + 2)

    assert not await _advance(store, keeper, NOW_S + 10_000)
    assert len((await _read(store, keeper)).verification_keys()) == 3


async def test_without_a_key_nothing_is_read(store: Store) -> None:
    """Says what to do; a reader makes none."""
    with pytest.raises(UnfitStoreError, match="no key that signs with ES256"):
        await _read(store, _keeper(store))


async def test_a_key_that_is_none_is_told(store: Store) -> None:
    """The database was changed by hand: an error with a cure, and no traceback."""
    async with store.write() as tx:
        await keys.add_next(tx, NewKey("k", "ES256", b"canary"), box=KeyBox(), now_s=NOW_S)

    with pytest.raises(UnfitStoreError, match="a key that is none") as caught:
        await _read(store, _keeper(store))
    assert "canary" not in str(caught.value)


def test_short_tokens_do_not_hurry_the_publication() -> None:
    """Every worker must have read a key before another one signs with it."""
    assert KeyPolicy(algorithm="ES256", token_lifetime_s=1.0).ahead_s == MIN_AHEAD_S
    assert KeyState.NEXT.value == "next"
