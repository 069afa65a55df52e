"""A user, as the issuer sees one, and the users of the configuration file.

The rule to keep in mind: a person's name is compared only in its canonical form, everywhere, so
that ``Aymen``, ``aymen`` and the same in full-width letters are one user and never two.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.policy.tokens import MAX_SUBJECT_CHARS
from gateway.policy.users import canonical_username


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class User:
    """One person or program that can log in."""

    username: str  # as configured; what the claim ``username`` says
    password_hash: str = field(repr=False)
    id: str = ""  # ``sub``; the canonical username where none is configured
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)  # JSON values; may become claims
    disabled: bool = False
    is_stored: bool = False  # in the database; else in the file, where nothing can be changed

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", canonical_username(self.username))


class FileUsers:
    """The users of the configuration file, found by name or id.

    Raises:
        ValueError: Two users have one name or one id, or an id cannot be a ``sub``. The message
            names them, for the operator.
    """

    __slots__ = ("_by_id", "_by_name")

    def __init__(self, users: Iterable[User]) -> None:
        self._by_name: dict[str, User] = {}
        self._by_id: dict[str, User] = {}
        for user in users:
            if not 0 < len(user.id) <= MAX_SUBJECT_CHARS:
                raise ValueError(
                    f"user '{user.username}': the id must have 1 to {MAX_SUBJECT_CHARS} characters"
                )
            name = canonical_username(user.username)
            if name in self._by_name:
                other = self._by_name[name]
                raise ValueError(
                    f"users '{other.username}' and '{user.username}' are one name: '{name}'"
                )
            if user.id in self._by_id:
                other = self._by_id[user.id]
                raise ValueError(
                    f"users '{other.username}' and '{user.username}' have one id: '{user.id}'"
                )
            self._by_name[name] = self._by_id[user.id] = user

    def find(self, username: str) -> User | None:
        """Return the user of that name, in whatever spelling it comes."""
        return self._by_name.get(canonical_username(username))

    def find_by_id(self, user_id: str) -> User | None:
        """Return the user whose tokens say *user_id*."""
        return self._by_id.get(user_id)
