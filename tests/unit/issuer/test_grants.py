"""Sessions begin and go on; DESIGN.md section 9, THREATS A10."""

import asyncio
import logging

import pytest

from gateway.errors import Reason
from gateway.issuer.grants import Grant
from gateway.issuer.sessions import Ending
from gateway.store import sessions, users
from gateway.store.sessions import EndReason
from tests.kit.issuing import ACCESS_S, LIFETIMES, Issuing, claims_of
from tests.unit.issuer.fakes import NOW_S

pytestmark = pytest.mark.anyio


async def test_a_login_gives_two_tokens_of_one_session(issuer: Issuing) -> None:
    """The access token names the session, the refresh token is 256 random bits (OPS-22)."""
    grant = await issuer.log_in()

    claims = claims_of(grant)
    assert (claims["sid"], claims["sub"]) == (grant.session_id, "aymen")
    assert grant.access_token.expires_in_s == ACCESS_S
    assert grant.refresh_expires_in_s == LIFETIMES.idle_s
    assert len(grant.refresh_token) == 43
    [kept] = await issuer.sessions.list_of_user("aymen", NOW_S)
    assert (kept.id, kept.address, kept.user_agent) == (grant.session_id, "203.0.113.7", "tests")


async def test_a_refresh_goes_on_with_the_same_session(issuer: Issuing) -> None:
    """The pair is new, the session is not; the old refresh token is spent."""
    first = await issuer.log_in()
    second = await issuer.granter.refresh(first.refresh_token, NOW_S + 30)

    assert isinstance(second, Grant)
    assert second.session_id == first.session_id
    assert second.refresh_token != first.refresh_token
    assert claims_of(second)["jti"] != claims_of(first)["jti"]
    assert claims_of(second)["iat"] == int(NOW_S) + 30
    assert issuer.counts(first, NOW_S + 30)


async def test_twenty_refreshes_at_once_give_one_successor(issuer: Issuing) -> None:
    """THREATS SES-01: parallel tabs get the same, and nobody is logged out."""
    first = await issuer.log_in()
    answers = await asyncio.gather(
        *(issuer.granter.refresh(first.refresh_token, NOW_S + 30) for _ in range(20))
    )

    grants = [answer for answer in answers if isinstance(answer, Grant)]
    assert len(grants) == 20
    assert len({grant.refresh_token for grant in grants}) == 1
    assert isinstance(await issuer.granter.refresh(grants[0].refresh_token, NOW_S + 60), Grant)


async def test_a_spent_token_means_theft_once_the_grace_is_over(
    issuer: Issuing, caplog: pytest.LogCaptureFixture
) -> None:
    """THREATS SES-02: the whole session ends, its access tokens too, and the log says so."""
    first = await issuer.log_in()
    second = await issuer.granter.refresh(first.refresh_token, NOW_S + 1)
    assert isinstance(second, Grant)

    assert await issuer.granter.refresh(first.refresh_token, NOW_S + 12) is Reason.REFRESH_REUSED
    assert not issuer.counts(first)
    assert not issuer.counts(second)
    assert await issuer.granter.refresh(second.refresh_token, NOW_S + 13) is Reason.REFRESH_INVALID
    [said] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert first.session_id in said.getMessage()
    assert first.refresh_token not in caplog.text


@pytest.mark.parametrize(
    ("after_s", "reason"),
    [
        pytest.param(LIFETIMES.idle_s - 1, None, id="just-in-time"),
        pytest.param(LIFETIMES.idle_s + 1, Reason.REFRESH_EXPIRED, id="idle-for-too-long"),
    ],
)
async def test_a_session_ends_when_it_is_not_used(
    issuer: Issuing, after_s: int, reason: Reason | None
) -> None:
    """The sliding lifetime: each refresh begins it anew."""
    grant = await issuer.log_in()
    answer = await issuer.granter.refresh(grant.refresh_token, NOW_S + after_s)

    assert (answer if isinstance(answer, Reason) else None) is reason


async def test_a_session_ends_however_often_it_is_used(issuer: Issuing) -> None:
    """The absolute lifetime; what is told of the refresh token never goes beyond it."""
    grant = await issuer.log_in()
    now_s = NOW_S
    while now_s + LIFETIMES.idle_s < NOW_S + LIFETIMES.absolute_s:
        now_s += LIFETIMES.idle_s - 1
        answer = await issuer.granter.refresh(grant.refresh_token, now_s)
        assert isinstance(answer, Grant)
        grant = answer
        assert now_s + grant.refresh_expires_in_s <= NOW_S + LIFETIMES.absolute_s

    last_s = NOW_S + LIFETIMES.absolute_s + 1
    assert await issuer.granter.refresh(grant.refresh_token, last_s) is Reason.REFRESH_EXPIRED


@pytest.mark.parametrize("presented", ["", "x", "\ud800", "' OR 1=1 --", "\0"])
async def test_what_was_never_issued_is_invalid(issuer: Issuing, presented: str) -> None:
    """Any text may be presented."""
    assert await issuer.granter.refresh(presented, NOW_S) is Reason.REFRESH_INVALID


async def test_a_prefix_of_a_token_is_no_token(issuer: Issuing) -> None:
    """THREATS JWT-30: the whole is compared, by its hash."""
    grant = await issuer.log_in()

    for presented in (grant.refresh_token[:-1], grant.refresh_token + "A"):
        assert await issuer.granter.refresh(presented, NOW_S) is Reason.REFRESH_INVALID


async def test_the_claims_are_those_of_today(issuer: Issuing) -> None:
    """THREATS JWT-29: a role that was taken away is gone at the next refresh at the latest."""
    user = await issuer.add_user()
    grant = await issuer.log_in("zoe")
    await issuer.users.set_grants(
        user.id, users.Grants(roles=("none",), scopes=(), attributes={}), NOW_S + 1
    )
    assert not issuer.counts(grant)

    refreshed = await issuer.granter.refresh(grant.refresh_token, NOW_S + 3)
    assert isinstance(refreshed, Grant)
    assert claims_of(refreshed)["roles"] == ["none"]
    assert issuer.counts(refreshed, NOW_S + 3)


async def test_a_user_who_has_gone_ends_with_the_next_refresh(issuer: Issuing) -> None:
    """A session begun beside the removal, or of a user that left the file, does not go on."""
    user = await issuer.add_user()
    grant = await issuer.log_in("zoe")
    async with issuer.store.write() as tx:  # as if the removal had not seen the session
        await users.remove(tx, user.id)

    assert await issuer.granter.refresh(grant.refresh_token, NOW_S + 1) is Reason.REFRESH_INVALID
    assert not issuer.counts(grant)
    async with issuer.store.read() as tx:
        kept = await sessions.find(tx, grant.session_id)
    assert kept is not None
    assert kept.end_reason is EndReason.USER_REMOVED


@pytest.mark.parametrize("ahead_s", [0, 1, 2])
async def test_a_login_in_the_second_of_a_logout_of_all_counts(
    issuer: Issuing, monkeypatch: pytest.MonkeyPatch, ahead_s: int
) -> None:
    """THREATS SES-09: the tokens of that second are revoked, so that new ones wait for its end.

    Also where it is the second of a host whose clock is ahead.
    """
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    old = await issuer.log_in()
    ending = Ending(reason=EndReason.LOGOUT_ALL, now_s=NOW_S + ahead_s)
    await issuer.sessions.end_all("aymen", ending)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    new = await issuer.log_in(now_s=NOW_S)

    assert slept == [0.25 + ahead_s]
    assert not issuer.counts(old)
    assert issuer.counts(new)
    assert claims_of(new)["iat"] == int(NOW_S) + 1 + ahead_s


async def test_a_password_changed_while_it_was_checked_lets_nobody_in(issuer: Issuing) -> None:
    """Between the check and the session lies a second; what counts then is what is asked."""
    user = await issuer.add_user()
    issuer.hasher.may_end.clear()
    login = asyncio.create_task(issuer.try_login("zoe"))
    await asyncio.to_thread(issuer.hasher.begun.acquire)
    await issuer.users.set_password_hash(user.id, issuer.hasher.hash_of("new"), NOW_S)
    issuer.hasher.may_end.set()

    assert await login is None
    assert await issuer.sessions.list_of_user(user.id, NOW_S) == []


async def test_roles_that_change_while_a_refresh_waits_are_the_new_ones(
    issuer: Issuing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token is issued after the wait, and says what held then."""
    user = await issuer.add_user()
    grant = await issuer.log_in("zoe")

    async def grant_role(role: str) -> None:
        grants = users.Grants(roles=(role,), scopes=(), attributes={})
        await issuer.users.set_grants(user.id, grants, NOW_S)

    async def sleep(_: float) -> None:
        await grant_role("newest")

    await grant_role("new")
    monkeypatch.setattr(asyncio, "sleep", sleep)
    refreshed = await issuer.granter.refresh(grant.refresh_token, NOW_S)

    assert isinstance(refreshed, Grant)
    assert claims_of(refreshed)["roles"] == ["newest"]
