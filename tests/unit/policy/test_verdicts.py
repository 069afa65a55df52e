"""Verdicts come in ``decide``'s order and end where it does."""

from dataclasses import replace
from typing import Final

import pytest

from gateway.errors import Reason
from gateway.policy.checked import ApiKey, CredentialKind
from gateway.policy.explain import explain
from gateway.policy.model import CredentialPlace, PlaceKind
from gateway.policy.revoked import NoRevocations
from tests.kit.explained import VALID, explained
from tests.kit.policy import Told, bearer, head, request, route, snapshot
from tests.kit.tokens import NOW_S, REMOVED, mint, signing_key
from tests.kit.websocket import LINES

FORGED: Final = replace(signing_key(kid="forged"), kid=signing_key().kid)

# (head, name of the last check, its reason): the decision's reason is the last check's.
CASES = [
    pytest.param(head("/api/products/7", bearer(VALID)), "claim headers", None, id="forward"),
    pytest.param(head("/public/x"), "claim headers", None, id="public"),
    pytest.param(head("/maybe"), "claim headers", None, id="anonymous"),
    pytest.param(head("/authenticate", method="POST"), "credential", None, id="own-endpoint"),
    pytest.param(head("/whoami", bearer(VALID)), "revocation", None, id="own-with-token"),
    pytest.param(head("/whoami"), "credential", Reason.CREDENTIAL_MISSING, id="own-refuses"),
    pytest.param(head("*", method="OPTIONS"), "route", None, id="options-star"),
    pytest.param(head("/none"), "route", Reason.ROUTE_NOT_FOUND, id="no-route"),
    pytest.param(head("/%6Daybe"), "route", Reason.AMBIGUOUS_PATH, id="escaped-literal"),
    pytest.param(head("/maybe", method="DELETE"), "route", Reason.METHOD_NOT_ALLOWED, id="method"),
    pytest.param(
        head("/maybe", method="PURGE"), "route", Reason.NOT_IMPLEMENTED, id="unknown-method"
    ),
    pytest.param(
        head("/api/products/7"), "credential", Reason.CREDENTIAL_MISSING, id="no-credential"
    ),
    pytest.param(
        head("/api/products/7", bearer(VALID), b"access-token: x"),
        "credential",
        Reason.SEVERAL_CREDENTIALS,
        id="two-credentials",
    ),
    pytest.param(
        head("/api/products/7", bearer(b"a b")),
        "token",
        Reason.CREDENTIAL_MALFORMED,
        id="no-token68",
    ),
    pytest.param(
        head("/api/products/7", bearer(b"a.b")), "token", Reason.TOKEN_MALFORMED, id="no-jwt"
    ),
    pytest.param(
        head("/api/products/7", bearer(mint({"exp": REMOVED}))),
        "token",
        Reason.TOKEN_CLAIM_MISSING,
        id="no-exp",
    ),
    pytest.param(
        head("/api/products/7", bearer(mint({"iss": "evil"}))),
        "token issuer",
        Reason.TOKEN_ISSUER,
        id="issuer",
    ),
    pytest.param(
        head("/api/products/7", bearer(mint(key=FORGED))),
        "token signature",
        Reason.TOKEN_SIGNATURE,
        id="signature",
    ),
    pytest.param(
        head("/api/products/7", bearer(mint(header={"typ": "JWT"}))),
        "token type",
        Reason.TOKEN_TYPE,
        id="type",
    ),
    pytest.param(
        head("/api/products/7", bearer(mint({"aud": "other"}))),
        "token audience",
        Reason.TOKEN_AUDIENCE,
        id="audience",
    ),
    pytest.param(
        head("/api/products/7", bearer(mint({"exp": NOW_S - 31}))),
        "token times",
        Reason.TOKEN_EXPIRED,
        id="expired",
    ),
    pytest.param(
        head("/api/products/7", bearer(mint({"nbf": NOW_S + 31}))),
        "token times",
        Reason.TOKEN_NOT_YET_VALID,
        id="not-yet",
    ),
    pytest.param(
        head("/api/products", bearer(VALID), method="POST"), "roles", Reason.ROLE_MISSING, id="role"
    ),
    pytest.param(head("/scoped/a", bearer(VALID)), "scopes", Reason.SCOPE_MISSING, id="scope"),
    pytest.param(
        head("/planned", bearer(VALID)), "claim org.size", Reason.CLAIM_MISMATCH, id="claim"
    ),
    pytest.param(
        head("/maybe", b"Content-Length: 11", method="POST"),
        "body size",
        Reason.BODY_TOO_LARGE,
        id="size",
    ),
    pytest.param(
        head("/maybe", *LINES), "websocket handshake", Reason.WEBSOCKET_REFUSED, id="websocket"
    ),
    pytest.param(
        head("/api/products/7", bearer(mint({"username": "a\nb"}))),
        "claim headers",
        Reason.CLAIM_MISMATCH,
        id="unfit-claim",
    ),
]


@pytest.mark.parametrize(("received", "last", "reason"), CASES)
def test_the_checks_end_where_the_decision_does(
    received: bytes, last: str, reason: Reason | None
) -> None:
    """The last check names what decided, with the decision's own reason."""
    explanation = explained(received)

    assert (last, reason) == (explanation.checks[-1].name, explanation.checks[-1].reason)
    assert all(check.passed for check in explanation.checks[:-1])
    assert reason == getattr(explanation.decision, "reason", None)


GONE: Final = mint({"jti": "gone"})
EXPIRED: Final = mint({"exp": NOW_S - 31})


@pytest.mark.parametrize(
    ("received", "revocations", "last", "reason", "detail"),
    [
        pytest.param(
            head("/whoami", bearer(VALID)), Told(), "revocation", None, "", id="not-revoked"
        ),
        pytest.param(
            head("/whoami", bearer(VALID)), None, "revocation", None,
            "not asked: the store is not read here", id="not-asked",
        ),
        pytest.param(
            head("/api/products/7", bearer(GONE)), Told("gone"),
            "revocation", Reason.TOKEN_REVOKED, "The token has been revoked.", id="revoked",
        ),
        pytest.param(
            head("/whoami", bearer(GONE)), Told("gone", stale=True),
            "revocation", Reason.STORE_UNAVAILABLE,
            "The gateway has not heard of revocations for too long.", id="stale",
        ),
        pytest.param(
            head("/logout", bearer(GONE)), Told("gone"), "revocation", None,
            "The token has been revoked. This endpoint takes it all the same.", id="logout-revoked",
        ),
        pytest.param(
            head("/logout", bearer(EXPIRED)), Told(), "token times", None,
            "The token has expired. This endpoint takes it all the same.", id="logout-expired",
        ),
    ],
)  # fmt: skip
def test_revocation_is_the_last_that_is_asked_of_a_token(
    received: bytes, revocations: Told | None, last: str, reason: Reason | None, detail: str
) -> None:
    """After all that can be read off the token; what was not asked for is told as such."""
    check = explained(received, revocations).checks[-1]

    assert (check.name, check.reason, check.detail) == (last, reason, detail)


def test_details_say_what_was_asked_and_what_was_held() -> None:
    """An operator sees both sides of each requirement."""
    checks = explained(head("/scoped/a", bearer(VALID))).checks

    assert checks[-1].detail == "all of products:read, products:write; held: products:read"


@pytest.mark.parametrize(
    ("received", "detail"),
    [
        pytest.param(head("/maybe"), "0 bytes; at most 10", id="none"),
        pytest.param(
            head("/maybe", b"Transfer-Encoding: chunked", method="POST"),
            "counted as it arrives; at most 10",
            id="chunked",
        ),
        pytest.param(
            head("/maybe", b"Content-Length: 11", method="POST"),
            "11 bytes; at most 10",
            id="too-large",
        ),
    ],
)
def test_the_size_is_told_in_bytes(received: bytes, detail: str) -> None:
    """What is announced, and what the route takes."""
    details = {check.name: check.detail for check in explained(received).checks}

    assert detail == details["body size"]


@pytest.mark.parametrize(
    ("peer", "check"),
    [
        ("10.0.0.7", ("address", None, "10.0.0.7; let in: 10.0.0.0/8, ::1/128")),
        (
            "11.0.0.7",
            ("address", Reason.ADDRESS_DENIED, "11.0.0.7; let in: 10.0.0.0/8, ::1/128"),
        ),
        ("", ("address", Reason.ADDRESS_DENIED, "unknown; let in: 10.0.0.0/8, ::1/128")),
    ],
)
def test_the_address_is_looked_at_before_the_credential(
    peer: str, check: tuple[str, Reason | None, str]
) -> None:
    """A stranger is told nothing about a credential; an operator sees what was compared."""
    found = explained(head("/inside/7/x"), peer=peer).checks[1]

    assert (found.name, found.reason, found.detail) == check


@pytest.mark.parametrize(
    ("lines", "detail"),
    [
        ([], "none: no page of another origin asks"),
        ([b"Origin: https://APP.test"], "https://APP.test may read the answer"),
        ([b"Origin: https://other.test"], "https://other.test may not read the answer"),
    ],
)
def test_the_page_is_told_of(lines: list[bytes], detail: str) -> None:
    """Whether it may read the answer; the request goes on either way."""
    checks = explained(head("/inside/7", bearer(VALID), *lines), peer="10.0.0.1").checks

    assert {check.name: check.detail for check in checks}["origin"] == detail
    assert all(check.passed for check in checks)


def test_a_preflight_is_asked_for_no_credential() -> None:
    """It ends with the answer of the gateway."""
    asks = (b"Origin: https://app.test", b"Access-Control-Request-Method: GET")
    checks = explained(head("/inside/7", *asks, method="OPTIONS"), peer="10.0.0.1").checks

    assert [check.name for check in checks] == ["route", "address", "origin", "preflight"]


@pytest.mark.parametrize(
    ("lines", "by"),
    [
        ([bearer(VALID)], "org.plan"),
        ([bearer(mint())], "address, since there is no org.plan"),
        ([], "address, since there is no org.plan"),
    ],
)
def test_a_rate_limit_is_told_of_and_not_counted(lines: list[bytes], by: str) -> None:
    """What the live gateway may refuse besides."""
    check = explained(head("/limited", *lines)).checks[-1]

    assert (check.name, check.passed) == ("rate limit", True)
    assert check.detail == f"5 per 60 s and worker by {by}; not counted here"


@pytest.mark.parametrize(
    ("target", "name", "reason"),
    [
        pytest.param("/p", "look-up", Reason.STORE_UNAVAILABLE, id="look-up"),
        pytest.param("/sessions", "token", Reason.TOKEN_TYPE, id="not-taken"),
    ],
)
def test_of_an_api_key_nothing_is_told_that_is_judged_of_tokens(
    target: str, name: str, reason: Reason
) -> None:
    """It is to be looked up, or an endpoint does not take it."""
    place = CredentialPlace(PlaceKind.RAW, b"x-api-key", holds=CredentialKind.API_KEY)
    known = snapshot(route("/p", places=(place,)), places=(place,))
    key = ApiKey("0" * 32, "f" * 64).compose().encode()
    received = head(target, b"X-Api-Key: " + key)
    told = explain(known, request(known, received), NOW_S, NoRevocations(), received=received)

    assert [check.name for check in told.checks] == ["route", "credential", name]
    assert told.checks[-1].reason is reason


@pytest.mark.parametrize(
    ("lines", "ends"),
    [([bearer(VALID)], "when the token ends"), ([], "with its connections only")],
)
def test_a_tunnel_is_told_of_and_how_it_ends(lines: list[bytes], ends: str) -> None:
    """Without a token nothing of the gateway's ends it."""
    checks = {check.name: check for check in explained(head("/limited", *LINES, *lines)).checks}

    assert checks["websocket handshake"].passed
    assert checks["websocket handshake"].detail == f"a tunnel, which ends {ends}"
