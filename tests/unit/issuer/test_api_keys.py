"""API keys: made, revoked and looked up, with what their owner has at that moment."""

import re
from typing import Any

import pytest

from gateway.issuer.api_keys import NewApiKey, UnfitApiKeyError
from gateway.issuer.mint import claims_of
from gateway.issuer.users import User
from gateway.policy.checked import ApiKey, Refused, parse_api_key
from gateway.store.users import Grants
from tests.kit.issuing import SETTINGS, Issuing
from tests.unit.issuer.fakes import NOW_S

pytestmark = pytest.mark.anyio


def _claims_of(user: User, now_s: int) -> dict[str, Any]:
    return claims_of(user, SETTINGS, now_s)


async def _make(issuer: Issuing, owner_id: str = "aymen", **more: Any) -> ApiKey:
    new = NewApiKey(owner_id=owner_id, **more)
    _, text = await issuer.api_keys.create(new, NOW_S)
    return parse_api_key(text.encode())


async def _look_up(issuer: Issuing, key: ApiKey, now_s: float = NOW_S) -> dict[str, Any] | Refused:
    return await issuer.api_keys.look_up(key, _claims_of, now_s)


async def _reason(issuer: Issuing, key: ApiKey, now_s: float = NOW_S) -> str:
    found = await _look_up(issuer, key, now_s)
    assert isinstance(found, Refused)
    return found.reason


async def test_a_key_carries_its_owners_claims(issuer: Issuing) -> None:
    """And its own id, scopes and end."""
    key = await _make(issuer, scopes=("a:b",), lifetime_s=60)
    assert await _look_up(issuer, key) == {
        "iss": "https://gw.test",
        "aud": "gateway",
        "sub": "aymen",
        "username": "aymen",
        "roles": ["customer"],
        "scope": "a:b",
        "iat": int(NOW_S),
        "exp": int(NOW_S) + 60,
        "jti": key.id,
    }


async def test_a_key_has_no_scope_that_it_was_not_given(issuer: Issuing) -> None:
    """Though its owner has one."""
    found = await _look_up(issuer, await _make(issuer))
    assert isinstance(found, dict)
    assert "scope" not in found
    assert "exp" not in found


async def test_ids_and_secrets_are_random_and_long(issuer: Issuing) -> None:
    """THREATS OPS-22: 128 bits and 256; the store has the secret as a digest only."""
    key, other = await _make(issuer), await _make(issuer)
    assert re.fullmatch("[0-9a-f]{32}", key.id)
    assert re.fullmatch("[0-9a-f]{64}", key.secret)
    assert {key.id, key.secret}.isdisjoint((other.id, other.secret))
    [kept] = [each for each in await issuer.api_keys.list_page() if each.id == key.id]
    assert key.secret.encode() not in kept.secret_hash


async def test_a_key_never_has_more_than_its_owner_has_now(issuer: Issuing) -> None:
    """Roles and scopes are those of the moment."""
    zoe = await issuer.add_user()
    grants = Grants(roles=("admin",), scopes=("a", "b"), attributes={})
    await issuer.users.set_grants(zoe.id, grants, NOW_S)
    key = await _make(issuer, zoe.id, scopes=("a", "b"))
    await issuer.users.set_grants(
        zoe.id, Grants(roles=("user",), scopes=("b", "c"), attributes={}), NOW_S
    )

    found = await _look_up(issuer, key)
    assert isinstance(found, dict)
    assert (found["roles"], found["scope"], found["sub"]) == (["user"], "b", zoe.id)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        pytest.param({"owner_id": "nobody"}, "no such owner", id="owner"),
        pytest.param({"scopes": ("a:b", "x")}, "does not have the scope 'x'", id="scope"),
        pytest.param({"name": "a\nb"}, "printable", id="line-break"),
        pytest.param({"name": "x" * 256}, "255", id="long-name"),
    ],
)
async def test_an_unfit_key_is_not_made(issuer: Issuing, more: dict[str, Any], fault: str) -> None:
    """It says why; nothing is kept."""
    with pytest.raises(UnfitApiKeyError, match=fault):
        await _make(issuer, **more)
    assert await issuer.api_keys.list_page() == []


async def test_what_a_stranger_tries_is_one_answer(issuer: Issuing) -> None:
    """Another secret and another id: nobody learns which keys there are, nor their state."""
    key = await _make(issuer)
    await issuer.api_keys.revoke(key.id, NOW_S)
    assert await _reason(issuer, ApiKey(key.id, "0" * 64)) == "api_key_invalid"
    assert await _reason(issuer, ApiKey("0" * 32, key.secret)) == "api_key_invalid"


async def test_an_expired_key_is_told_so(issuer: Issuing) -> None:
    """From the second on in which it ends."""
    key = await _make(issuer, lifetime_s=60)
    assert isinstance(await _look_up(issuer, key, NOW_S + 59), dict)
    assert await _reason(issuer, key, NOW_S + 60) == "token_expired"


async def test_a_revoked_key_counts_no_more(issuer: Issuing) -> None:
    """In the store, and in what every worker of the host knows; twice is no fault."""
    key = await _make(issuer)
    epoch = issuer.table.epoch
    assert await issuer.api_keys.revoke(key.id, NOW_S)

    assert issuer.table.epoch > epoch
    assert issuer.table.is_revoked([("jti", key.id)], int(NOW_S), NOW_S + 60)
    assert await _reason(issuer, key) == "token_revoked"
    assert await issuer.api_keys.revoke(key.id, NOW_S)
    assert not await issuer.api_keys.revoke("nobody's", NOW_S)


async def test_a_disabled_owners_keys_rest(issuer: Issuing) -> None:
    """And count again when the owner does; a removed owner's are gone."""
    zoe = await issuer.add_user()
    key = await _make(issuer, zoe.id)
    await issuer.users.disable(zoe.id, NOW_S)
    assert await _reason(issuer, key) == "api_key_invalid"
    await issuer.users.enable(zoe.id, NOW_S)
    assert isinstance(await _look_up(issuer, key), dict)
    await issuer.users.remove(zoe.id, NOW_S)
    assert await _reason(issuer, key) == "api_key_invalid"
    assert await issuer.api_keys.list_page(owner_id=zoe.id) == []


async def test_a_user_of_the_file_who_has_gone_has_no_keys(issuer: Issuing) -> None:
    """The key is there, and its owner is not."""
    key = await _make(issuer)
    issuer.api_keys._accounts._file_users._by_id.clear()
    assert await _reason(issuer, key) == "api_key_invalid"
