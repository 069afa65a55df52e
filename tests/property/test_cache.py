"""DESIGN.md section 8, guarantee 4: remembering a verified token changes nothing but time."""

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import CredentialError
from gateway.issuer.revocation_table import RevocationTable
from gateway.issuer.revocations import RevocationView
from gateway.policy.tokens import TokenVerifier
from gateway.store.revocations import Revocation, RevocationKind
from tests.kit.tokens import NOW_S, issuer_of, mint, resigned

_TOKENS: Final = (
    mint(),
    mint({"exp": NOW_S + 5, "nbf": NOW_S - 5, "iat": NOW_S - 5}),
    mint({"sub": "bob", "exp": NOW_S + 1}),
    mint({"aud": "other"}),
    mint({"note": "x" * 4000}),  # counts, but is too long to be remembered
    resigned(mint(), b"x" * 32),
    mint() + b"=",
    b"opaque",
)
_CALLS: Final = st.lists(
    st.tuples(st.sampled_from(_TOKENS), st.integers(-50, 700).map(lambda s: NOW_S + s)),
    max_size=12,
)


def _verdict(verifier: TokenVerifier, token: bytes, now_s: float) -> object:
    """Return the claims, or the reason why there are none."""
    try:
        return verifier.verify(token, now_s).claims
    except CredentialError as error:
        return error.reason


@given(_CALLS)
def test_a_verifier_that_remembers_equals_a_fresh_one(calls: list[tuple[bytes, int]]) -> None:
    """Whatever was asked before, and in whatever order of times, the verdict is the same."""
    issuers = (issuer_of(leeway_s=2),)
    cached = TokenVerifier(issuers)

    for token, now_s in calls:
        assert _verdict(TokenVerifier(issuers), token, now_s) == _verdict(cached, token, now_s)


_KEYS: Final = st.sampled_from((("jti", "5f0c"), ("sid", "s-1"), ("sub", "alice"), ("sub", "bob")))
_STEPS: Final = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from(_TOKENS), st.integers(-50, 700)),
        st.tuples(st.just("revoke"), _KEYS, st.integers(-100, 700)),
    ),
    max_size=16,
)


@settings(deadline=None)
@given(_STEPS)
def test_revocations_are_remembered_of_no_token_for_too_long(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any, int]]
) -> None:
    """CACHE-05, -06: a token that was found good is asked of again once anything was revoked."""
    issuers = (issuer_of(leeway_s=2),)
    table = RevocationTable.create(tmp_path_factory.mktemp("table") / "revocations", 8)
    cached, view = TokenVerifier(issuers), RevocationView(table)
    for kind, what, offset_s in steps:
        now_s = NOW_S + offset_s
        if kind == "revoke":
            name, key = what
            until_s = NOW_S + 700.0
            revoked = Revocation(
                kind=RevocationKind(name), key=key, expires_at_s=until_s, not_before_s=now_s
            )
            table.add([revoked])
        else:
            fresh = _full_verdict(TokenVerifier(issuers), RevocationView(table), what, now_s)
            assert fresh == _full_verdict(cached, view, what, now_s)
    table.close()


def _full_verdict(
    verifier: TokenVerifier, view: RevocationView, token: bytes, now_s: float
) -> object:
    try:
        verified = verifier.verify(token, now_s)
    except CredentialError as error:
        return error.reason
    return view.is_revoked(verified, now_s) or verified.claims
