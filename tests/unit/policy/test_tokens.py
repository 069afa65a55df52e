"""Verification; the tables of RFC 8725 are in ``conformance/test_rfc8725_tokens``."""

from base64 import urlsafe_b64decode
from typing import Any

import pytest

from gateway.errors import CredentialError, Reason
from gateway.policy.tokens import (
    CACHED_TOKEN_BYTES,
    EndedTokenError,
    TokenVerifier,
    VerifiedToken,
    parse_json_object,
)
from tests.conformance.tokens import TOKEN_CASES, TokenCase, issuers
from tests.kit.tokens import (
    ISSUER,
    NOW_S,
    REMOVED,
    SigningKey,
    base64url,
    claims_of,
    issuer_of,
    mint,
    resigned,
    signing_key,
)

_BASE64URL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _lax(text: bytes) -> bytes:
    return urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def _reason(verifier: TokenVerifier, token: bytes, now_s: float = NOW_S) -> Reason | None:
    try:
        verifier.verify(token, now_s)
    except CredentialError as error:
        return error.reason
    return None


@pytest.mark.parametrize("case", TOKEN_CASES, ids=lambda case: case.id)
def test_a_token_verifies_or_has_a_reason(case: TokenCase) -> None:
    """No other exception, the first time or when asked again."""
    verifier = TokenVerifier(issuers())
    expected = None if case.status == 403 else case.reason  # 403: it verifies, but cannot be mapped

    assert expected == _reason(verifier, case.make(NOW_S))
    assert expected == _reason(verifier, case.make(NOW_S))


def test_a_token_that_has_been_verified_is_remembered() -> None:
    """DESIGN.md section 8, guarantee 4: the same object, and the clock is asked anew."""
    verifier = TokenVerifier((issuer_of(leeway_s=0),))
    token = mint()
    verified = verifier.verify(token, NOW_S)

    assert verifier.verify(token, NOW_S + 1) is verified
    assert verifier.remembered_count == 1
    assert _reason(verifier, token, NOW_S + 600) is Reason.TOKEN_EXPIRED
    assert _reason(verifier, token, NOW_S - 61) is Reason.TOKEN_NOT_YET_VALID


def test_a_token_that_has_only_expired_comes_with_the_refusal() -> None:
    """THREATS.md SES-08: logging out takes it; a token with any other fault is not told."""
    verifier = TokenVerifier((issuer_of(leeway_s=0),))

    with pytest.raises(EndedTokenError) as caught:
        verifier.verify(mint({"exp": NOW_S, "sid": "s-9"}), NOW_S)
    assert caught.value.reason is Reason.TOKEN_EXPIRED
    assert caught.value.token.claims["sid"] == "s-9"
    for changes in ({"exp": NOW_S, "iss": "other"}, {"exp": NOW_S, "aud": "x"}, {"nbf": NOW_S + 1}):
        with pytest.raises(CredentialError) as refused:
            verifier.verify(mint(changes), NOW_S)
        assert not isinstance(refused.value, EndedTokenError)


def test_long_tokens_are_not_remembered() -> None:
    """The memory is bounded in bytes as well."""
    verifier = TokenVerifier((issuer_of(),))
    token = mint({"note": "x" * CACHED_TOKEN_BYTES})

    assert verifier.verify(token, NOW_S) is not verifier.verify(token, NOW_S)


@pytest.mark.parametrize("part", ["header", "payload", "signature"])
@pytest.mark.parametrize("note", ["", "n", "nn"])
def test_each_part_has_one_spelling(part: str, note: str) -> None:
    """THREATS.md JWT-24: of all last characters that a lax reader reads alike one is taken."""
    index = ["header", "payload", "signature"].index(part)
    token = mint({"note": note}, {"note": note})
    parts = token.split(b".")
    canonical = parts[index]
    spelled = [canonical[:-1] + bytes((last,)) for last in _BASE64URL]
    alike = [text for text in spelled if _lax(text) == _lax(canonical)]
    taken = []
    for text in alike:
        parts[index] = text
        header, payload, signature = parts
        if part != "signature":
            signature = base64url(signing_key().sign(header + b"." + payload))
        candidate = b".".join((header, payload, signature))
        if _reason(TokenVerifier((issuer_of(),)), candidate) is None:
            taken.append(text)

    assert taken == [canonical]


def test_a_header_that_is_remembered_excuses_nothing() -> None:
    """What a token says beside its header is judged anew: key, signature, type, issuer."""
    foreign = issuer_of(name="https://foreign.test", own=False)
    verifier = TokenVerifier((issuer_of(), foreign))
    header = {"typ": "JWT"}
    good = mint({"iss": foreign.name}, header)

    assert _reason(verifier, good) is None
    assert _reason(verifier, mint({"iss": foreign.name, "sub": "bob"}, header)) is None
    assert _reason(verifier, mint(header=header)) is Reason.TOKEN_TYPE
    assert _reason(verifier, mint({"iss": "https://x"}, header)) is Reason.TOKEN_ISSUER
    assert _reason(verifier, resigned(good, b"x" * 32)) is Reason.TOKEN_SIGNATURE


def test_two_keys_of_one_algorithm_need_a_key_id() -> None:
    """DESIGN.md section 3: without ``kid``, only where there is exactly one key to try."""
    keys = (signing_key().verification, signing_key(kid="other").verification)
    verifier = TokenVerifier((issuer_of(keys=keys),))

    assert _reason(verifier, mint()) is None
    assert _reason(verifier, mint(key=signing_key(kid="other"))) is None
    assert _reason(verifier, mint(header={"kid": REMOVED})) is Reason.TOKEN_KEY_UNKNOWN


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        pytest.param({"exp": NOW_S + 40, "iat": NOW_S - 60}, None, id="short"),
        pytest.param({"exp": NOW_S + 41, "iat": NOW_S - 60}, Reason.TOKEN_MALFORMED, id="long"),
        pytest.param({"iat": REMOVED}, Reason.TOKEN_MALFORMED, id="no-beginning"),
    ],
)
def test_a_lifetime_may_be_capped(claims: dict[str, Any], reason: Reason | None) -> None:
    """JWT-17: ``exp - iat``; a token that does not say when it began is over any cap."""
    verifier = TokenVerifier((issuer_of(own=False, max_lifetime_s=100),))

    assert reason is _reason(verifier, mint(claims))


def test_a_verified_token_knows_its_times_roles_and_scopes() -> None:
    """What is asked of it on each request is worked out once."""
    token = VerifiedToken(claims_of(nbf=NOW_S - 5, scope="a b"), issuer_of(leeway_s=30))

    assert (token.valid_from_s, token.expires_at_s) == (NOW_S - 35, NOW_S + 630)
    assert token.roles == {"user"}
    assert token.scopes == {"a", "b"}


def test_an_issuer_without_keys_is_one_of_whom_nobody_can_say() -> None:
    """THREATS.md JWKS-07: 503 and the issuer's name, but not for what it would never sign with."""
    verifier = TokenVerifier((issuer_of(keys=(), own=False, algorithms=frozenset(("RS256",))),))

    with pytest.raises(CredentialError) as caught:
        verifier.verify(mint(key=signing_key("RS256")), NOW_S)
    assert (caught.value.reason, caught.value.issuer) == (Reason.KEYS_UNAVAILABLE, ISSUER)
    assert _reason(verifier, mint()) is Reason.TOKEN_ALGORITHM


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        pytest.param(signing_key("RS256"), None, id="known"),
        pytest.param(signing_key("RS256", kid="new"), Reason.TOKEN_KEY_UNKNOWN, id="kid"),
        pytest.param(signing_key("ES256"), Reason.TOKEN_KEY_UNKNOWN, id="algorithm-without-key"),
        pytest.param(signing_key("ES384"), Reason.TOKEN_ALGORITHM, id="algorithm"),
    ],
)
def test_a_key_that_is_not_here_may_be_had_from_the_issuer(
    key: SigningKey, reason: Reason | None
) -> None:
    """It may be new; whoever can read the issuer's keys again is told whose they are."""
    issuer = issuer_of("RS256", own=False, algorithms=frozenset(("RS256", "ES256")))
    verifier = TokenVerifier((issuer,))

    assert _reason(verifier, mint(key=key)) is reason
    if reason is not None:
        with pytest.raises(CredentialError) as caught:
            verifier.verify(mint(key=key), NOW_S)
        assert caught.value.issuer == (ISSUER if reason is Reason.TOKEN_KEY_UNKNOWN else "")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e400}',
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a":' + b"1" * 5000 + b"}",
        b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}",
    ],
)
def test_json_that_two_readers_could_read_differently_is_malformed(data: bytes) -> None:
    """THREATS.md J1 to J4."""
    with pytest.raises(CredentialError) as caught:
        parse_json_object(data)

    assert caught.value.reason is Reason.TOKEN_MALFORMED
