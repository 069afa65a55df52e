"""Looking credentials up: what they stand for, and what happens where that cannot be found out."""

from base64 import b64encode
from functools import partial
from typing import Any

import pytest

from gateway.issuer.api_keys import NewApiKey
from gateway.issuer.credential_check import CredentialCheck
from gateway.issuer.mint import claims_of
from gateway.issuer.passwords import PasswordsBusyError
from gateway.issuer.users import User
from gateway.policy.checked import (
    CheckedCredential,
    CheckedCredentials,
    CredentialKind,
    Refused,
    UncheckedError,
)
from gateway.store.engine import Store
from gateway.store.faults import StoreBusyError, StoreUnavailableError
from tests.kit.issuing import ADDRESS, ISSUER, PASSWORD, SETTINGS, Issuing
from tests.unit.issuer.fakes import NOW_S

pytestmark = pytest.mark.anyio


def basic(name: str, password: str = PASSWORD) -> UncheckedError:
    """Present a name with a password."""
    credential = b64encode(f"{name}:{password}".encode())
    return CheckedCredentials(b"k").unchecked(CredentialKind.BASIC, credential)


async def api_key(issuer: Issuing, owner_id: str = "aymen", **more: Any) -> UncheckedError:
    """Present a new API key."""
    _, text = await issuer.api_keys.create(NewApiKey(owner_id=owner_id, **more), NOW_S)
    return CheckedCredentials(b"k").unchecked(CredentialKind.API_KEY, text.encode())


def check_of(issuer: Issuing) -> CredentialCheck:
    """Return what looks credentials up, as a worker has it."""

    def claims(user: User, now_s: int) -> dict[str, Any]:
        return claims_of(user, SETTINGS, now_s)

    return CredentialCheck(
        api_keys=issuer.api_keys,
        login=issuer.login,
        claims_of=claims,
        issuer=ISSUER,
        epoch=lambda: issuer.table.epoch,
        clock=lambda: NOW_S,
    )


async def test_a_right_password_is_its_users_claims(issuer: Issuing) -> None:
    """In any spelling of the name; without a session, and without a trace in the throttle."""
    for _ in range(9):  # more than may fail
        await check_of(issuer).check(basic(" AYMEN "), ADDRESS)
    found = await check_of(issuer).check(basic(" AYMEN "), ADDRESS)
    assert isinstance(found, CheckedCredential)
    assert found.claims["sub"] == "aymen"
    assert (found.roles, found.scopes) == (frozenset(["customer"]), frozenset(["a:b"]))
    assert "jti" not in found.claims
    assert await issuer.sessions.list_of_user("aymen", NOW_S) == []


async def test_every_failure_is_one_answer_after_one_hash(issuer: Issuing) -> None:
    """THREATS AUTH-01: as at a login."""
    gone = await issuer.add_user("gone")
    await issuer.users.disable(gone.id, NOW_S)
    check = check_of(issuer)
    for presented in (basic("aymen", "x"), basic("nobody"), basic("gone")):
        assert await check.check(presented, ADDRESS) == Refused("login_failed")  # type: ignore[arg-type]
    assert len(issuer.hasher.checked) == 3


async def test_guesses_are_throttled_as_logins_are(issuer: Issuing) -> None:
    """THREATS AUTH-03: with them, not beside them; from elsewhere the user gets in."""
    check = check_of(issuer)
    for number in range(5):
        await check.check(basic("aymen", f"guess {number}"), ADDRESS)
    found = await check.check(basic("aymen"), ADDRESS)

    assert isinstance(found, Refused)
    assert (found.reason, found.retry_after_s) == ("login_throttled", 1)
    assert await issuer.try_login() is not None
    assert isinstance(await check.check(basic("aymen"), "198.51.100.1"), CheckedCredential)


async def test_what_can_be_no_password_is_not_counted(issuer: Issuing) -> None:
    """Nor hashed."""
    check = check_of(issuer)
    for _ in range(10):
        found = await check.check(basic("aymen", ""), ADDRESS)
        assert found == Refused("credential_malformed")  # type: ignore[arg-type]
    assert issuer.hasher.checked == []
    assert isinstance(await check.check(basic("aymen"), ADDRESS), CheckedCredential)


async def test_an_api_key_is_its_owners_claims(issuer: Issuing) -> None:
    """Until it ends."""
    presented = await api_key(issuer, lifetime_s=10)
    found = await check_of(issuer).check(presented, ADDRESS)
    assert isinstance(found, CheckedCredential)
    assert (found.claims["sub"], found.checked_until_s) == ("aymen", int(NOW_S) + 10)


@pytest.mark.parametrize("kind", CredentialKind)
async def test_what_is_revoked_meanwhile_is_not_good_afterwards(
    issuer: Issuing, kind: CredentialKind
) -> None:
    """THREATS CACHE-06: it was good when it was looked up, and is seen to be no more."""
    if kind is CredentialKind.TOKEN:
        return
    zoe = await issuer.add_user()
    presented = basic("zoe") if kind is CredentialKind.BASIC else await api_key(issuer, zoe.id)
    found = await check_of(issuer).check(presented, ADDRESS)
    assert isinstance(found, CheckedCredential)
    assert not issuer.view.is_revoked(found, NOW_S)
    await issuer.users.disable(zoe.id, NOW_S)

    assert issuer.view.is_revoked(found, NOW_S)
    refused = await check_of(issuer).check(presented, ADDRESS)
    assert isinstance(refused, Refused)


async def test_what_is_looked_up_after_a_revocation_is_good(issuer: Issuing) -> None:
    """Though in the same second: the store has been asked since (a token would have to wait)."""
    zoe = await issuer.add_user()
    await issuer.users.set_password_hash(zoe.id, issuer.hasher.hash_of("new"), NOW_S)

    assert await check_of(issuer).check(basic("zoe"), ADDRESS) == Refused("login_failed")  # type: ignore[arg-type]
    found = await check_of(issuer).check(basic("zoe", "new"), ADDRESS)
    assert isinstance(found, CheckedCredential)
    assert not issuer.view.is_revoked(found, NOW_S)


@pytest.mark.parametrize(
    ("error", "reason", "is_logged"),
    [
        pytest.param(StoreUnavailableError("away"), "store_unavailable", True, id="store"),
        pytest.param(StoreBusyError("flood"), "store_unavailable", False, id="flood"),
        pytest.param(PasswordsBusyError(), "login_throttled", False, id="passwords"),
    ],
)
async def test_what_cannot_be_found_out_is_a_refusal(
    issuer: Issuing,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    reason: str,
    *,
    is_logged: bool,
) -> None:
    """DESIGN.md section 8, guarantee 2; to come again in a second may help."""

    def fail(*_: object) -> None:
        raise error

    presented = await api_key(issuer) if reason == "store_unavailable" else basic("aymen")
    monkeypatch.setattr(Store, "read", fail)
    monkeypatch.setattr(type(issuer.passwords), "check_room", partial(fail))
    found = await check_of(issuer).check(presented, ADDRESS)

    assert isinstance(found, Refused)
    assert (found.reason, found.retry_after_s) == (reason, 1)
    assert ("away" in caplog.text) is is_logged
