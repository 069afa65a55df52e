"""``/keys`` of the admin API."""

from collections.abc import Iterator
from math import ceil

import pytest

from gateway.issuer.key_rotation import MIN_AHEAD_S
from tests.kit.issuing import ACCESS_S
from tests.unit.control.asking import check_problem
from tests.unit.control.asking_admin import Admin, open_admin
from tests.unit.issuer.fakes import NOW_S

MEMBERS = {
    "kid",
    "algorithm",
    "state",
    "created_at",
    "current_from",
    "retiring_from",
    "verifies_until",
}


@pytest.fixture
def configured() -> Iterator[Admin]:
    """An admin API of a gateway whose key stands in the configuration."""
    with open_admin(keeps_keys=False) as opened:
        yield opened


def test_keys_are_told_by_name_and_state(admin: Admin) -> None:
    """THREATS JWKS-09, OPS-19: never the material, in no form."""
    response = admin.ask("GET", "/keys")

    (key,) = response.json()["keys"]
    assert set(key) == MEMBERS
    assert (key["algorithm"], key["state"]) == ("ES256", "current")
    assert (key["created_at"], key["current_from"]) == (int(NOW_S), int(NOW_S))
    assert (key["retiring_from"], key["verifies_until"]) == (None, None)
    assert "PRIVATE" not in response.text


def test_a_rotation_publishes_first_and_signs_later(admin: Admin) -> None:
    """202 with when; until then, another one is a conflict."""
    response = admin.ask("POST", "/keys/rotate")

    assert response.status_code == 202
    assert response.json() == {"signs_from": ceil(NOW_S + max(MIN_AHEAD_S, ACCESS_S))}
    check_problem(admin.ask("POST", "/keys/rotate"), 409, "conflict")
    states = [key["state"] for key in admin.ask("GET", "/keys").json()["keys"]]
    assert sorted(states) == ["current", "next"]


def test_a_key_of_the_configuration_is_changed_there(configured: Admin) -> None:
    """409 for its rotation, and nothing of it is told."""
    document = check_problem(configured.ask("POST", "/keys/rotate"), 409, "conflict")

    assert "configuration" in document["detail"]
    assert configured.ask("GET", "/keys").json() == {"keys": []}
