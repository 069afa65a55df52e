"""gateway.policy.users."""

import pytest

from gateway.policy.users import canonical_username


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        pytest.param("Aymen", "aymen", id="case"),
        pytest.param(" aymen\t", "aymen", id="white-space"),
        pytest.param("\uff21ymen", "aymen", id="full-width"),
        pytest.param("STRASSE", "strasse", id="folded-s"),
        pytest.param("stra\u00dfe", "strasse", id="sharp-s"),
        pytest.param("\u212bngstr\u00f6m", "\u00e5ngstr\u00f6m", id="compatibility"),
    ],
)
def test_all_spellings_of_a_name_are_one(name: str, canonical: str) -> None:
    """Throttling, login and the file's check for duplicates must not see two users in one."""
    assert canonical_username(name) == canonical
    assert canonical_username(canonical) == canonical
