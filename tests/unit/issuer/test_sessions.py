"""Sessions end for good, whoever ends them."""

import pytest

from gateway.errors import Reason
from gateway.issuer.grants import Grant
from gateway.issuer.sessions import Ending
from gateway.policy.tokens import VerifiedToken
from gateway.store.sessions import EndReason
from tests.kit.issuing import ACCESS_S, ISSUER, LEEWAY_S, Issuing, claims_of, verified
from tests.unit.issuer.fakes import NOW_S

pytestmark = pytest.mark.anyio

BY_USER = Ending(reason=EndReason.LOGOUT, now_s=NOW_S, user_id="aymen")
BY_OPERATOR = Ending(reason=EndReason.REVOKED, now_s=NOW_S)


async def test_a_logout_ends_its_session_and_no_other(issuer: Issuing) -> None:
    """When it returns, the access token does not count and the refresh token is invalid."""
    ended, other = await issuer.log_in(), await issuer.log_in()
    await issuer.sessions.log_out(verified(ended), NOW_S)

    assert not issuer.counts(ended)
    assert issuer.counts(other)
    assert await issuer.granter.refresh(ended.refresh_token, NOW_S) is Reason.REFRESH_INVALID
    assert [s.id for s in await issuer.sessions.list_of_user("aymen", NOW_S)] == [other.session_id]


async def test_a_logout_can_be_repeated(issuer: Issuing) -> None:
    """THREATS SES-08: also long after the token has expired; who asks again had no answer."""
    grant = await issuer.log_in()
    for now_s in (NOW_S, NOW_S + 1, NOW_S + 10_000):
        await issuer.sessions.log_out(verified(grant), now_s)

    assert not issuer.counts(grant)


async def test_a_token_without_a_session_ends_alone(issuer: Issuing) -> None:
    """One that was minted elsewhere has no ``sid``: it is revoked by its ``jti``."""
    first, second = await issuer.log_in(), await issuer.log_in()
    token = VerifiedToken(claims_of(first), ISSUER)
    del token.claims["sid"]
    await issuer.sessions.log_out(token, NOW_S)

    assert not issuer.counts(first)
    assert issuer.counts(second)


async def test_a_token_of_a_session_that_is_not_kept_ends_too(issuer: Issuing) -> None:
    """``token issue`` makes tokens whose session is in no table."""
    grant = await issuer.log_in()
    token = VerifiedToken(claims_of(grant) | {"sid": "nowhere"}, ISSUER)
    await issuer.sessions.log_out(token, NOW_S)

    assert issuer.counts(grant)
    assert issuer.table.is_revoked([("sid", "nowhere")], int(NOW_S), NOW_S)


@pytest.mark.parametrize("named", [{}, {"sid": "elsewhere"}], ids=["alone", "session"])
async def test_a_token_that_has_ended_stays_so_to_its_last_second(
    issuer: Issuing, named: dict[str, str]
) -> None:
    """Its leeway included, and however long it was minted for: it does not come back."""
    grant = await issuer.log_in()
    issued_s = int(NOW_S)
    claims = claims_of(grant) | {"exp": issued_s + 100 * ACCESS_S}
    del claims["sid"]
    token = VerifiedToken(claims | named, ISSUER)
    await issuer.sessions.log_out(token, NOW_S)

    for now_s in (NOW_S, token.claims["exp"] - 1, token.expires_at_s - 1):
        assert issuer.view.is_revoked(VerifiedToken(claims | named, ISSUER), now_s)


@pytest.mark.parametrize("behind_s", [2, 3600])
@pytest.mark.parametrize("way", ["logout", "user", "operator", "all", "reuse"])
async def test_a_clock_that_is_behind_ends_a_session_for_as_long(
    issuer: Issuing, way: str, behind_s: int
) -> None:
    """Another host's clock issued the token, or ours did before it was set back (SES-24)."""
    grant = await issuer.log_in()
    refreshed = await issuer.granter.refresh(grant.refresh_token, NOW_S)
    assert isinstance(refreshed, Grant)
    earlier_s = NOW_S - behind_s
    match way:
        case "logout":
            await issuer.sessions.log_out(verified(grant), earlier_s)
        case "reuse":
            for spent_s in (NOW_S, NOW_S + 20):
                await issuer.granter.refresh(grant.refresh_token, spent_s)
        case "user":
            ending = Ending(reason=EndReason.LOGOUT, now_s=earlier_s, user_id="aymen")
            await issuer.sessions.end(grant.session_id, ending)
        case "operator":
            ending = Ending(reason=EndReason.REVOKED, now_s=earlier_s)
            await issuer.sessions.end(grant.session_id, ending)
        case _:
            ending = Ending(reason=EndReason.LOGOUT_ALL, now_s=earlier_s)
            await issuer.sessions.end_all("aymen", ending)

    last_s = int(NOW_S) + ACCESS_S + LEEWAY_S - 1
    assert not issuer.counts(refreshed, NOW_S)
    assert not issuer.counts(refreshed, last_s)


async def test_a_user_ends_their_own_sessions_only(issuer: Issuing) -> None:
    """An id that somebody else's session has is an id of no session."""
    await issuer.add_user()
    own, others = await issuer.log_in(), await issuer.log_in("zoe")

    assert await issuer.sessions.end(own.session_id, BY_USER)
    assert not await issuer.sessions.end(own.session_id, BY_USER)
    assert not await issuer.sessions.end(others.session_id, BY_USER)
    assert not await issuer.sessions.end("nowhere", BY_USER)
    assert not issuer.counts(own)
    assert issuer.counts(others)


async def test_an_operator_ends_any(issuer: Issuing) -> None:
    """And learns whether there was one."""
    await issuer.add_user()
    grant = await issuer.log_in("zoe")

    assert await issuer.sessions.end(grant.session_id, BY_OPERATOR)
    assert not issuer.counts(grant)
    assert not await issuer.sessions.end(grant.session_id, BY_OPERATOR)


async def test_all_sessions_of_a_user_end_at_once(issuer: Issuing) -> None:
    """THREATS SES-09: the tokens of this very second too, and nobody else's."""
    await issuer.add_user()
    grants = [await issuer.log_in() for _ in range(3)]
    other = await issuer.log_in("zoe")

    assert await issuer.sessions.end_all("aymen", BY_USER) == 3
    assert [issuer.counts(grant) for grant in grants] == [False] * 3
    assert issuer.counts(other)
    for grant in grants:
        refreshed = await issuer.granter.refresh(grant.refresh_token, NOW_S)
        assert refreshed is Reason.REFRESH_INVALID


async def test_a_refresh_beside_the_end_of_all_is_ended_with_them(issuer: Issuing) -> None:
    """A token issued a moment after the time of the ending belongs to a session that it ends."""
    grant = await issuer.log_in()
    await issuer.granter.refresh(grant.refresh_token, NOW_S + 5)
    await issuer.sessions.end_all("aymen", BY_USER)

    assert issuer.table.is_revoked([("sid", grant.session_id)], int(NOW_S) + 5, NOW_S + 5)


async def test_operators_page_through_all_sessions(issuer: Issuing) -> None:
    """By id, so that a page is as long as it is asked to be, and none comes twice."""
    grants = [await issuer.log_in() for _ in range(5)]
    pages = []
    after = ""
    while page := await issuer.sessions.list_page(now_s=NOW_S, after=after, limit=2):
        pages += [session.id for session in page]
        after = page[-1].id

    assert pages == sorted(grant.session_id for grant in grants)
