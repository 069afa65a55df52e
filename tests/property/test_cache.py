"""DESIGN.md section 8, guarantee 4: remembering a verified token changes nothing but time."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CredentialError
from gateway.policy.tokens import TokenVerifier
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
