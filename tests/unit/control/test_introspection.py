"""``POST /introspect``; RFC 7662."""

import pytest

from gateway.errors import CredentialError, Reason
from gateway.store.faults import StoreUnavailableError
from tests.unit.control.asking import ADMIN_TOKEN, FORM, Control, check_problem

CALLER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
CLAIMS = {"sub": "u-1", "exp": 2, "active": False}


def test_a_token_that_counts_is_active(control: Control) -> None:
    """RFC 7662 section 2.2: its claims, of which none can say that it is not."""
    control.introspected["good"] = CLAIMS
    answers = [
        control.ask("POST", "/introspect", headers=CALLER, json={"token": "good"}),
        control.ask("POST", "/introspect", headers=CALLER | FORM, content=b"token=good"),
    ]

    for response in answers:
        assert response.status_code == 200
        expected = {"sub": "u-1", "exp": 2, "active": True, "token_type": "Bearer"}
        assert response.json() == expected


@pytest.mark.parametrize("token", ["canary", "x" * 9000, "\u00e9"])
def test_any_other_is_not_and_nobody_hears_why(control: Control, token: str) -> None:
    """RFC 7662 section 2.2: ``active`` is the only member."""
    response = control.ask("POST", "/introspect", headers=CALLER, json={"token": token})

    assert response.json() == {"active": False}


@pytest.mark.parametrize("token", [None, "", 1, ["good"]])
def test_there_must_be_a_token(control: Control, token: object) -> None:
    """RFC 7662 section 2.1: it is required."""
    response = control.ask("POST", "/introspect", headers=CALLER, json={"token": token})

    check_problem(response, 400, "bad_request")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"Authorization": "Bearer canary"}, id="wrong"),
        pytest.param({"Authorization": f"Basic {ADMIN_TOKEN}"}, id="scheme"),
        pytest.param({"Authorization": ADMIN_TOKEN}, id="bare"),
        pytest.param({"Authorization": f"Bearer {ADMIN_TOKEN}x"}, id="longer"),
        pytest.param({"Authorization": f"Bearer {ADMIN_TOKEN[:-1]}"}, id="shorter"),
        pytest.param({"access-token": ADMIN_TOKEN}, id="other-place"),
    ],
)
def test_only_operators_may_ask(control: Control, headers: dict[str, str]) -> None:
    """RFC 7662 section 4: else anybody could try tokens out."""
    control.introspected["good"] = CLAIMS
    response = control.ask("POST", "/introspect", headers=headers, json={"token": "good"})

    check_problem(response, 401, "credential_missing")


def test_what_nobody_knows_is_not_called_inactive(control: Control) -> None:
    """The store has been silent for too long: a cache would believe a wrong answer."""
    control.fault = StoreUnavailableError("too long")
    response = control.ask("POST", "/introspect", headers=CALLER, json={"token": "x"})

    check_problem(response, 503, "store_unavailable")


def test_a_token_whose_issuers_keys_are_not_known_is_not_called_inactive(control: Control) -> None:
    """They may come a moment later."""
    control.fault = CredentialError(Reason.KEYS_UNAVAILABLE)
    response = control.ask("POST", "/introspect", headers=CALLER, json={"token": "x"})

    check_problem(response, 503, "keys_unavailable")
