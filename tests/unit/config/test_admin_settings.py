"""The keys under ``admin:``; THREATS.md OPS-09."""

import pytest

from gateway.config.addresses import Address
from tests.unit.config.conftest import Complain, Read

TOKEN = "0123456789abcdef" * 2
NEEDS_TOKEN = (
    "and there is no admin token -> add 'token: ${GATEWAY_ADMIN_TOKEN}' and set that, or listen on "
    "127.0.0.1"
)
SHARED = "give the admin listener an address and port that 'listen' has not"

# What stands behind BASE (from line 5 on), and what is said.
FAULTS = [
    *(
        pytest.param(
            f"admin:\n  listen: '{address}'{more}",
            f"f:6: admin.listen: others than this host may connect to {address}, {NEEDS_TOKEN}",
            id=f"{address}{more.strip()}",
        )
        for address in ("0.0.0.0:8081", "[::]:8081", "10.0.0.1:8081", "gw.test:8081", "[fe80::1]:1")
        for more in ("", "\n  token: ''", "\n  token: '${NIL:-}'")
    ),
    pytest.param(
        "admin: {listen: ['127.0.0.1:8081', '0.0.0.0:8082']}",
        f"f:5: admin.listen: others than this host may connect to 0.0.0.0:8082, {NEEDS_TOKEN}",
        id="second",
    ),
    pytest.param(
        "admin:\n  listen: '0.0.0.0:8081'\n  token: short",
        "f:7: admin.token: the admin token has 5 characters; it needs 32 or more -> make one: "
        "openssl rand -hex 32",
        id="short-token",
    ),
    pytest.param(
        f"admin: {{token: '{TOKEN} {TOKEN}'}}",
        "f:5: admin.token: the admin token has characters that no Bearer token can have -> make "
        "one: openssl rand -hex 32",
        id="bad-token",
    ),
    pytest.param(
        "admin: {listen: []}",
        "f:5: admin.listen: the list is empty -> name at least one, or remove the key",
        id="nowhere",
    ),
    pytest.param(
        "admin: 127.0.0.1:8081",
        "f:5: admin: this is not a mapping -> write keys and values: {key: value}",
        id="no-section",
    ),
    pytest.param(
        "admin: {listen: 8081}",
        "f:5: admin.listen: 8081 is not an address to listen on -> write host:port or [v6]:port, "
        "for example 127.0.0.1:8080",
        id="no-address",
    ),
]


@pytest.mark.parametrize(("more", "expected"), FAULTS)
def test_what_is_refused(more: str, expected: str, complain_more: Complain) -> None:
    """Place, fault and cure; an address that others reach without a token above all."""
    assert complain_more(more) == expected


SAME = [
    ("127.0.0.1:80", "127.0.0.1:80"),
    ("127.0.0.1:80", "localhost:80"),
    ("['127.0.0.1:80', '0.0.0.0:81']", "127.0.0.1:81"),
    ("'[::]:80'", "[::1]:80"),
]


@pytest.mark.parametrize(("public", "admin"), SAME)
def test_a_public_address_is_none_for_the_admin(
    public: str, admin: str, complain: Complain
) -> None:
    """What clients may connect to never answers the admin API."""
    text = f"""\
version: 1
tokens: {{issuer: i, audience: a}}
listen: {public}
admin: {{listen: ['127.0.0.1:1', '{admin}']}}
"""

    assert complain(text) == f"f:4: admin.listen: clients connect to {admin} too -> {SHARED}"


def test_it_is_absent_unless_written(read_more: Read) -> None:
    """No admin listener without ``admin:``."""
    assert read_more("").settings.admin is None


@pytest.mark.parametrize("more", ["admin: {}", "admin: {token: '${NIL:-}'}"])
def test_the_defaults(more: str, read_more: Read) -> None:
    """On loopback, without a token."""
    admin = read_more(more).settings.admin

    assert admin is not None
    assert (admin.listen, admin.token) == ((Address("127.0.0.1", 8081),), None)


def test_with_a_token_it_may_be_reached(read_more: Read) -> None:
    """Any address, and several; port 0 is another one for each."""
    more = f"admin: {{listen: ['0.0.0.0:8081', '127.0.0.1:0'], token: '{TOKEN}'}}"
    admin = read_more(more).settings.admin

    assert admin is not None
    assert admin.token is not None
    assert (len(admin.listen), admin.token.get_secret_value()) == (2, TOKEN)
