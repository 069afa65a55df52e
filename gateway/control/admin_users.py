"""``/users`` of the admin API: the users of the store.

A password's hash goes in and never comes out (THREATS OPS-19). Users of the configuration file are
not listed here: they are changed there.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from gateway.control.admin_reading import (
    bad_request,
    parse_attributes,
    parse_page_query,
    parse_roles,
    parse_scopes,
    parse_text,
    parse_truth,
    read_known_members,
    read_nothing,
)
from gateway.control.answers import json_answer, no_content, refusal
from gateway.errors import Reason
from gateway.issuer.passwords import PasswordsBusyError, UnfitPasswordError, check_password
from gateway.issuer.user_admin import NameTakenError, NewUser, UnfitUserError, UserAdmin
from gateway.policy.password_hashes import PasswordHashError, parse_password_hash
from gateway.store.users import StoredUser

HashPassword = Callable[[str], Awaitable[str]]

_GRANTS: Final = {
    "roles": parse_roles,
    "scopes": parse_scopes,
    "attributes": parse_attributes,
}
_OF_NEW: Final = frozenset(("username", "password", "password_hash", *_GRANTS))
_CHANGEABLE: Final = frozenset(("password", "disabled", *_GRANTS))
_BUSY: Final = {"Retry-After": "1"}  # seconds: as at a login


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What a PATCH says; None and what is not there: as it was."""

    password: str | None = field(repr=False)
    disabled: bool | None
    grants: Mapping[str, Any]


class UserEndpoints:
    """Answers about users."""

    __slots__ = ("_clock", "_hash_password", "_users")

    def __init__(
        self, users: UserAdmin, hash_password: HashPassword, clock: Callable[[], float]
    ) -> None:
        self._users = users
        self._hash_password = hash_password
        self._clock = clock  # gives seconds since the epoch

    async def list_page(self, request: Request) -> Response:
        """``GET /users``: a page of them, in the order of their names."""
        query = parse_page_query(request)
        found = await self._users.list_page(after=query.after, limit=query.limit + 1)
        page, cursor = query.cut(found, lambda user: user.canonical_username)
        return json_answer({"users": [describe_user(user) for user in page], "next": cursor})

    async def add(self, request: Request) -> Response:
        """``POST /users``: a new one, with a password or with the hash of one."""
        members = await read_known_members(request, _OF_NEW)
        new, password = _parse_new(members)
        if password is not None:
            try:
                new = replace(new, password_hash=await self._hash_password(password))
            except PasswordsBusyError:
                return refusal(request, Reason.LOGIN_THROTTLED, headers=_BUSY)
        try:
            user = await self._users.add(new, self._clock())
        except NameTakenError:
            return refusal(request, Reason.CONFLICT, "There is a user of this name already.")
        except UnfitUserError:
            raise bad_request("No username is like this.") from None
        location = {"Location": f"/users/{quote(user.id, safe='')}"}
        return json_answer(describe_user(user), HTTPStatus.CREATED, location)

    async def find(self, request: Request) -> Response:
        """``GET /users/{id}``."""
        user = await self._users.find(request.path_params["id"])
        return _no_such_user(request) if user is None else json_answer(describe_user(user))

    async def change(self, request: Request) -> Response:
        """``PATCH /users/{id}``: what is named becomes as it is said, all else stays.

        Several changes are several transactions, in an order that lets nobody in meanwhile who is
        to be kept out; should one fail, the request can be sent again.
        """
        change = _parse_change(await read_known_members(request, _CHANGEABLE))
        user_id = request.path_params["id"]
        if await self._users.find(user_id) is None:  # before a hash is made for nobody
            return _no_such_user(request)
        password_hash = None
        if change.password is not None:
            try:
                password_hash = await self._hash_password(change.password)
            except PasswordsBusyError:
                return refusal(request, Reason.LOGIN_THROTTLED, headers=_BUSY)
        if await self._carry_out(user_id, change, password_hash):
            return await self.find(request)
        return _no_such_user(request)

    async def remove(self, request: Request) -> Response:
        """``DELETE /users/{id}``."""
        await read_nothing(request)
        if await self._users.remove(request.path_params["id"], self._clock()):
            return no_content()
        return _no_such_user(request)

    async def unlock(self, request: Request) -> Response:
        """``POST /users/{id}/unlock``: forget the failed logins; of the file's users too."""
        await read_nothing(request)
        name = await self._users.find_name(request.path_params["id"])
        if name is None:
            return _no_such_user(request)
        await self._users.unlock(name)
        return no_content()

    async def _carry_out(self, user_id: str, change: _Change, password_hash: str | None) -> bool:
        """Change a user; False where there is none (any more)."""
        users, now_s = self._users, self._clock()
        if change.disabled is True and not await users.disable(user_id, now_s):
            return False
        if password_hash is not None and not await users.set_password_hash(
            user_id, password_hash, now_s
        ):
            return False
        if change.grants:
            grants = change.grants
            if not await users.change_grants(user_id, lambda old: replace(old, **grants), now_s):
                return False
        return change.disabled is not False or await users.enable(user_id, now_s)


def describe_user(user: StoredUser) -> dict[str, Any]:
    """Return a user as JSON; times are whole seconds since the epoch, as in tokens."""
    return {
        "id": user.id,
        "username": user.username,
        "roles": list(user.roles),
        "scopes": list(user.scopes),
        "attributes": dict(user.attributes),
        "disabled": user.disabled,
        "created_at": int(user.created_at_s),
        "updated_at": int(user.updated_at_s),
    }


def _parse_new(members: Mapping[str, Any]) -> tuple[NewUser, str | None]:
    """Return the user and the password; where there is one, the user's hash is still to be made."""
    if ("password" in members) == ("password_hash" in members):
        raise bad_request("A new user has a password or a password_hash.")
    if "password" in members:
        password, password_hash = _parse_password(members["password"]), ""
    else:
        password, password_hash = None, _parse_hash(members["password_hash"])
    username = parse_text(members.get("username"))
    return NewUser(
        username=username, password_hash=password_hash, **_parse_grants(members)
    ), password


def _parse_change(members: Mapping[str, Any]) -> _Change:
    if not members:
        raise bad_request("There is nothing to change.")
    return _Change(
        password=_parse_password(members["password"]) if "password" in members else None,
        disabled=parse_truth(members["disabled"]) if "disabled" in members else None,
        grants=_parse_grants(members),
    )


def _parse_grants(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: parse(members[name]) for name, parse in _GRANTS.items() if name in members}


def _parse_password(value: object) -> str:
    try:
        return check_password(value if isinstance(value, str) else "")
    except UnfitPasswordError:
        raise bad_request("No password is like this.") from None


def _parse_hash(value: object) -> str:
    try:
        parse_password_hash(value if isinstance(value, str) else "")
    except PasswordHashError:
        raise bad_request("No password_hash is like this.") from None
    return str(value)


def _no_such_user(request: Request) -> Response:
    return refusal(request, Reason.ROUTE_NOT_FOUND, "There is no such user.")
