"""RFC 8725 (JWT best current practices) and THREATS.md A6, at the level of the decision."""

from typing import Final

import pytest

from gateway.errors import Reason
from gateway.policy.model import Auth, Respond, Snapshot
from tests.conformance.tokens import TOKEN_CASES, TokenCase, issuers
from tests.kit.policy import COOKIE, PLACES, answer, bearer, head, reason_of, route, snapshot
from tests.kit.tokens import NOW_S, issuer_of, mint, signing_key

ONE: Final = mint()
OTHER: Final = mint({"sub": "bob"})


@pytest.fixture(scope="module")
def tokens_snapshot() -> Snapshot:
    """One protected route, and the issuers that the rows are about."""
    return snapshot(route("/p"), issuers=issuers())


@pytest.mark.parametrize("case", TOKEN_CASES, ids=lambda case: case.id)
def test_a_token_counts_or_is_refused_for_its_own_reason(
    case: TokenCase, tokens_snapshot: Snapshot
) -> None:
    """RFC 8725 section 3: every fault of a token has its reason, and none is forwarded."""
    decision = answer(tokens_snapshot, head("/p", bearer(case.make(NOW_S))))

    assert case.reason == reason_of(decision)
    if isinstance(decision, Respond):
        assert case.status == decision.status
        assert "alice" not in decision.detail


@pytest.mark.parametrize("case", TOKEN_CASES, ids=lambda case: case.id)
def test_a_bad_token_is_never_anonymous(case: TokenCase) -> None:
    """DESIGN.md section 2: ``auth: optional`` with a bad credential is refused as well."""
    optional = snapshot(route("/p", auth=Auth.OPTIONAL), issuers=issuers())
    decision = answer(optional, head("/p", bearer(case.make(NOW_S))))

    assert case.reason == reason_of(decision)


@pytest.mark.parametrize(
    ("leeway_s", "now_s", "reason"),
    [
        pytest.param(0, NOW_S + 599.999, None, id="no-leeway-just-before"),
        pytest.param(0, NOW_S + 600, Reason.TOKEN_EXPIRED, id="no-leeway-at-exp"),
        pytest.param(30, NOW_S + 629.999, None, id="leeway-just-before"),
        pytest.param(30, NOW_S + 630, Reason.TOKEN_EXPIRED, id="leeway-over"),
        pytest.param(30, NOW_S - 90, None, id="leeway-before-nbf"),
        pytest.param(30, NOW_S - 90.001, Reason.TOKEN_NOT_YET_VALID, id="too-early"),
        pytest.param(0, NOW_S - 60, None, id="at-nbf"),
    ],
)
def test_the_clock_decides_at_the_second(
    leeway_s: int, now_s: float, reason: Reason | None
) -> None:
    """JWT-15, RFC 7519 section 4.1.4: the current time must be *before* exp, plus the leeway."""
    known = snapshot(route("/p"), issuers=(issuer_of(leeway_s=leeway_s),))
    decision = answer(known, head("/p", bearer(mint())), now_s=now_s)

    assert reason is reason_of(decision)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        pytest.param([bearer(ONE), bearer(OTHER)], "several_credentials", id="two-fields"),
        pytest.param([bearer(ONE), bearer(ONE)], "several_credentials", id="same-twice"),
        pytest.param(
            [b"Authorization: Bearer x, Bearer y"], "credential_malformed", id="two-in-one-field"
        ),
        pytest.param([b"Authorization: Bearer  " + ONE], "credential_malformed", id="two-spaces"),
        pytest.param([b"Authorization: Bearer\t" + ONE], "credential_malformed", id="tab"),
        pytest.param([b"Authorization: bEARER " + ONE], None, id="scheme-in-any-case"),
        pytest.param([b"Authorization: Bearer"], "credential_malformed", id="scheme-alone"),
        pytest.param([b"Authorization:"], "credential_missing", id="empty-field"),
        pytest.param([b"Authorization: Digest a=b"], "credential_missing", id="another-scheme"),
        pytest.param([b"Authorization: " + ONE], "credential_missing", id="no-scheme"),
        pytest.param(
            [b"Authorization: Digest a=b", bearer(ONE)], "several_credentials", id="place-twice"
        ),
        pytest.param([b"access-token: " + ONE], None, id="raw"),
        pytest.param([b"access-token:"], "credential_malformed", id="raw-empty"),
        pytest.param([bearer(ONE), b"access-token: " + ONE], None, id="same-in-two-places"),
        pytest.param(
            [bearer(ONE), b"access-token: " + OTHER], "several_credentials", id="two-disagree"
        ),
        pytest.param(
            [bearer(ONE), b"Cookie: session=" + OTHER], "several_credentials", id="cookie-disagrees"
        ),
        pytest.param([b"Cookie: a=b; session=" + ONE], None, id="cookie"),
        pytest.param([b'Cookie: session="' + ONE + b'"'], None, id="quoted-cookie"),
        pytest.param(
            [b"Cookie: session=" + ONE, b"Cookie: session=" + ONE],
            "several_credentials",
            id="cookie-twice",
        ),
        pytest.param([b"Access_Token: " + ONE], "credential_missing", id="odd-spelling"),
        pytest.param([b"User-Agent: GoogleHC/1.0"], "credential_missing", id="HDR-20-user-agent"),
    ],
)
def test_a_request_carries_at_most_one_credential(lines: list[bytes], reason: str | None) -> None:
    """JWT-28: two credentials that differ are 400, and a bad one never gives way to another."""
    places = (*PLACES, COOKIE)
    decision = answer(snapshot(route("/p", places=places)), head("/p", *lines))

    assert reason == reason_of(decision)


def test_an_algorithm_is_the_keys_own() -> None:
    """JWT-05, JWT-19: two issuers with one key id never verify each other's tokens."""
    forged = mint({"iss": "https://login.example.com/"}, key=signing_key("HS256"))
    known = snapshot(route("/p"), issuers=issuers())

    assert reason_of(answer(known, head("/p", bearer(forged)))) is Reason.TOKEN_ALGORITHM
