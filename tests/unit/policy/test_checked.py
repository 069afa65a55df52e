"""API keys and Basic: their shapes, and what is remembered of those that were looked up."""

from base64 import b64encode
from typing import Any

import pytest

from gateway.errors import CredentialError
from gateway.policy.checked import (
    CHECKED_FOR_S,
    REMEMBERED,
    ApiKey,
    CheckedCredential,
    CheckedCredentials,
    CredentialKind,
    UncheckedError,
    parse_api_key,
    parse_basic,
)
from gateway.policy.model import Forward, Respond
from gateway.policy.requirements import Requirement
from tests.kit.checked import KEY, WITH_KEY, keyed, remember
from tests.kit.policy import Told, answer, bearer, head, reason_of, values_of
from tests.kit.tokens import NOW_S, issuer_of, mint

API_KEY, BASIC = CredentialKind.API_KEY, CredentialKind.BASIC
GOOD = bearer(mint())
CREDENTIAL = b64encode(b"zoe:canary-password")


def checked(
    kind: CredentialKind = API_KEY, *, at_s: float = NOW_S, **claims: Any
) -> CheckedCredential:
    """Return what looking a credential up at *at_s* came to."""
    owner = {"sub": "zoe", "iat": int(at_s), "roles": ["user"], **claims}
    return CheckedCredential(owner, issuer_of(), kind, checked_at_s=at_s, epoch=7)


def unchecked_of(
    memory: CheckedCredentials, kind: CredentialKind, credential: bytes, now_s: float = NOW_S
) -> UncheckedError:
    """Ask for a credential that must be looked up."""
    with pytest.raises(UncheckedError) as caught:
        memory.find(kind, credential, now_s)
    return caught.value


@pytest.mark.parametrize(("kind", "credential"), [(API_KEY, KEY), (BASIC, CREDENTIAL)])
def test_what_was_looked_up_counts_for_a_while(kind: CredentialKind, credential: bytes) -> None:
    """And no longer; nor before it was looked up, as a clock that is set back would have it."""
    memory = CheckedCredentials(b"k")
    good = checked(kind)
    memory.remember(unchecked_of(memory, kind, credential), good)

    last_s = NOW_S + CHECKED_FOR_S[kind]
    assert memory.find(kind, credential, NOW_S) is good
    assert memory.find(kind, credential, last_s - 0.1) is good
    unchecked_of(memory, kind, credential, last_s)
    unchecked_of(memory, kind, credential, NOW_S - 0.1)


def test_an_expiry_is_met_to_the_second() -> None:
    """THREATS CACHE-01: what ends within the while is looked up when it does."""
    memory = CheckedCredentials(b"k")
    memory.remember(unchecked_of(memory, API_KEY, KEY), checked(exp=int(NOW_S) + 3))

    assert memory.find(API_KEY, KEY, NOW_S + 2.9).expires_at_s == int(NOW_S) + 3
    unchecked_of(memory, API_KEY, KEY, NOW_S + 3)


def test_claims_are_the_owners_and_no_others() -> None:
    """``exp`` is told only where there is one; the epoch is that from before the look-up."""
    good = checked()
    assert "exp" not in good.claims
    assert (good.roles, good.checked_epoch) == (frozenset(["user"]), 7)


@pytest.mark.parametrize(
    ("kind", "credential"),
    [
        pytest.param(API_KEY, ApiKey("0" * 32, "e" * 64).compose().encode(), id="another-key"),
        pytest.param(BASIC, b64encode(b"zoe:canary-passwor"), id="shorter-password"),
        pytest.param(BASIC, b64encode(b"zo:ecanary-password"), id="another-border"),
        pytest.param(BASIC, b64encode(b"zoe:canary-password" + b"x" * 100), id="longer-password"),
    ],
)
def test_the_whole_credential_is_the_key(kind: CredentialKind, credential: bytes) -> None:
    """THREATS CACHE-04, CACHE-12: neither a beginning of it nor another border in it is found."""
    memory = CheckedCredentials(b"k")
    memory.remember(unchecked_of(memory, API_KEY, KEY), checked())
    memory.remember(unchecked_of(memory, BASIC, CREDENTIAL), checked(BASIC))
    unchecked_of(memory, kind, credential)


def test_kinds_and_processes_are_apart() -> None:
    """One credential has another MAC as another kind, and under another process's key."""
    digests = {
        CheckedCredentials(key).unchecked(kind, CREDENTIAL).digest
        for key in (b"k", b"l")
        for kind in (API_KEY, BASIC)
    }
    assert len(digests) == 4
    assert all(len(digest) == 32 for digest in digests)


def test_no_credential_is_shown() -> None:
    """Not by an error, nor by what is remembered or parsed (THREATS OPS-15)."""
    memory = CheckedCredentials(b"k")
    error = unchecked_of(memory, BASIC, CREDENTIAL)
    memory.remember(error, checked(BASIC))
    held = repr(memory._memo._recent) + repr(error) + str(error) + error.detail
    shown = held + repr(parse_basic(CREDENTIAL)) + repr(parse_api_key(KEY))

    assert "canary-password" not in shown
    assert CREDENTIAL.decode() not in shown
    assert "f" * 64 not in shown


def test_what_is_remembered_is_bounded() -> None:
    """THREATS CACHE-08."""
    memory = CheckedCredentials(b"k")
    good = checked()
    for number in range(3 * REMEMBERED):
        memory.remember(memory.unchecked(API_KEY, b"%d" % number), good)
    assert len(memory._memo) <= 2 * REMEMBERED


def test_an_api_key_is_read_as_it_was_made() -> None:
    """With the checksum that lets scanners know one."""
    made = ApiKey("0a" * 16, "1b" * 32)
    text = made.compose()
    assert text.startswith("gwk_" + made.id + "_" + made.secret)
    assert parse_api_key(text.encode()) == made


@pytest.mark.parametrize(
    "credential",
    [
        pytest.param(b"", id="empty"),
        pytest.param(KEY[:-1], id="short"),
        pytest.param(KEY + b"0", id="long"),
        pytest.param(KEY + b"\n", id="line-feed"),
        pytest.param(KEY.upper(), id="upper-case"),
        pytest.param(KEY[:-1] + (b"0" if KEY[-1:] != b"0" else b"1"), id="checksum"),
        pytest.param(b"\xff" * len(KEY), id="bytes"),
    ],
)
def test_what_was_never_a_key_is_refused_without_a_look_up(credential: bytes) -> None:
    """So that nobody can ask the database with garbage (THREATS CACHE-08)."""
    with pytest.raises(CredentialError) as caught:
        CheckedCredentials(b"k").find(API_KEY, credential, NOW_S)
    assert (caught.value.reason, type(caught.value)) == ("api_key_invalid", CredentialError)


@pytest.mark.parametrize(
    ("text", "username", "password"),
    [
        pytest.param("zoe:p", "zoe", "p", id="plain"),
        pytest.param("zoe:p:q", "zoe", "p:q", id="colons"),
        pytest.param("zo\u00e9:\u00fc", "zo\u00e9", "\u00fc", id="utf-8"),
        pytest.param("zoe:", "zoe", "", id="no-password"),
    ],
)
def test_basic_is_read(text: str, username: str, password: str) -> None:
    """RFC 7617 section 2: the first colon ends the name."""
    parsed = parse_basic(b64encode(text.encode()))
    assert (parsed.username, parsed.password) == (username, password)


@pytest.mark.parametrize(
    "credential",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"!!!!", id="no-base64"),
        pytest.param(b"em9lOnA", id="no-padding"),
        pytest.param(b" em9lOnA=", id="space"),
        pytest.param(b64encode(b"zoe"), id="no-colon"),
        pytest.param(b64encode(b":p"), id="no-name"),
        pytest.param(b64encode(b"zo\xe9:p"), id="latin-1"),
        pytest.param(b64encode(b"zoe:\0"), id="nul"),
        pytest.param(b64encode(b"zoe\r\n:p"), id="line-break"),
        pytest.param(b64encode("zoe:\u0085".encode()), id="c1-control"),
        pytest.param(b64encode(b"z" * 1025 + b":p"), id="long-name"),
        pytest.param(b64encode(b"zoe:" + b"p" * 4000), id="long"),
    ],
)
def test_malformed_basic_is_refused(credential: bytes) -> None:
    """THREATS AUTH-14: no colon, bad base64, no UTF-8: a refusal and never a failure of ours."""
    with pytest.raises(CredentialError) as caught:
        CheckedCredentials(b"k").find(BASIC, credential, NOW_S)
    assert (caught.value.reason, type(caught.value)) == ("credential_malformed", CredentialError)


@pytest.mark.parametrize("target", ["/p", "/optional"])
@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        pytest.param([b"X-Api-Key: x"], "api_key_invalid", id="no-key"),
        pytest.param([b"X-Api-Key:"], "api_key_invalid", id="empty"),
        pytest.param([b"Authorization: Basic x"], "credential_malformed", id="no-basic"),
        pytest.param([b"Authorization: Basic"], "credential_malformed", id="basic-alone"),
        pytest.param([b"X-Api-Key: " + mint()], "api_key_invalid", id="token-as-key"),
        pytest.param([bearer(KEY)], "token_malformed", id="key-as-token"),
        pytest.param([GOOD, b"X-Api-Key: x"], "several_credentials", id="beside-a-token"),
        pytest.param([bearer(KEY), WITH_KEY], "several_credentials", id="as-two-kinds"),
        pytest.param([WITH_KEY, WITH_KEY], "several_credentials", id="twice"),
    ],
)
def test_a_bad_credential_never_falls_through(target: str, lines: list[bytes], reason: str) -> None:
    """DESIGN.md section 2: neither to another place, nor to another kind, nor to anonymous."""
    known = keyed()
    remember(known)
    decision = answer(known, head(target, *lines))
    assert isinstance(decision, Respond)
    assert (decision.reason, decision.unchecked) == (reason, None)


def test_what_was_looked_up_is_let_in_and_goes_no_further() -> None:
    """The service sees the owner and not the key."""
    known = keyed()
    found = remember(known)
    decision = answer(known, head("/p", WITH_KEY))
    assert isinstance(decision, Forward)
    assert decision.token is found
    assert values_of(decision, "x-user") == [b"zoe"]
    assert KEY not in decision.fields


def test_requirements_are_asked_each_time() -> None:
    """THREATS CACHE-02: what was looked up for one route is judged by another's requirement."""
    known = keyed(require=Requirement(roles=frozenset(("admin",))))
    remember(known, roles=["user"])
    assert reason_of(answer(known, head("/p", WITH_KEY))) == "role_missing"
    remember(known, roles=["admin"])
    assert reason_of(answer(known, head("/p", WITH_KEY))) is None


@pytest.mark.parametrize(
    ("told", "is_unchecked"),
    [
        pytest.param(Told("k-1"), True, id="revoked"),
        pytest.param(Told("k-1", stale=True), False, id="stale"),
        pytest.param(Told(stale=True), False, id="stale-only"),
    ],
)
def test_a_revocation_has_it_looked_up_again(told: Told, *, is_unchecked: bool) -> None:
    """THREATS CACHE-07: the store says whether it was about this; deaf, nothing counts."""
    known = keyed()
    remember(known)
    decision = answer(known, head("/p", WITH_KEY), revocations=told)
    assert isinstance(decision, Respond)
    assert decision.status == 503
    assert (decision.unchecked is not None) is is_unchecked


def test_a_remembered_key_is_looked_up_again_after_a_while() -> None:
    """A minute."""
    known = keyed()
    remember(known)
    assert isinstance(answer(known, head("/p", WITH_KEY), now_s=NOW_S + 59), Forward)
    later = answer(known, head("/p", WITH_KEY), now_s=NOW_S + 60)
    assert isinstance(later, Respond)
    assert later.unchecked is not None
