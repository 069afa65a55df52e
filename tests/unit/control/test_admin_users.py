"""``/users`` of the admin API."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from gateway.store.users import StoredUser
from tests.kit.issuing import PASSWORD
from tests.unit.control.asking import JSON, check_problem
from tests.unit.control.asking_admin import Admin, open_admin
from tests.unit.issuer.fakes import NOW_S, CountingHasher

MEMBERS: Final = {
    "id",
    "username",
    "roles",
    "scopes",
    "attributes",
    "disabled",
    "created_at",
    "updated_at",
}
NEW: Final = {"username": "new", "password": "canary-new"}
HASH: Final = CountingHasher.hash_of("canary-brought-along")


@pytest.fixture(scope="module")
def refusing() -> Iterator[Admin]:
    """An admin API that nothing may change: shared by the tests of what it refuses."""
    with open_admin() as opened:
        yield opened


@pytest.fixture(scope="module")
def kept(refusing: Admin) -> StoredUser:
    """The one user of that."""
    return refusing.add_user()


def send(admin: Admin, method: str, path: str, members: Any) -> Any:
    """Send a JSON body."""
    return admin.ask(method, path, content=json.dumps(members), headers=JSON)


def test_a_user_is_added_with_a_password(admin: Admin) -> None:
    """201 with where the user is; the password is good at once, and no hash comes out."""
    members = {
        "username": " New ",
        "password": "canary-new",
        "roles": ["customer", "admin", "customer"],
        "scopes": ["a:b"],
        "attributes": {"org": {"plan": "pro"}, "n": [1, None, "é"]},
    }
    response = send(admin, "POST", "/users", members)

    assert response.status_code == 201
    user = response.json()
    assert set(user) == MEMBERS
    assert response.headers["location"] == f"/users/{user['id']}"
    assert (user["username"], user["disabled"]) == ("New", False)
    assert (user["roles"], user["scopes"]) == (["customer", "admin"], ["a:b"])
    assert user["attributes"] == members["attributes"]
    assert (user["created_at"], user["updated_at"]) == (int(NOW_S), int(NOW_S))
    assert admin.ask("GET", response.headers["location"]).json() == user
    assert admin.can_log_in("NEW", password="canary-new")


def test_a_user_is_added_with_a_hash_that_was_brought_along(admin: Admin) -> None:
    """From a legacy system; what else is not said is empty."""
    response = send(admin, "POST", "/users", {"username": "new", "password_hash": HASH})

    user = response.json()
    assert (user["roles"], user["scopes"], user["attributes"]) == ([], [], {})
    assert admin.issuer.hasher.made == 1  # the dummy's: nothing was hashed for this
    assert admin.can_log_in("new", password="canary-brought-along")


@pytest.mark.parametrize("username", ["zoe", " ZOE", "aymen", "Aymen"])
def test_a_name_is_given_once(admin: Admin, username: str) -> None:
    """409, in whatever spelling; a name of the configuration file is taken too."""
    admin.add_user()
    before = admin.content()

    check_problem(send(admin, "POST", "/users", {**NEW, "username": username}), 409, "conflict")
    assert admin.content() == before


UNFIT: Final = [
    pytest.param({"username": ""}, id="empty-name"),
    pytest.param({"username": " "}, id="blank-name"),
    pytest.param({"username": None}, id="null-name"),
    pytest.param({"username": ["new"]}, id="list-name"),
    pytest.param({"username": "a\nb"}, id="line-in-name"),
    pytest.param({"username": "a\0"}, id="nul-in-name"),
    pytest.param({"username": "x" * 1025}, id="long-name"),
    pytest.param({"username": "é" * 1000}, id="long-name-in-bytes"),
    pytest.param({"password": ""}, id="empty-password"),
    pytest.param({"password": None}, id="null-password"),
    pytest.param({"password": 12345678}, id="number-password"),
    pytest.param({"password": "x" * 1025}, id="long-password"),
    pytest.param({"password": "canary\0"}, id="nul-in-password"),
    pytest.param({"password_hash": HASH}, id="password-and-hash"),
    pytest.param({"roles": "admin"}, id="roles-text"),
    pytest.param({"roles": None}, id="roles-null"),
    pytest.param({"roles": {"admin": True}}, id="roles-object"),
    pytest.param({"roles": [""]}, id="empty-role"),
    pytest.param({"roles": [1]}, id="number-role"),
    pytest.param({"roles": [["admin"]]}, id="list-role"),
    pytest.param({"roles": ["a\r\nX-User: root"]}, id="line-in-role"),
    pytest.param({"roles": ["a\0"]}, id="nul-in-role"),
    pytest.param({"roles": ["x" * 1025]}, id="long-role"),
    pytest.param({"scopes": "a b"}, id="scopes-text"),
    pytest.param({"scopes": ["a b"]}, id="space-in-scope"),
    pytest.param({"scopes": ['a"b']}, id="quote-in-scope"),
    pytest.param({"scopes": ["é"]}, id="scope-beyond-ascii"),
    pytest.param({"scopes": [None]}, id="null-scope"),
    pytest.param({"attributes": []}, id="attributes-list"),
    pytest.param({"attributes": None}, id="attributes-null"),
    pytest.param({"attributes": "x"}, id="attributes-text"),
    pytest.param({"id": "u-1"}, id="id"),
    pytest.param({"is_admin": True}, id="is-admin"),
    pytest.param({"not_before": 0}, id="not-before"),
    pytest.param({"not_before_s": 0}, id="not-before-s"),
    pytest.param({"disabled": False}, id="disabled"),
    pytest.param({"created_at": 0}, id="created-at"),
    pytest.param({"canonical_username": "aymen"}, id="canonical-username"),
    pytest.param({"Roles": ["admin"]}, id="other-case"),
]


@pytest.mark.parametrize("changes", UNFIT)
def test_a_user_that_cannot_be_is_refused(refusing: Admin, changes: dict[str, Any]) -> None:
    """THREATS OPS-13: types are checked strictly, and no member is passed over."""
    before = refusing.content()

    check_problem(send(refusing, "POST", "/users", {**NEW, **changes}), 400, "bad_request")
    assert refusing.content() == before


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"username": "new"}, id="neither"),
        pytest.param({"password": "canary-new"}, id="no-name"),
        pytest.param({}, id="nothing"),
        pytest.param([NEW], id="list"),
        pytest.param({"username": "new", "password_hash": "canary-plain"}, id="plain-text"),
        pytest.param({"username": "new", "password_hash": ""}, id="empty-hash"),
        pytest.param({"username": "new", "password_hash": None}, id="null-hash"),
        pytest.param({"username": "new", "password_hash": HASH + "\n"}, id="line-in-hash"),
    ],
)
def test_a_user_without_what_is_needed_is_refused(refusing: Admin, members: Any) -> None:
    """A hash must be one that a login can check; nothing of it is quoted."""
    before = refusing.content()

    check_problem(send(refusing, "POST", "/users", members), 400, "bad_request")
    assert refusing.content() == before


def test_users_are_listed_in_pages(admin: Admin) -> None:
    """By name; ``next`` leads on, and the last page has none. Nothing of a hash is told."""
    for name in ("c", "A", "b&=é"):
        admin.add_user(name)

    first = admin.ask("GET", "/users", params={"limit": 2})
    second = admin.ask("GET", "/users", params={"limit": 2, "after": first.json()["next"]})
    assert [user["username"] for user in first.json()["users"]] == ["A", "b&=é"]
    assert [user["username"] for user in second.json()["users"]] == ["c"]
    assert second.json()["next"] is None
    assert set(first.json()["users"][0]) == MEMBERS
    assert "argon2" not in first.text + second.text
    assert admin.ask("GET", "/users", params={"limit": 3}).json()["next"] is None


def test_there_is_no_user_of_another_id(admin: Admin) -> None:
    """404 for each; names are no ids, and users of the file are not here."""
    admin.add_user()
    for method, path in (
        ("GET", "/users/zoe"),
        ("GET", "/users/aymen"),
        ("DELETE", "/users/zoe"),
        ("POST", "/users/zoe/unlock"),
    ):
        check_problem(admin.ask(method, path), 404, "route_not_found")
    check_problem(send(admin, "PATCH", "/users/zoe", {"roles": []}), 404, "route_not_found")


def test_what_is_named_changes_and_all_else_stays(admin: Admin) -> None:
    """PATCH: one member at a time, or several at once."""
    path = f"/users/{admin.add_user().id}"
    admin.now_s += 60

    first = send(admin, "PATCH", path, {"scopes": ["a:b"]})
    assert (first.status_code, first.json()["roles"]) == (200, ["customer"])
    assert first.json()["scopes"] == ["a:b"]
    assert first.json()["updated_at"] == int(admin.now_s)
    second = send(admin, "PATCH", path, {"roles": [], "attributes": {"x": 1}})
    assert set(second.json()) == MEMBERS
    assert (second.json()["roles"], second.json()["scopes"]) == ([], ["a:b"])
    assert second.json()["attributes"] == {"x": 1}
    assert admin.can_log_in()


def test_grants_that_change_make_older_tokens_count_no_more(admin: Admin) -> None:
    """THREATS JWT-29: a role that was taken away is gone at once, not when the token expires."""
    user, grant = admin.add_user(), admin.log_in()

    assert send(admin, "PATCH", f"/users/{user.id}", {"roles": []}).status_code == 200
    assert not admin.issuer.counts(grant)


def test_another_password_ends_what_the_old_one_let_in(admin: Admin) -> None:
    """The old one is good no more, and neither is a token that came of it."""
    user, grant = admin.add_user(), admin.log_in()

    response = send(admin, "PATCH", f"/users/{user.id}", {"password": "canary-2"})
    assert response.status_code == 200
    assert not admin.issuer.counts(grant)
    admin.now_s += 2
    assert not admin.can_log_in(password=PASSWORD)
    assert admin.can_log_in(password="canary-2")


def test_a_disabled_user_is_out_at_once_and_can_come_back(admin: Admin) -> None:
    """THREATS JWT-29."""
    user, grant = admin.add_user(), admin.log_in()
    path = f"/users/{user.id}"

    assert send(admin, "PATCH", path, {"disabled": True}).json()["disabled"] is True
    assert not admin.issuer.counts(grant)
    assert not admin.can_log_in()
    assert send(admin, "PATCH", path, {"disabled": False}).json()["disabled"] is False
    admin.now_s += 2
    assert admin.can_log_in()


def test_all_of_a_user_changes_in_one_request(admin: Admin) -> None:
    """Enabled last, so that the old password lets nobody in meanwhile."""
    user = admin.add_user()
    admin.runner.run(admin.issuer.users.disable(user.id, NOW_S))

    members = {
        "disabled": False,
        "password": "canary-2",
        "roles": ["r"],
        "scopes": ["s"],
        "attributes": {"a": 1},
    }
    changed = send(admin, "PATCH", f"/users/{user.id}", members).json()
    del members["password"]
    assert {name: changed[name] for name in members} == members
    admin.now_s += 2
    assert admin.can_log_in(password="canary-2")


@pytest.mark.parametrize(
    "changes",
    [
        *(param for param in UNFIT if param.id not in ("password-and-hash", "disabled")),
        pytest.param({"password_hash": HASH}, id="password-hash"),
        pytest.param({"disabled": 1}, id="number-disabled"),
        pytest.param({"disabled": "true"}, id="text-disabled"),
        pytest.param({"disabled": None}, id="null-disabled"),
    ],
)
def test_a_change_that_cannot_be_is_refused_whole(
    refusing: Admin, kept: StoredUser, changes: dict[str, Any]
) -> None:
    """THREATS OPS-13: a name and an id stay for life; and one bad member spoils the good ones."""
    before = refusing.content()

    response = send(refusing, "PATCH", f"/users/{kept.id}", {"roles": ["admin"], **changes})
    check_problem(response, 400, "bad_request")
    assert refusing.content() == before


def test_a_change_of_nothing_is_refused(admin: Admin) -> None:
    """Who sends it meant something."""
    user = admin.add_user()

    check_problem(send(admin, "PATCH", f"/users/{user.id}", {}), 400, "bad_request")


@pytest.mark.parametrize(
    ("method", "members"),
    [
        pytest.param("disable", {"disabled": True}, id="disable"),
        pytest.param("set_password_hash", {"password": "canary-2"}, id="password"),
        pytest.param("change_grants", {"roles": []}, id="grants"),
        pytest.param("enable", {"disabled": False}, id="enable"),
    ],
)
def test_a_user_that_is_removed_meanwhile_is_not_there(
    admin: Admin, monkeypatch: pytest.MonkeyPatch, method: str, members: dict[str, Any]
) -> None:
    """404, whichever step finds it out."""
    user = admin.add_user()

    async def find_nobody(*_: object) -> bool:
        return False

    monkeypatch.setattr(f"gateway.issuer.user_admin.UserAdmin.{method}", find_nobody)
    response = send(admin, "PATCH", f"/users/{user.id}", members)
    check_problem(response, 404, "route_not_found")


def test_a_removed_user_is_gone_with_all_that_was_let_in(admin: Admin) -> None:
    """THREATS JWT-29; the name is free again, the id is not."""
    user, grant = admin.add_user(), admin.log_in()
    path = f"/users/{user.id}"

    assert admin.ask("DELETE", path).status_code == 204
    assert not admin.issuer.counts(grant)
    check_problem(admin.ask("DELETE", path), 404, "route_not_found")
    assert send(admin, "POST", "/users", {**NEW, "username": "zoe"}).json()["id"] != user.id


@pytest.mark.parametrize("username", ["zoe", "aymen"])
def test_an_unlocked_user_can_log_in_again(admin: Admin, username: str) -> None:
    """Of the store, or of the configuration file by the id that its tokens have."""
    user_id = admin.add_user().id if username == "zoe" else username
    tries = [admin.can_log_in(username, password="wrong") for _ in range(8)]
    assert not any(tries)
    assert not admin.can_log_in(username)

    assert admin.ask("POST", f"/users/{user_id}/unlock").status_code == 204
    assert admin.can_log_in(username)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_too_many_hashes_at_once_are_told_to_come_again(method: str) -> None:
    """The bound on memory holds for operators too: 429 with ``Retry-After``."""
    with open_admin(threads=1, waiting=0) as admin:
        user = admin.add_user()
        path, members = ("/users", NEW) if method == "POST" else (f"/users/{user.id}", {})
        admin.issuer.hasher.may_end.clear()

        async def ask_beside_a_login() -> None:
            login = asyncio.get_running_loop().create_task(admin.issuer.log_in("zoe"))
            assert await asyncio.to_thread(admin.issuer.hasher.begun.acquire, timeout=30)
            asked.append(await admin.send(method, path, {**members, "password": "canary-2"}))
            admin.issuer.hasher.may_end.set()
            await login

        asked: list[Any] = []
        admin.runner.run(ask_beside_a_login())

    check_problem(asked[0], 429, "login_throttled")
    assert asked[0].headers["retry-after"] == "1"
