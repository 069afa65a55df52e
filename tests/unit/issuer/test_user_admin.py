"""Users of the store, as operators change them."""

from collections.abc import Awaitable, Callable

import pytest

from gateway.errors import Reason
from gateway.issuer.user_admin import NewUser, UnfitUserError
from gateway.store.users import Grants
from tests.kit.issuing import Issuing
from tests.unit.issuer.fakes import NOW_S

pytestmark = pytest.mark.anyio


async def test_a_user_is_found_by_any_spelling(issuer: Issuing) -> None:
    """One canonical name: NFKC, case folded, trimmed."""
    user = await issuer.add_user(" Zoe ")

    assert user.username == "Zoe"
    for spelling in ("zoe", "ZOE", "\uff3aoe", "zoe\n"):
        found = await issuer.users.find_by_name(spelling)
        assert found is not None
        assert found.id == user.id
    assert await issuer.users.find_by_name("zo") is None


@pytest.mark.parametrize(
    ("username", "fault"),
    [
        pytest.param("ZOE", "already", id="taken"),
        pytest.param("Aymen", "configuration file", id="of-the-file"),
        pytest.param("", "1 to 1024", id="empty"),
        pytest.param(" \t", "1 to 1024", id="blank"),
        pytest.param("a" * 1025, "1 to 1024", id="long"),
        pytest.param("a\nb", "control", id="line"),
        pytest.param("a\x1b[31mb", "control", id="escape"),
        pytest.param("a\u2028b", "control", id="line-separator"),
        pytest.param("\ud800", "Unicode", id="surrogate"),
    ],
)
async def test_a_name_that_cannot_be_is_refused(issuer: Issuing, username: str, fault: str) -> None:
    """With a sentence for the operator; nothing is kept."""
    await issuer.add_user("zoe")

    with pytest.raises(UnfitUserError, match=fault):
        await issuer.users.add(NewUser(username=username, password_hash="x"), NOW_S)
    assert len(await issuer.users.list_page()) == 1


async def test_users_are_listed_in_pages(issuer: Issuing) -> None:
    """In the order of their names."""
    for name in ("c", "a", "B"):
        await issuer.add_user(name)

    first = await issuer.users.list_page(limit=2)
    rest = await issuer.users.list_page(after=first[-1].canonical_username)
    assert [user.username for user in (*first, *rest)] == ["a", "B", "c"]


Change = Callable[[Issuing, str], Awaitable[bool]]


async def _set_password(issuer: Issuing, user_id: str) -> bool:
    return await issuer.users.set_password_hash(user_id, issuer.hasher.hash_of("new"), NOW_S)


async def _disable(issuer: Issuing, user_id: str) -> bool:
    return await issuer.users.disable(user_id, NOW_S)


async def _remove(issuer: Issuing, user_id: str) -> bool:
    return await issuer.users.remove(user_id, NOW_S)


@pytest.mark.parametrize("change", [_set_password, _disable, _remove])
async def test_what_was_let_in_ends_with_what_let_it_in(issuer: Issuing, change: Change) -> None:
    """THREATS JWT-29, SES-05: access tokens, refresh tokens and the old password."""
    user = await issuer.add_user()
    grant, other = await issuer.log_in("zoe"), await issuer.log_in()

    assert await change(issuer, user.id)
    assert not issuer.counts(grant)
    assert await issuer.granter.refresh(grant.refresh_token, NOW_S) is Reason.REFRESH_INVALID
    assert await issuer.try_login("zoe") is None
    assert issuer.counts(other)


@pytest.mark.parametrize("change", [_set_password, _disable, _remove])
async def test_there_must_be_such_a_user(issuer: Issuing, change: Change) -> None:
    """And where there is none, nothing is revoked."""
    grant = await issuer.log_in()

    assert not await change(issuer, "aymen")  # of the file: nothing of the store
    assert issuer.counts(grant)


async def test_a_user_who_is_enabled_logs_in_again(issuer: Issuing) -> None:
    """What was ended before stays ended."""
    user = await issuer.add_user()
    grant = await issuer.log_in("zoe")
    await issuer.users.disable(user.id, NOW_S)

    assert await issuer.users.enable(user.id, NOW_S)
    assert not await issuer.users.enable("nobody", NOW_S)
    assert issuer.counts(await issuer.log_in("zoe", now_s=NOW_S + 2), NOW_S + 2)
    assert not issuer.counts(grant)


async def test_grants_are_replaced(issuer: Issuing) -> None:
    """The sessions stay; the tokens that say the old ones do not."""
    user = await issuer.add_user()
    grant = await issuer.log_in("zoe")
    grants = Grants(roles=("admin",), scopes=("a:b",), attributes={"plan": "pro"})

    assert await issuer.users.set_grants(user.id, grants, NOW_S)
    assert not await issuer.users.set_grants("nobody", grants, NOW_S)
    kept = await issuer.users.find(user.id)
    assert kept is not None
    assert (kept.roles, kept.scopes, kept.attributes) == (("admin",), ("a:b",), {"plan": "pro"})
    assert not issuer.counts(grant)
    assert len(await issuer.sessions.list_of_user(user.id, NOW_S)) == 1


async def test_a_name_is_unlocked_whoever_has_it(issuer: Issuing) -> None:
    """A user of the file can be locked out by guesses as well as one of the store."""
    for _ in range(7):
        await issuer.try_login("aymen", "wrong")

    assert await issuer.users.unlock(" AYMEN ") > 0
    await issuer.log_in()
    assert await issuer.users.unlock("nobody") == 0
