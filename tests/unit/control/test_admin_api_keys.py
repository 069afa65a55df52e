"""``/api-keys`` of the admin API."""

from typing import Any

import pytest

from gateway.policy.checked import parse_api_key
from tests.unit.control.asking import check_problem
from tests.unit.control.asking_admin import Admin
from tests.unit.issuer.fakes import NOW_S


def create(admin: Admin, **members: Any) -> Any:
    """Ask for a new key."""
    return admin.ask("POST", "/api-keys", json={"user_id": "aymen", **members})


def test_a_key_is_told_once(admin: Admin) -> None:
    """THREATS OPS-19: by the answer to its making, and by no list."""
    answer = create(admin, name="ci", scopes=["a:b"], expires_in=60)
    made = answer.json()

    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api-keys/{made['id']}"
    text = made.pop("key")
    assert parse_api_key(text.encode()).id == made["id"]
    assert made == {
        "id": made["id"],
        "user_id": "aymen",
        "name": "ci",
        "scopes": ["a:b"],
        "created_at": int(NOW_S),
        "expires_at": int(NOW_S) + 60,
        "revoked_at": None,
    }
    listed = admin.ask("GET", "/api-keys")
    assert listed.json() == {"api_keys": [made], "next": None}


def test_keys_are_listed_in_pages(admin: Admin) -> None:
    """By id; of all, or of one user."""
    zoe = admin.add_user()
    ids = sorted(admin.add_api_key(owner) for owner in ("aymen", "aymen", zoe.id))

    first = admin.ask("GET", "/api-keys", params={"limit": 2}).json()
    second = admin.ask("GET", "/api-keys", params={"after": first["next"]}).json()
    assert [key["id"] for key in first["api_keys"] + second["api_keys"]] == ids
    hers = admin.ask("GET", "/api-keys", params={"user_id": zoe.id}).json()["api_keys"]
    assert [(key["user_id"], key["expires_at"], key["name"]) for key in hers] == [
        (zoe.id, None, "")
    ]


def test_a_revoked_key_stays_in_the_list(admin: Admin) -> None:
    """With the time; revoking it again is no fault, and one that never was is 404."""
    key = admin.add_api_key()
    for _ in range(2):
        assert admin.ask("DELETE", f"/api-keys/{key}").status_code == 204
    [listed] = admin.ask("GET", "/api-keys").json()["api_keys"]
    assert listed["revoked_at"] == int(NOW_S)
    check_problem(admin.ask("DELETE", "/api-keys/x"), 404, "route_not_found")


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"user_id": None}, id="no-owner"),
        pytest.param({"user_id": "nobody"}, id="unknown-owner"),
        pytest.param({"name": 7}, id="name"),
        pytest.param({"name": "a\nb"}, id="name-with-line-break"),
        pytest.param({"scopes": ["other"]}, id="scope-of-nobody"),
        pytest.param({"scopes": "a:b"}, id="scopes"),
        pytest.param({"expires_in": 0}, id="expires-now"),
        pytest.param({"expires_in": True}, id="expires-true"),
        pytest.param({"expires_in": "90d"}, id="expires-text"),
        pytest.param({"expires_in": 3650 * 86400 + 1}, id="expires-in-ages"),
        pytest.param({"id": "mine"}, id="unknown-member"),
    ],
)
def test_an_unfit_key_is_not_made(admin: Admin, members: dict[str, Any]) -> None:
    """THREATS OPS-13: nor is a member passed over."""
    check_problem(create(admin, **members), 400, "bad_request")
    assert admin.ask("GET", "/api-keys").json()["api_keys"] == []
