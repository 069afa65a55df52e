"""``POST /revocations`` of the admin API."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from gateway.errors import Reason
from gateway.policy.tokens import VerifiedToken
from tests.kit.issuing import ISSUER, claims_of
from tests.unit.control.asking import JSON, check_problem
from tests.unit.control.asking_admin import Admin, open_admin
from tests.unit.issuer.fakes import NOW_S

EXP: Final = int(NOW_S) + 60


@pytest.fixture(scope="module")
def refusing() -> Iterator[Admin]:
    """An admin API that nothing may change: shared by the tests of what it refuses."""
    with open_admin() as opened:
        yield opened


def revoke(admin: Admin, members: Any) -> Any:
    """Ask for a revocation."""
    return admin.ask("POST", "/revocations", content=json.dumps(members), headers=JSON)


def test_one_token_is_revoked(admin: Admin) -> None:
    """By its ``jti``; the session goes on, and so does its next token."""
    grant = admin.log_in("aymen")
    claims = claims_of(grant)

    response = revoke(admin, {"jti": claims["jti"], "expires_at": claims["exp"]})
    assert (response.status_code, response.content) == (204, b"")
    assert not admin.issuer.counts(grant)
    refreshed = admin.runner.run(admin.issuer.granter.refresh(grant.refresh_token, NOW_S))
    assert not isinstance(refreshed, Reason)
    assert admin.issuer.counts(refreshed)


def test_a_session_is_revoked_with_its_refresh_token(admin: Admin) -> None:
    """By its ``sid``; a refresh does not bring it back. Another session goes on."""
    grant, other = admin.log_in("aymen"), admin.log_in("aymen")

    assert revoke(admin, {"sid": grant.session_id}).status_code == 204
    assert (admin.issuer.counts(grant), admin.issuer.counts(other)) == (False, True)
    refreshed = admin.runner.run(admin.issuer.granter.refresh(grant.refresh_token, NOW_S))
    assert refreshed is Reason.REFRESH_INVALID


def test_all_of_a_user_is_revoked(admin: Admin) -> None:
    """By ``sub``: each session, and the tokens that have none."""
    grants = [admin.log_in("aymen") for _ in range(2)]
    loose = VerifiedToken({**claims_of(grants[0]), "jti": "x", "sid": None}, ISSUER)

    assert revoke(admin, {"sub": "aymen"}).status_code == 204
    assert [admin.issuer.counts(grant) for grant in grants] == [False, False]
    assert admin.issuer.view.is_revoked(loose, NOW_S)
    assert admin.ask("GET", "/sessions").json()["sessions"] == []


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"jti": "x", "expires_at": EXP}, id="token"),
        pytest.param({"jti": "x", "expires_at": EXP + 0.5}, id="fraction"),
        pytest.param({"jti": "x", "expires_at": 0}, id="expired-long-ago"),
        pytest.param({"jti": "x", "expires_at": 253_402_300_799}, id="expires-never"),
        pytest.param({"sid": "x"}, id="session"),
        pytest.param({"sub": "é" * 1024}, id="user"),
    ],
)
def test_what_is_not_known_can_be_revoked(admin: Admin, members: dict[str, Any]) -> None:
    """Tokens can have been made without the store; and twice is as good as once."""
    assert revoke(admin, members).status_code == 204
    assert revoke(admin, members).status_code == 204


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"jti": "x"}, id="no-expiry"),
        pytest.param({"expires_at": EXP}, id="no-jti"),
        pytest.param({"sid": "x", "sub": "x"}, id="two"),
        pytest.param({"sid": "x", "expires_at": EXP}, id="session-with-expiry"),
        pytest.param({"jti": "x", "expires_at": EXP, "sub": "x"}, id="three"),
        pytest.param({"jti": "x", "exp": EXP}, id="exp"),
        pytest.param({"sub": "x", "not_before": 0}, id="not-before"),
        pytest.param({"kind": "sub", "key": "x"}, id="columns"),
        pytest.param({"jti": "x", "expires_at": str(EXP)}, id="text-expiry"),
        pytest.param({"jti": "x", "expires_at": True}, id="true-expiry"),
        pytest.param({"jti": "x", "expires_at": None}, id="null-expiry"),
        pytest.param({"jti": "x", "expires_at": -1}, id="negative-expiry"),
        pytest.param({"jti": "x", "expires_at": 253_402_300_800}, id="year-10000"),
        pytest.param({"jti": "x", "expires_at": 10**400}, id="huge-expiry"),
        pytest.param({"jti": 1, "expires_at": EXP}, id="number-jti"),
        pytest.param({"sid": ""}, id="empty-sid"),
        pytest.param({"sid": ["x"]}, id="list-sid"),
        pytest.param({"sub": None}, id="null-sub"),
        pytest.param({"sub": "a\0"}, id="nul-in-sub"),
        pytest.param({"sub": "x" * 1025}, id="long-sub"),
    ],
)
def test_what_is_no_revocation_is_refused(refusing: Admin, members: dict[str, Any]) -> None:
    """Exactly one thing, of the right type; nothing is passed over."""
    before = refusing.content()

    check_problem(revoke(refusing, members), 400, "bad_request")
    assert refusing.content() == before
