"""Users are found by one canonical name, and by no other."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.issuer.users import FileUsers, User
from gateway.policy.users import canonical_username


def make_user(username: str, id: str = "") -> User:  # noqa: A002 (the name that User has)
    """Return a user who cannot log in."""
    return User(username=username, password_hash="canary-hash", id=id)


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param("aymen", id="as-is"),
        pytest.param("AYMEN", id="upper-case"),
        pytest.param("  Aymen\t\n", id="white-space-around"),
        pytest.param("\uff41\uff59\uff4d\uff45\uff4e", id="full-width"),
        pytest.param("\u00a0aymen\u2003", id="unicode-white-space"),
    ],
)
def test_one_person_has_one_name_in_every_spelling(spelling: str) -> None:
    """THREATS AUTH-04: NFKC, case folding and trimming, in whatever spelling a name comes."""
    user = make_user("Aymen")

    assert FileUsers([user]).find(spelling) is user


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("stra\u00dfe", "STRASSE", id="folding-not-lowering"),
        pytest.param("\u00e9", "e\u0301", id="composed"),
        pytest.param("\u2163", "iv", id="compatibility"),
    ],
)
def test_spellings_that_unicode_holds_equal_are_equal(first: str, second: str) -> None:
    """Names are equal by compatibility caseless matching (Unicode section 3.13, D146)."""
    assert canonical_username(first) == canonical_username(second)


@pytest.mark.parametrize("name", ["", " ", "aymen2", "ay men", "aymen\u200b"])
def test_other_names_find_nobody(name: str) -> None:
    """Only what canonicalisation takes away may differ."""
    assert FileUsers([make_user("aymen")]).find(name) is None


def test_every_character_canonicalises_once_and_for_all() -> None:
    """canonical(canonical(c)) == canonical(c), for every code point."""
    once = [canonical_username(chr(code)) for code in range(sys.maxunicode + 1)]

    assert [canonical_username(name) for name in once] == once


@given(st.text(max_size=20))
def test_canonicalising_twice_changes_nothing(name: str) -> None:
    """canonical(canonical(x)) == canonical(x), so that what is stored can be compared as it is."""
    once = canonical_username(name)

    assert canonical_username(once) == once


def test_the_id_is_the_canonical_name_unless_one_is_configured() -> None:
    """``sub`` never depends on how a name happens to be written."""
    assert make_user(" Aymen ").id == "aymen"
    assert make_user("Aymen", id="U-1").id == "U-1"


@pytest.mark.parametrize(
    ("users", "named"),
    [
        pytest.param([make_user("Aymen"), make_user("aymen ")], "'aymen'", id="one-name"),
        pytest.param([make_user("a", id="u"), make_user("b", id="u")], "'u'", id="one-id"),
        pytest.param([make_user("a"), make_user("b", id="a")], "'a'", id="an-id-that-is-a-name"),
        pytest.param([make_user(" ")], "' '", id="no-name"),
        pytest.param([make_user("a", id="x" * 256)], "255", id="long-id"),
    ],
)
def test_users_that_cannot_be_told_apart_are_an_error(users: list[User], named: str) -> None:
    """Two users of one name or ``sub`` would have one another's rights; the message names them."""
    with pytest.raises(ValueError, match=named):
        FileUsers(users)


def test_a_user_does_not_print_its_hash() -> None:
    """THREATS OPS-19: no secret in a repr."""
    assert "canary-hash" not in repr(make_user("aymen"))
