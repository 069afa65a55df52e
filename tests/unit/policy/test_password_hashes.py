"""Which hashes are taken, which are not, and which are to be replaced."""

import pytest
from argon2.profiles import RFC_9106_HIGH_MEMORY, RFC_9106_LOW_MEMORY

from gateway.policy.password_hashes import (
    MAX_HASH_CHARS,
    OUR_MEMORY_KIB,
    OUR_PASSES,
    HashKind,
    PasswordHashError,
    identify,
    needs_upgrade,
    parse_password_hash,
)
from tests.kit.hash_vectors import COSTS, LEGACY, MALFORMED

SALT, TAG = "c" * 22, "d" * 43  # 16 and 32 bytes
OURS = f"$argon2id$v=19$m=65536,t=3,p=4${SALT}${TAG}"


@pytest.mark.parametrize(
    ("kind", "text"), [pytest.param(kind, text, id=form) for form, kind, _, text in LEGACY]
)
def test_legacy_forms_are_known_and_to_be_replaced(kind: HashKind, text: str) -> None:
    """DESIGN.md section 9: bcrypt, scrypt, PBKDF2 and SHA-crypt, in the forms of others."""
    assert identify(text) is kind
    assert needs_upgrade(text)
    assert len(text) < MAX_HASH_CHARS


@pytest.mark.parametrize("text", [pytest.param(text, id=what) for what, text in MALFORMED])
def test_anything_else_is_no_hash(text: str) -> None:
    """No form is taken by halves, and a refusal quotes nothing."""
    with pytest.raises(PasswordHashError) as caught:
        parse_password_hash(text)

    assert str(caught.value) == "this is not a hash of a password"
    assert identify(text) is None
    assert needs_upgrade(text)


@pytest.mark.parametrize(
    ("name", "most", "more"),
    [pytest.param(*row, id=f"{n}-{row[0]}") for n, row in enumerate(COSTS)],
)
def test_a_hash_may_cost_so_much_and_no_more(name: str, most: str, more: str) -> None:
    """A hash that was brought along cannot be a denial of service: each bound is exact."""
    assert identify(most) is not None

    with pytest.raises(PasswordHashError) as caught:
        parse_password_hash(more)
    assert str(caught.value) == f"this hash costs more than a login may: {name}"
    assert identify(more) is None


@pytest.mark.parametrize("text", [OURS, *(text for _, _, _, text in LEGACY)])
def test_a_parsed_hash_does_not_print(text: str) -> None:
    """Neither salt nor digest stands in a ``repr``."""
    shown = repr(parse_password_hash(text))

    assert not any(name in shown for name in ("text=", "salt=", "digest="))


def test_ours_is_the_second_profile_of_rfc_9106() -> None:
    """RFC 9106 section 4: what argon2-cffi makes with it is what we call strong enough."""
    profile = RFC_9106_LOW_MEMORY

    assert (profile.memory_cost, profile.time_cost) == (OUR_MEMORY_KIB, OUR_PASSES)
    assert (profile.salt_len, profile.hash_len, profile.version) == (16, 32, 0x13)


@pytest.mark.parametrize(
    ("text", "weak"),
    [
        pytest.param(OURS, False, id="ours"),
        pytest.param(OURS.replace("p=4", "p=1"), False, id="fewer-lanes"),
        pytest.param(OURS.replace("65536", "131072"), False, id="more-memory"),
        pytest.param(OURS.replace("t=3", "t=4"), False, id="more-passes"),
        pytest.param(OURS.replace("m=65536,t=3", "m=196608,t=1"), False, id="memory-for-passes"),
        pytest.param(OURS.replace("65536", "65535"), True, id="less-memory"),
        pytest.param(OURS.replace("m=65536,t=3", "m=32768,t=64"), True, id="passes-for-memory"),
        pytest.param(OURS.replace("t=3", "t=2"), True, id="fewer-passes"),
        pytest.param(OURS.replace("v=19", "v=16"), True, id="old-version"),
        pytest.param(OURS.replace(SALT, "c" * 21), True, id="short-salt"),
        pytest.param(OURS.replace(TAG, "d" * 42), True, id="short-tag"),
    ],
)
def test_what_is_weaker_than_ours_is_replaced(text: str, *, weak: bool) -> None:
    """Less memory, less work, an older version: replaced; as strong or stronger: kept."""
    assert needs_upgrade(text) is weak
    assert identify(text) is HashKind.ARGON2ID


def test_the_first_profile_of_rfc_9106_is_beyond_a_login() -> None:
    """2 GiB for each thread is more than a gateway may take: refused, and not replaced."""
    assert identify(OURS.replace("65536", str(RFC_9106_HIGH_MEMORY.memory_cost))) is None
