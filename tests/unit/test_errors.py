"""The tree of errors and the table of reasons."""

from http import HTTPStatus

import pytest

from gateway.errors import (
    REASONS,
    ConfigError,
    ConfigErrors,
    CredentialError,
    GatewayError,
    Place,
    ProtocolError,
    Reason,
    UpstreamError,
)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_in_the_table(reason: Reason) -> None:
    """DESIGN.md section 4: the list is closed; a title is one sentence for people."""
    info = REASONS[reason]

    assert 400 <= HTTPStatus(info.status) < 600
    assert info.title.endswith(".")
    assert reason.value.replace("_", "").isalpha()


def test_the_table_has_nothing_else() -> None:
    """Neither a reason that is gone nor two slugs for one."""
    assert set(REASONS) == set(Reason)


@pytest.mark.parametrize("kind", [ProtocolError, UpstreamError, CredentialError])
def test_an_error_carries_its_reason_and_a_sentence(
    kind: type[ProtocolError | UpstreamError | CredentialError],
) -> None:
    """The sentence is the reason's own unless the place knows better."""
    error = kind(Reason.BAD_REQUEST)

    assert isinstance(error, GatewayError)
    assert (error.reason, error.detail) == (
        Reason.BAD_REQUEST,
        REASONS[Reason.BAD_REQUEST].title,
    )
    assert kind(Reason.BAD_REQUEST, "No Host.").detail == "No Host."


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place("routes.yaml"), "routes.yaml"),
        (Place("routes.yaml", 3), "routes.yaml:3"),
        (Place("routes.yaml", 3, "routes[0].path"), "routes.yaml:3: routes[0].path"),
    ],
)
def test_a_place_is_written_as_editors_read_it(place: Place, text: str) -> None:
    """HOUSE.md, R7: file:line, then where in the document."""
    assert text == str(place)


def test_an_operators_error_names_place_fault_and_cure() -> None:
    """HOUSE.md, R7; several faults come in one run."""
    bare = ConfigError(Place("a.yaml", 1), "unknown key 'x'")
    full = ConfigError(Place("a.yaml", 2), "unknown key 'y'", "did you mean 'z'?")

    assert str(bare) == "a.yaml:1: unknown key 'x'"
    assert str(full) == "a.yaml:2: unknown key 'y'\n  did you mean 'z'?"
    assert str(ConfigErrors([bare, full])) == f"{bare}\n{full}"
