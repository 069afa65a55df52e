"""Other issuers of the file, together and as they are compiled."""

import pytest

from gateway.config.compile import compile_snapshot
from gateway.errors import CredentialError, Reason
from tests.kit.tokens import NOW_S, mint, signing_key
from tests.unit.config.conftest import Complain, Read

CURE = "a token has one issuer; remove one of them"


def _issuers(*names: str) -> str:
    items = [f"- {{issuer: '{n}', audience: a, algorithms: RS256, jwks_file: f}}\n" for n in names]
    return "issuers:\n" + "".join(items)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(
            ("i", "j", "i"),
            f"f:8: issuers[2].issuer: the issuer on line 6 has this name too -> {CURE}",
            id="twice",
        ),
        pytest.param(
            ("http://gw.test",),
            f"f:6: issuers[0].issuer: the issuer on line 2 has this name too -> {CURE}",
            id="ourselves",
        ),
    ],
)
def test_no_two_issuers_are_one(
    names: tuple[str, ...], expected: str, complain_more: Complain
) -> None:
    """A token that two could have made would be judged by chance."""
    assert complain_more(_issuers(*names)) == expected


def test_names_that_differ_in_a_slash_differ(read_more: Read) -> None:
    """JWT-19: ``iss`` is compared exactly."""
    config = read_more(_issuers("i", "i/", "http://gw.test/"))

    assert compile_snapshot(config, ()).routes == ()


def test_another_issuer_is_compiled_with_its_keys(read_more: Read) -> None:
    """Its audience and algorithms are its own, the leeway is the gateway's; none yet is 503."""
    key = signing_key("RS256")
    config = read_more(_issuers("i", "j"))
    verifier = compile_snapshot(config, (), {"i": (key.verification,)}).verifier
    token = mint({"iss": "i", "aud": "a", "exp": NOW_S - 29}, {"typ": "JWT"}, key=key)

    assert verifier.verify(token, NOW_S).issuer.own is False
    for claims, reason in (
        ({"iss": "i"}, Reason.TOKEN_AUDIENCE),
        ({"iss": "j", "aud": "a"}, Reason.KEYS_UNAVAILABLE),
    ):
        with pytest.raises(CredentialError) as caught:
            verifier.verify(mint(claims, key=key), NOW_S)
        assert caught.value.reason is reason
