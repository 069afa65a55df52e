"""What we sign is what our own verifier takes, and says what DESIGN.md section 3 says."""

import json
from base64 import urlsafe_b64decode
from typing import Any, Final

import pytest

from gateway.errors import CredentialError, Reason
from gateway.issuer.mint import Minter, TokenSettings
from gateway.issuer.users import User
from gateway.policy.claims import STANDARD_CLAIMS
from gateway.policy.signature import ALGORITHMS
from gateway.policy.tokens import Issuer, TokenVerifier
from tests.unit.issuer.fakes import NOW_S, key_for

USER: Final = User(
    username="Aymen",
    password_hash="",
    id="u-1",
    roles=("customer", "admin"),
    scopes=("products:read", "products:write"),
    attributes={"email": "aymen@example.com", "plan": {"name": "pr\u00f6"}, "none": None, "no": 0},
)
LIFETIME_S: Final = 1440


def settings_with(**changes: Any) -> TokenSettings:
    """Return settings that differ from the ordinary ones in *changes*."""
    ordinary: dict[str, Any] = {
        "issuer": "https://gw.test",
        "audience": ("gateway",),
        "access_lifetime_s": LIFETIME_S,
    }
    return TokenSettings(**{**ordinary, **changes})


def mint(user: User = USER, algorithm: str = "HS256", **changes: Any) -> str:
    """Return the text of a new token."""
    minter = Minter(key_for(algorithm), settings_with(**changes))
    return minter.mint(user, session_id="s-1", now_s=NOW_S).text


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a token's header and claims, unverified."""
    header, claims = (json.loads(urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    return header, claims


def verifier_for(algorithm: str) -> TokenVerifier:
    """Return a verifier of the test key's tokens, without leeway."""
    key = key_for(algorithm).verification_key()
    issuer = Issuer(
        name="https://gw.test", audiences=frozenset(("gateway",)), keys=(key,), leeway_s=0
    )
    return TokenVerifier((issuer,))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_our_own_verifier_takes_our_tokens(algorithm: str) -> None:
    """A token counts from the second it is made in until its lifetime is over, and no longer."""
    token = mint(algorithm=algorithm).encode("ascii")
    verifier = verifier_for(algorithm)

    claims = verifier.verify(token, NOW_S).claims

    assert claims["sub"] == "u-1"
    assert verifier.verify(token, int(NOW_S) + LIFETIME_S - 1).claims == claims
    with pytest.raises(CredentialError) as caught:
        verifier.verify(token, int(NOW_S) + LIFETIME_S)
    assert caught.value.reason is Reason.TOKEN_EXPIRED


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_header_names_type_algorithm_and_key_only(algorithm: str) -> None:
    """RFC 9068 section 2.1: ``typ`` is ``at+jwt``."""
    header, _ = parts_of(mint(algorithm=algorithm))

    assert header == {"typ": "at+jwt", "alg": algorithm, "kid": key_for(algorithm).kid}


def test_a_token_says_who_for_whom_and_how_long() -> None:
    """DESIGN.md section 3: the standard claims, and no other."""
    _, claims = parts_of(mint())
    jti = claims.pop("jti")

    assert claims == {
        "iss": "https://gw.test",
        "sub": "u-1",
        "aud": "gateway",
        "exp": 1_800_001_440,
        "iat": 1_800_000_000,
        "nbf": 1_800_000_000,
        "sid": "s-1",
        "username": "Aymen",
        "roles": ["customer", "admin"],
        "scope": "products:read products:write",
    }
    assert {*claims, "jti"} == STANDARD_CLAIMS
    assert len(urlsafe_b64decode(jti + "==")) >= 16


def test_several_audiences_are_a_list() -> None:
    """RFC 7519 section 4.1.3."""
    _, claims = parts_of(mint(audience=("gateway", "products")))

    assert claims["aud"] == ["gateway", "products"]


def test_a_user_without_rights_has_no_scope_and_empty_roles() -> None:
    """An empty scope would not be one (RFC 6749 section 3.3)."""
    _, claims = parts_of(mint(User(username="bob", password_hash="")))

    assert "scope" not in claims
    assert claims["roles"] == []
    assert claims["sub"] == "bob"


def test_attributes_become_claims() -> None:
    """Configured claims carry the user's attributes; what is absent or null gives no claim."""
    names = {"email": "email", "org": "plan", "a": "none", "b": "absent", "zero": "no"}

    _, claims = parts_of(mint(claims=names))

    extra = {name: value for name, value in claims.items() if name not in STANDARD_CLAIMS}
    assert extra == {"email": "aymen@example.com", "org": {"name": "pr\u00f6"}, "zero": 0}


@pytest.mark.parametrize("claim", sorted(STANDARD_CLAIMS))
def test_a_standard_claim_is_never_overridden(claim: str) -> None:
    """What the gateway itself says of a user cannot be configured away, absent or not."""
    with pytest.raises(ValueError, match=claim):
        settings_with(claims={claim: "email"})


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"audience": ()}, id="no-audience"),
        pytest.param({"access_lifetime_s": 0}, id="no-lifetime"),
    ],
)
def test_settings_that_make_no_valid_token_are_refused(changes: dict[str, Any]) -> None:
    """A token without audience or lifetime would be refused by every verifier."""
    with pytest.raises(ValueError, match="a token"):
        settings_with(**changes)


@pytest.mark.parametrize(
    "attribute",
    [
        pytest.param("x" * 8192, id="too-long"),
        pytest.param("\ud800", id="lone-surrogate"),
        pytest.param(float("nan"), id="not-json"),
    ],
)
def test_no_token_is_made_that_no_gateway_takes(attribute: object) -> None:
    """A login fails loudly rather than with a token that is refused everywhere."""
    user = User(username="bob", password_hash="", attributes={"a": attribute})

    with pytest.raises(ValueError, match=r"."):
        mint(user, claims={"a": "a"})


@pytest.mark.parametrize("lifetime_s", [1, LIFETIME_S])
def test_a_token_can_count_for_less_time(lifetime_s: int) -> None:
    """It says so, and so does what comes with it."""
    minter = Minter(key_for("HS256"), settings_with())
    token = minter.mint(USER, session_id="s-1", now_s=NOW_S, lifetime_s=lifetime_s)
    _, claims = parts_of(token.text)

    assert token.expires_in_s == claims["exp"] - claims["iat"] == lifetime_s


@pytest.mark.parametrize("lifetime_s", [-1, 0, LIFETIME_S + 1])
def test_no_token_outlives_its_revocation(lifetime_s: int) -> None:
    """Revocations are kept for the configured lifetime, so nothing may count for longer."""
    minter = Minter(key_for("HS256"), settings_with())
    with pytest.raises(ValueError, match="1 to 1440 seconds"):
        minter.mint(USER, session_id="s-1", now_s=NOW_S, lifetime_s=lifetime_s)


def test_no_two_tokens_are_alike() -> None:
    """``jti`` names one token, also within one second and session."""
    assert len({parts_of(mint())[1]["jti"] for _ in range(100)}) == 100


def test_a_token_does_not_print_itself() -> None:
    """THREATS OPS-19: no secret in a repr."""
    token = Minter(key_for("HS256"), settings_with()).mint(USER, session_id="s", now_s=NOW_S)

    assert token.text not in repr(token)
    assert token.expires_in_s == LIFETIME_S
