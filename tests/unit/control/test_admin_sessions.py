"""``/sessions`` of the admin API."""

import pytest

from gateway.store.sessions import EndReason
from tests.kit.issuing import ADDRESS
from tests.unit.control.asking import check_problem
from tests.unit.control.asking_admin import Admin
from tests.unit.issuer.fakes import NOW_S


def test_live_sessions_of_all_are_listed_in_pages(admin: Admin) -> None:
    """By id; with whose they are; of the configuration file's users too."""
    user = admin.add_user()
    ids = sorted(admin.log_in(name).session_id for name in ("zoe", "aymen", "zoe"))

    first = admin.ask("GET", "/sessions", params={"limit": 2}).json()
    second = admin.ask("GET", "/sessions", params={"after": first["next"]}).json()
    assert [session["id"] for session in first["sessions"]] == ids[:2]
    assert [session["id"] for session in second["sessions"]] == ids[2:]
    assert second["next"] is None
    sessions = first["sessions"] + second["sessions"]
    assert {session["user_id"] for session in sessions} == {user.id, "aymen"}
    assert set(sessions[0]) == {
        "id",
        "user_id",
        "created_at",
        "refreshed_at",
        "expires_at",
        "address",
        "user_agent",
    }
    assert (sessions[0]["address"], sessions[0]["created_at"]) == (ADDRESS, int(NOW_S))


def test_the_sessions_of_one_user_are_listed_in_pages(admin: Admin) -> None:
    """In the same order, and nobody else's."""
    user = admin.add_user()
    admin.log_in("aymen")
    ids = sorted(admin.log_in().session_id for _ in range(3))

    query: dict[str, str | int] = {"user_id": user.id, "limit": 2}
    first = admin.ask("GET", "/sessions", params=query).json()
    second = admin.ask("GET", "/sessions", params={**query, "after": first["next"]}).json()
    assert [session["id"] for session in first["sessions"]] == ids[:2]
    assert [session["id"] for session in second["sessions"]] == ids[2:]
    assert (first["next"], second["next"]) == (ids[1], None)
    nobody = admin.ask("GET", "/sessions", params={"user_id": "nobody"}).json()
    assert nobody == {"sessions": [], "next": None}


def test_a_session_that_is_ended_is_gone_at_once(admin: Admin) -> None:
    """Its tokens too, when the answer is here; another's go on. Ended is ended: then 404."""
    admin.add_user()
    ended, other = admin.log_in(), admin.log_in()
    path = f"/sessions/{ended.session_id}"

    assert admin.ask("DELETE", path).status_code == 204
    assert (admin.issuer.counts(ended), admin.issuer.counts(other)) == (False, True)
    check_problem(admin.ask("DELETE", path), 404, "route_not_found")
    check_problem(admin.ask("DELETE", "/sessions/canary"), 404, "route_not_found")
    reasons = {row.id: row.end_reason for row in admin.content()["sessions"]}
    assert reasons == {ended.session_id: EndReason.REVOKED.value, other.session_id: None}


@pytest.mark.parametrize("username", ["zoe", "aymen"])
def test_all_sessions_of_a_user_are_ended(admin: Admin, username: str) -> None:
    """Of the store or of the configuration file; none of anybody else; none there is no fault."""
    users = {"zoe": admin.add_user().id, "aymen": "aymen"}
    grants = {name: [admin.log_in(name) for _ in range(2)] for name in users}
    path = f"/users/{users[username]}/sessions"

    assert admin.ask("DELETE", path).status_code == 204
    assert admin.ask("DELETE", path).status_code == 204
    for name, own in grants.items():
        assert {admin.issuer.counts(grant) for grant in own} == {name != username}
