"""Users of the file, together."""

import pytest

from gateway.config.compile import compile_snapshot
from tests.unit.config.conftest import Complain, Read

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21l$c29tZWhhc2hzb21laGFzaA"


def users(*pairs: str) -> str:
    """Return a list of users, each with a hash; the first is on line 6."""
    return "users:\n" + "".join(f"- {{{pair}, password_hash: {HASH!r}}}\n" for pair in pairs)


SAME_NAME = (
    "f:7: users[1].username: the user on line 6 has this name too -> names that differ in case or "
    "width only are one name; choose another"
)
SAME_ID = (
    "the user on line 6 has this id too -> an id stands for one user (without 'id' it is the "
    "username); choose another"
)

FAULTS = [
    pytest.param(("username: a", "username: a"), SAME_NAME, id="same"),
    pytest.param(("username: aymen", "username: Aymen"), SAME_NAME, id="case"),
    pytest.param(("username: a", 'username: "\\uFF41"'), SAME_NAME, id="width"),
    pytest.param(
        ("username: a, id: x", "username: b, id: x"), f"f:7: users[1].id: {SAME_ID}", id="id"
    ),
    pytest.param(
        ("username: a, id: b", "username: b"), f"f:7: users[1]: {SAME_ID}", id="name-as-id"
    ),
]


@pytest.mark.parametrize(("pairs", "expected"), FAULTS)
def test_no_two_users_are_one(
    pairs: tuple[str, ...], expected: str, complain_more: Complain
) -> None:
    """Services know a user by the subject, people by the name: both are one user's alone."""
    assert complain_more(users(*pairs)) == expected


def test_different_users_are_taken(read_more: Read) -> None:
    """Names and ids that differ are fine."""
    config = read_more(users("username: a, id: b", "username: b, id: a", "username: c"))

    assert compile_snapshot(config, ()).routes == ()
