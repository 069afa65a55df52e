"""What only some routes have, from the file to the route."""

import pytest

from gateway.config.compile import compile_snapshot
from gateway.policy.model import Route
from tests.unit.config.conftest import Complain, Read

ROUTE = "routes:\n- path: /x/{id}/**\n  upstream: products\n"  # what is added begins on line 8

FAULTS = [
    pytest.param(
        "  address_allow: []",
        "f:8: routes[0].address_allow: the list is empty -> name at least one, or remove the key",
        id="no-address",
    ),
    pytest.param(
        "  address_allow: [10.0.0.1/8]",
        "f:8: routes[0].address_allow[0]: '10.0.0.1/8' has bits set behind its prefix -> write "
        "10.0.0.0/8",
        id="address",
    ),
]


def compiled(read_more: Read, more: str) -> Route:
    """Return the route that these lines make."""
    return compile_snapshot(read_more(ROUTE + more), ()).routes[0]


@pytest.mark.parametrize(("more", "expected"), FAULTS)
def test_what_is_wrong_with_a_feature(more: str, expected: str, complain_more: Complain) -> None:
    """Place, fault and cure."""
    assert complain_more(ROUTE + more) == expected


def test_a_route_without_features_has_none(read_more: Read) -> None:
    """The hot path asks for nothing but that."""
    assert compiled(read_more, "").addresses is None


def test_addresses_are_compiled(read_more: Read) -> None:
    """``address_allow`` names addresses and networks."""
    addresses = compiled(read_more, "  address_allow: [10.0.0.0/8, '::1']").addresses

    assert addresses is not None
    assert [a in addresses for a in ("10.9.9.9", "::1", "::2", "")] == [True, True, False, False]
