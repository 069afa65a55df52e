"""Identity headers say what the claim says, and nothing that a field value cannot hold."""

import json
from base64 import urlsafe_b64decode
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import h11
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.policy.claim_headers import ClaimHeader, HeaderFormat, HeaderPlan, UnfitClaimError

_TEXT: Final = st.text(st.one_of(st.characters(), st.sampled_from(' ,%";\r\n\t\0\x7f\x85é')))
_JSON: Final[st.SearchStrategy[Any]] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
_CONTROL: Final = frozenset(map(chr, (*range(0x20), *range(0x7F, 0xA0))))


def _render(claims: dict[str, Any], header: ClaimHeader) -> bytes | None:
    """Return the field's value; None where the claim is refused, empty where there is none."""
    try:
        block = HeaderPlan((header,)).render(claims)
    except UnfitClaimError as error:
        assert error.header == header.name  # noqa: PT017 (the refusal is a value here)
        return None
    if not block:
        return b""
    assert block.startswith(b"X-Claim: ")
    assert block.endswith(b"\r\n")
    return block[len(b"X-Claim: ") : -2]


@given(_TEXT)
@example("x" + " " * 6000 + "x")
def test_percent_decoding_gives_the_text_back(text: str) -> None:
    """DESIGN.md section 5: a value outside ASCII is percent-encoded UTF-8."""
    value = _render({"claim": text}, ClaimHeader("X-Claim", "claim"))

    if value is None:
        assert not _CONTROL.isdisjoint(text) or any("\ud800" <= c <= "\udfff" for c in text)
    else:
        assert text == unquote_to_bytes(value).decode("utf-8")
        assert value == value.strip()


@given(st.lists(_TEXT, min_size=1, max_size=5))
def test_splitting_at_commas_and_decoding_gives_the_list_back(items: list[str]) -> None:
    """HDR-25: an item cannot add another one to a list."""
    value = _render({"claim": items}, ClaimHeader("X-Claim", "claim"))

    if value is not None:
        assert items == [unquote_to_bytes(item).decode("utf-8") for item in value.split(b",")]


@given(_JSON)
def test_base64url_json_gives_the_claim_back(claim: Any) -> None:
    """The form for services that want more than text: JSON that nothing can break."""
    header = ClaimHeader("X-Claim", "*", format=HeaderFormat.BASE64URL_JSON)
    value = _render({"claim": claim}, header)

    if value is not None:
        assert {"claim": claim} == json.loads(urlsafe_b64decode(value + b"=" * (-len(value) % 4)))


@given(_JSON, st.sampled_from(HeaderFormat))
def test_whatever_the_claim_the_value_is_one_field_value(claim: Any, form: HeaderFormat) -> None:
    """HDR-21 to HDR-24: never CR, LF or NUL, only visible ASCII and inner spaces."""
    value = _render({"claim": claim}, ClaimHeader("X-Claim", "claim", format=form))

    if value is not None:
        assert all(0x20 <= byte < 0x7F for byte in value)
        h11.Request(method="GET", target="/", headers=[(b"Host", b"a"), (b"X-Claim", value)])
