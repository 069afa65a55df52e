"""Identity headers: how a claim is written, and which one is refused."""

from itertools import product
from typing import Any

import pytest

from gateway.policy.claim_headers import (
    MAX_BLOCK_BYTES,
    ClaimHeader,
    HeaderFormat,
    HeaderPlan,
    UnfitClaimError,
)


def _nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


WRITTEN = [
    pytest.param("alice", b"alice", id="text"),
    pytest.param("Doe, Jane", b"Doe, Jane", id="comma-in-text"),
    pytest.param("100%", b"100%25", id="percent"),
    pytest.param("日本 é", b"%E6%97%A5%E6%9C%AC %C3%A9", id="HDR-24"),
    pytest.param("  a  b ", b"%20%20a  b%20", id="HDR-22-spaces-around"),
    pytest.param("  ", b"%20%20", id="spaces-alone"),
    pytest.param("", b"", id="empty"),
    pytest.param(True, b"true", id="HDR-27-true"),
    pytest.param(1000, b"1000", id="number"),
    pytest.param(1.5, b"1.5", id="fraction"),
    pytest.param({"a": ["b", None], "é": 1}, b'{"a":["b",null],"%C3%A9":1}', id="object"),
    pytest.param({"a": "b\r\nc"}, b'{"a":"b\\r\\nc"}', id="object-escapes-controls"),
    pytest.param(["user", "x,admin"], b"user,x%2Cadmin", id="HDR-25"),
    pytest.param(
        ["a ", " b", 1, None, {"c": 2, "d": 3}], b'a%20,%20b,1,null,{"c":2%2C"d":3}', id="mixed"
    ),
    pytest.param([], b"", id="empty-list"),
    pytest.param("\u2028", b"%E2%80%A8", id="line-separator"),
]

UNFIT = [
    pytest.param("u\r\nX-Role: admin", id="HDR-21-crlf"),
    pytest.param("a\nb", id="lf"),
    pytest.param("a\x00b", id="HDR-22-nul"),
    pytest.param("a\x7f", id="HDR-22-delete"),
    pytest.param("a\tb", id="tab"),
    pytest.param("a\x85b", id="c1-next-line"),
    pytest.param(["ok", "a\rb"], id="inside-a-list"),
    pytest.param({"a": "\x7f"}, id="inside-an-object"),
    pytest.param("\ud800", id="HDR-23-surrogate"),
    pytest.param(["a" * 8] * 10_000, id="HDR-26-many-roles"),
    pytest.param("x" * (64 * 1024), id="HDR-26-long"),
    pytest.param(_nested(5000), id="nested-deeply"),
]


def _render(claim: Any, **settings: Any) -> bytes:
    return HeaderPlan((ClaimHeader("X-Claim", "claim", **settings),)).render({"claim": claim})


@pytest.mark.parametrize(("claim", "value"), WRITTEN)
def test_a_claim_is_written_so_that_it_can_be_read_back(claim: Any, value: bytes) -> None:
    """DESIGN.md section 5: text, percent-encoded UTF-8, comma-separated lists, compact JSON."""
    assert _render(claim) == b"X-Claim: " + value + b"\r\n"


def test_short_texts_are_written_as_the_rule_says() -> None:
    """All texts of up to four characters that mean something, alone and in a list."""
    for length in range(5):
        for characters in product("aZ~ %,\u00e9", repeat=length):
            text = "".join(characters)
            assert _render(text) == _line(text, "%"), text
            assert _render([text]) == _line(text, "%,"), text


def _line(text: str, special: str) -> bytes:
    ends = len(text) - len(text.lstrip(" ")), len(text.rstrip(" "))
    value = b"".join(
        b"".join(b"%%%02X" % byte for byte in character.encode("utf-8"))
        if not character.isascii() or character in special or not ends[0] <= index < ends[1]
        else character.encode("ascii")
        for index, character in enumerate(text)
    )
    return b"X-Claim: " + value + b"\r\n"


@pytest.mark.parametrize("claim", UNFIT)
def test_a_claim_that_no_field_can_carry_refuses_the_request(claim: Any) -> None:
    """HDR-21 to HDR-26: refused by name, never cut, never raw, never another exception."""
    with pytest.raises(UnfitClaimError) as caught:
        _render(claim)

    assert caught.value.header == "X-Claim"


def test_claims_are_written_as_json_for_services_that_want_all() -> None:
    """DESIGN.md section 2: ``{claim: "*", format: base64url-json}``."""
    header = ClaimHeader("X-All", "*", format=HeaderFormat.BASE64URL_JSON)

    assert HeaderPlan((header,)).render({"a": "\r\n>"}) == b"X-All: eyJhIjoiXHJcbj4ifQ\r\n"


@pytest.mark.parametrize(
    ("claims", "block"),
    [
        pytest.param({}, b"X-Plan: free\r\n", id="absent"),
        pytest.param({"org": {"plan": None}}, b"X-Plan: free\r\n", id="null"),
        pytest.param({"org": {"plan": ""}}, b"X-Plan: \r\n", id="empty"),
        pytest.param(
            {"email": "a@b", "org": {"plan": "pro"}}, b"X-Plan: pro\r\nX-Email: a@b\r\n", id="both"
        ),
    ],
)
def test_an_absent_claim_gives_its_default_or_nothing(claims: dict[str, Any], block: bytes) -> None:
    """HDR-03, HDR-27: null and absent are one; the order is that of the file."""
    plan = HeaderPlan((ClaimHeader("X-Plan", "org.plan", "free"), ClaimHeader("X-Email", "email")))

    assert block == plan.render(claims)


def test_all_headers_together_have_a_limit() -> None:
    """HDR-26: several claims that fit one by one do not fit together."""
    plan = HeaderPlan(tuple(ClaimHeader(f"X-{number}", "claim") for number in range(3)))
    long = "x" * (MAX_BLOCK_BYTES // 3)

    with pytest.raises(UnfitClaimError) as caught:
        plan.render({"claim": long})
    assert caught.value.header == "X-2"
