"""The keys under ``issuers:``."""

import pytest

from tests.unit.config.conftest import Complain, Read

GOOD = "{issuer: 'https://login.test', audience: a, algorithms: RS256, "
SOURCE = (
    "f:6: issuers[0]: the keys of an issuer come from exactly one source -> write one of "
    "jwks_url, jwks_file and 'discovery: true'"
)
HTTPS = "write https://host/path; http only for 127.0.0.1, [::1] and localhost"
BELOW = (
    "metadata is found only below an issuer that is an https URL without a query -> name jwks_url "
    "or jwks_file instead"
)

FAULTS = [
    pytest.param(GOOD + "}", SOURCE, id="no-source"),
    pytest.param(GOOD + "discovery: false}", SOURCE, id="no-discovery"),
    pytest.param(GOOD + "jwks_file: a, jwks_url: 'https://a/'}", SOURCE, id="two-sources"),
    pytest.param(GOOD + "jwks_file: a, discovery: true}", SOURCE, id="file-and-discovery"),
    pytest.param(
        GOOD + "jwks_url: 'http://login.test/jwks'}",
        f"f:6: issuers[0].jwks_url: 'http://login.test/jwks' is not read over TLS -> {HTTPS}",
        id="plain",
    ),
    pytest.param(
        GOOD + "jwks_url: 'file:///etc/passwd'}",
        "f:6: issuers[0].jwks_url: 'file:///etc/passwd' is not an http URL of a host -> " + HTTPS,
        id="file",
    ),
    pytest.param(
        GOOD + "jwks_url: 'https://u:hunter2@a/'}",
        f"f:6: issuers[0].jwks_url: the URL has a user or a password in it -> {HTTPS}",
        id="password",
    ),
    pytest.param(
        GOOD + "jwks_url: 7}",
        f"f:6: issuers[0].jwks_url: 7 is not an http URL of a host -> {HTTPS}",
        id="number",
    ),
    *(
        pytest.param(
            f"{{issuer: '{issuer}', audience: a, algorithms: RS256, discovery: true}}",
            f"f:6: issuers[0].issuer: {BELOW}",
            id=issuer,
        )
        for issuer in ("login", "http://login.test", "https://login.test/?a=b", "https://a/#b")
    ),
    pytest.param(
        "{issuer: i, audience: a, algorithms: [RS256, HS256], jwks_file: a}",
        "f:6: issuers[0].algorithms[1]: 'HS256' signs with a secret, which another issuer cannot "
        "publish -> name what it signs with: ES256, ES384, RS256, PS256 or EdDSA",
        id="hs256",
    ),
    pytest.param(
        "{issuer: i, audience: a, algorithms: [none], jwks_file: a}",
        "f:6: issuers[0].algorithms[0]: 'none' is not one of the known values -> write ES256, "
        "ES384, RS256, PS256 or EdDSA",
        id="none",
    ),
    pytest.param(
        "{issuer: i, audience: [], algorithms: [], jwks_file: a}",
        "f:6: issuers[0].audience: the list is empty -> name at least one, or remove the key\n"
        "f:6: issuers[0].algorithms: the list is empty -> name at least one, or remove the key",
        id="empty",
    ),
    pytest.param(
        "{issuer: i, jwks_file: a}",
        "f:6: issuers[0]: the key 'audience' is missing -> add 'audience: ...'\n"
        "f:6: issuers[0]: the key 'algorithms' is missing -> add 'algorithms: ...'",
        id="missing",
    ),
    pytest.param(
        GOOD + "jwks_file: a, jwks_uri: b}",
        "f:6: issuers[0]: unknown key 'jwks_uri' -> did you mean 'jwks_url'?",
        id="slip",
    ),
]


@pytest.mark.parametrize(("item", "expected"), FAULTS)
def test_an_issuer_that_cannot_be_meant_is_refused(
    item: str, expected: str, complain_more: Complain
) -> None:
    """The place, the fault and the cure; a password is not repeated."""
    assert complain_more(f"issuers:\n- {item}\n") == expected


@pytest.mark.parametrize(
    "source",
    [
        "jwks_url: 'https://login.test/jwks'",
        "jwks_url: 'http://127.0.0.1:9/jwks'",
        "jwks_file: jwks.json",
        "discovery: true",
        "discovery: '${YES}'",
    ],
)
def test_the_keys_of_an_issuer_come_from_one_source(source: str, read_more: Read) -> None:
    """One audience and one algorithm stand for lists of one."""
    config = read_more(f"issuers:\n- {GOOD}{source}}}\n", {"YES": "true"})
    settings = config.settings.issuers[0]

    assert (settings.audience, settings.algorithms) == (("a",), ("RS256",))
