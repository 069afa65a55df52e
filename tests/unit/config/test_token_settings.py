"""The keys under ``tokens:`` and ``credentials:``."""

import pytest

from tests.unit.config.conftest import Complain, Read

START = "version: 1\ntokens:\n  issuer: i\n  audience: a\n"  # what is added begins on line 5
PEM = '"-----BEGIN PRIVATE KEY-----\\nMIGH\\n-----END PRIVATE KEY-----"'

FAULTS = [
    pytest.param(
        "  algorithm: HS256",
        "f:5: tokens.algorithm: HS256 needs a secret -> add 'secret: ${GATEWAY_SECRET}'",
        id="no-secret",
    ),
    *(
        pytest.param(
            f"  algorithm: {name}\n  secret: {'x' * (size - 1)}",
            f"f:6: tokens.secret: the secret has {size - 1} bytes; {name} needs {size} "
            f"(RFC 7518 3.2) -> make one: openssl rand -base64 {size}",
            id=f"short-{name}",
        )
        for name, size in (("HS256", 32), ("HS384", 48), ("HS512", 64))
    ),
    pytest.param(
        "  secret: " + "x" * 64,
        "f:5: tokens.secret: ES256 has no shared secret -> remove it, or use HS256",
        id="secret-with-es256",
    ),
    pytest.param(
        f"  algorithm: HS256\n  signing_key: {PEM}",
        "f:6: tokens.signing_key: HS256 signs with a secret -> remove 'signing_key'",
        id="key-with-hs256",
    ),
    pytest.param(
        "  algorithm: none",
        "f:5: tokens.algorithm: 'none' is not one of the known values -> write ES256, ES384, RS256,"
        " PS256, EdDSA, HS256, HS384 or HS512",
        id="none",
    ),
    pytest.param(
        "  max_lifetime: 1m",
        "f:5: tokens.max_lifetime: the gateway's own tokens live longer than max_lifetime -> lower "
        "access_lifetime, or raise max_lifetime",
        id="lifetime",
    ),
    pytest.param(
        "  claims: {sub: user.email, x: email}",
        "f:5: tokens.claims.sub: the gateway itself sets the claim 'sub' -> choose another name\n"
        "f:5: tokens.claims.x: 'email' does not name an attribute of a user -> write "
        "user.<attribute>, for example user.email",
        id="claims",
    ),
    pytest.param(
        "  key_file: k.pem",
        "f:5: tokens: unknown key 'key_file' -> known keys: access_lifetime, algorithm, audience, "
        "claims, issuer, leeway, max_lifetime, refresh_lifetime, secret, session_lifetime, "
        "signing_key",
        id="key-file",
    ),
    pytest.param(
        "  session_lifetime: 7d",
        "f:5: tokens.session_lifetime: refresh_lifetime (30d) is longer than session_lifetime (7d) "
        "-> lower refresh_lifetime, or raise session_lifetime",
        id="session-below-the-default",
    ),
    pytest.param(
        "  session_lifetime: 7d\n  refresh_lifetime: 169h",
        "f:6: tokens.refresh_lifetime: refresh_lifetime (169h) is longer than session_lifetime (7d)"
        " -> lower refresh_lifetime, or raise session_lifetime",
        id="refresh-beyond-session",
    ),
    pytest.param(
        "  access_lifetime: 91d",
        "f:5: tokens.access_lifetime: access_lifetime (91d) is longer than session_lifetime (90d) "
        "-> lower access_lifetime, or raise session_lifetime",
        id="access-beyond-session",
    ),
    pytest.param(
        "  session_lifetime: 10m\n  refresh_lifetime: 5m",
        "f:5: tokens.session_lifetime: access_lifetime (24m) is longer than session_lifetime (10m) "
        "-> lower access_lifetime, or raise session_lifetime",
        id="session-below-access",
    ),
    pytest.param(
        "  refresh_lifetime: 1500ms\n  session_lifetime: 0s",
        "f:5: tokens.refresh_lifetime: '1500ms' is not a whole number of seconds -> tokens count "
        "in seconds: 1s\n"
        "f:6: tokens.session_lifetime: '0s' is nothing at all -> write more than 0",
        id="no-whole-seconds",
    ),
    pytest.param(
        "credentials:\n- {}\n- {cookie: a, query: b}\n- {cookie: a, scheme: Bearer}",
        "f:6: credentials[0]: a credential has exactly one place -> write {header: ...}, "
        "{cookie: ...} or {query: ...}\n"
        "f:7: credentials[1]: a credential has exactly one place -> write {header: ...}, "
        "{cookie: ...} or {query: ...}\n"
        "f:8: credentials[2].scheme: only a header has a scheme -> remove 'scheme'",
        id="credentials",
    ),
    pytest.param(
        "credentials:\n- {header: X-Api-Key, kind: secret}\n"
        "- {header: Authorization, scheme: bAsic, kind: api_key}",
        "f:6: credentials[0].kind: 'secret' is not one of the known values -> "
        "write token or api_key\n"
        "f:7: credentials[1].kind: Basic holds a username and a password -> remove 'kind'",
        id="credential-kinds",
    ),
]


@pytest.mark.parametrize(("more", "expected"), FAULTS)
def test_what_does_not_fit_together_is_refused(
    more: str, expected: str, complain: Complain
) -> None:
    """RFC 7518 section 3.2 for the sizes; each fault at the key that is to be changed."""
    assert complain(START + more) == expected


def test_the_defaults(read: Read) -> None:
    """DESIGN.md section 2."""
    tokens = read(START).settings.tokens

    assert (tokens.algorithm, tokens.access_lifetime, tokens.leeway) == ("ES256", 1440, 30)
    assert tokens.audience == ("a",)
    assert (tokens.refresh_lifetime, tokens.session_lifetime) == (30 * 86400, 90 * 86400)


@pytest.mark.parametrize(
    "more",
    [
        f"  algorithm: HS256\n  secret: {'x' * 32}",
        f"  algorithm: RS256\n  signing_key: {PEM}",
        "  algorithm: EdDSA\n  max_lifetime: 24m",
    ],
)
def test_each_kind_of_key_is_taken(more: str, read: Read) -> None:
    """A secret for HS*, a key for the others, or none: then one is made."""
    assert read(START + more).settings.tokens.algorithm in more


def test_lifetimes_may_be_equal(read: Read) -> None:
    """A session that ends when its refresh token does is never extended."""
    more = "  access_lifetime: 1h\n  refresh_lifetime: 1h\n  session_lifetime: 1h"
    tokens = read(START + more).settings.tokens

    assert tokens.access_lifetime == tokens.refresh_lifetime == tokens.session_lifetime == 3600
