"""A token either verifies or gives a Reason; no other exception, and no claim out of its bounds."""

import json
from base64 import urlsafe_b64decode
from typing import Any, Final

import pytest

from gateway.errors import CredentialError
from gateway.policy.claim_headers import ClaimHeader, HeaderFormat, HeaderPlan, UnfitClaimError
from gateway.policy.requirements import Requirement
from gateway.policy.tokens import MAX_SUBJECT_CHARS, TokenVerifier, VerifiedToken
from tests.fuzz.mutation import FACTOR, Mutator
from tests.kit.tokens import NOW_S, assemble, issuer_of, mint, signing_key

CASES: Final = 12_000 * FACTOR

# Values of JSON that readers disagree about, as they are written.
VALUES: Final = (
    b"null", b"true", b"0", b"-1", b"1", b"1e3", b"1.5", b"1e400", b"-0", b"NaN", b"Infinity",
    b"9007199254740993", b"%d" % NOW_S, b"%d.0" % NOW_S, b'"%d"' % NOW_S, b"9" * 400, b"9" * 5000,
    b'""', b'"a"', b'"\\u0000"', b'"a\\r\\nX-User: evil"', b'"\\ud800"', b'"\xc3\xa9"', b'"\xff"',
    b'"a,b"', b'" a "', b'"%0d"', b"[]", b"{}", b'["gateway"]', b'["user",1,null]', b'[["user"]]',
    b'{"plan":"pro"}', b'{"plan":{"a":[1]}}', b"[" * 1000 + b"]" * 1000, b"[" * 3000, b"nul", b"",
)  # fmt: skip
NAMES: Final = (
    b"iss", b"sub", b"aud", b"exp", b"nbf", b"iat", b"jti", b"roles", b"scope", b"scp", b"username",
    b"email", b"org", b"org.plan", b"", b"\\u0073ub", b"alg", b"typ", b"kid", b"crit", b"zip",
)  # fmt: skip
PLAN: Final = HeaderPlan(
    (
        ClaimHeader("X-User", "sub"),
        ClaimHeader("X-User-Roles", "roles"),
        ClaimHeader("X-User-Plan", "org.plan", default="free"),
        ClaimHeader("X-User-Claims", "*", format=HeaderFormat.BASE64URL_JSON),
    )
)
NEEDS: Final = Requirement(
    roles=frozenset(("user",)), scopes=frozenset(("read",)), claims={"org.plan": ("pro", 1)}
)


@pytest.fixture(scope="module")
def verifier() -> TokenVerifier:
    """One that knows a secret and a public key."""
    keys = (signing_key("HS256").verification, signing_key("ES256").verification)
    return TokenVerifier((issuer_of(keys=keys),))


def verify(verifier: TokenVerifier, token: bytes) -> VerifiedToken | None:
    """Verify a token; anything but a ``CredentialError`` goes through."""
    try:
        return verifier.verify(token, NOW_S)
    except CredentialError:
        return None


def test_no_edit_of_a_token_verifies(verifier: TokenVerifier) -> None:
    """Not one bit of a signed token can be changed."""
    corpus = [mint(key=signing_key(algorithm)) for algorithm in ("HS256", "ES256")]
    assert all(verify(verifier, token) for token in corpus)
    mutator = Mutator(corpus)
    for token in mutator.cases(CASES):
        assert token in corpus or verify(verifier, token) is None, token


def test_whatever_is_signed_is_judged(verifier: TokenVerifier) -> None:
    """An issuer that signs nonsense gets a reason; what verifies can be asked for and rendered."""
    header, payload, _ = mint().split(b".")
    members, claims = _members(header), _members(payload)
    mutator = Mutator([b",".join(claims)])
    verified = 0
    for _ in range(CASES):
        token = assemble(_object(mutator, members, 0.1), _object(mutator, claims, 1.0))
        known = verify(verifier, token)
        if known is not None:
            verified += 1
            check(known)

    assert verified > CASES // 20  # else this tests nothing


def check(token: VerifiedToken) -> None:
    """Check that what was made of the claims keeps what the service relies on."""
    claims = token.claims
    assert 0 < len(claims["sub"]) <= MAX_SUBJECT_CHARS
    assert all(type(claims.get(name, 0)) is int for name in ("exp", "iat", "nbf"))
    assert token.valid_from_s <= NOW_S < token.expires_at_s
    NEEDS.find_refusal(token)
    try:
        lines = PLAN.render(claims)
    except UnfitClaimError:
        return
    assert lines.endswith(b"\r\n")
    for line in lines.removesuffix(b"\r\n").split(b"\r\n"):
        assert line.partition(b": ")[0].decode() in {header.name for header in PLAN.headers}
        assert line.isascii()
        assert line.decode().isprintable()


def _members(part: bytes) -> list[bytes]:
    found: dict[str, Any] = json.loads(urlsafe_b64decode(part + b"=="))
    return [b'"%b":%b' % (n.encode(), json.dumps(v).encode()) for n, v in found.items()]


def _object(mutator: Mutator, members: list[bytes], edits: float) -> bytes:
    """Return *members* as a JSON object, after *edits* changes on average."""
    random = mutator.random
    members = members.copy()
    for _ in range(int(random.expovariate(1 / edits) + 0.5)):
        place = random.randrange(len(members))
        if random.random() < 0.4:
            members[place] = members[place].partition(b":")[0] + b":" + random.choice(VALUES)
        elif random.random() < 0.9:
            members.insert(place, b'"%b":%b' % (random.choice(NAMES), random.choice(VALUES)))
        elif len(members) > 1:
            members.pop(place)
    data = b"{" + b",".join(members) + b"}"
    return mutator.mutate(data) if random.random() < edits / 10 else data
