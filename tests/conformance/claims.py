"""Claim values that must not become a header as they are (THREATS.md A1, HDR-21 to HDR-27).

The rows are data, for the pure core and for sockets: the claim ``sub`` (or another one that is
mapped) and what the service must see of it in its header, or that the request is refused.
"""

from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class ClaimCase:
    """One set of claims and the value of one header; ``X-User`` is sub, ``-Email``, ``-Roles``."""

    id: str
    claims: dict[str, Any] = field(default_factory=dict)
    header: str = "X-User"
    value: bytes | None = None  # None: the service does not see the header
    status: int = 200
    reason: str | None = None


def _mismatch(row: str, **claims: Any) -> ClaimCase:
    return ClaimCase(row, claims, status=403, reason="claim_mismatch")


CLAIM_CASES: Final[tuple[ClaimCase, ...]] = (
    _mismatch("HDR-21-crlf", sub="u\r\nX-Role: admin"),
    _mismatch("HDR-21-lf", sub="u\nX-Role: admin"),
    _mismatch("HDR-21-cr", sub="u\rX-Role: admin"),
    _mismatch("HDR-22-nul", sub="u\x00"),
    _mismatch("HDR-22-delete", sub="u\x7f"),
    _mismatch("HDR-22-c1", sub="u\x85"),
    ClaimCase("HDR-22-spaces", {"sub": " u v "}, value=b"%20u v%20"),
    # Not text at all, so that the token itself is refused.
    ClaimCase("HDR-23", {"sub": "\ud800"}, status=401, reason="token_malformed"),
    ClaimCase("HDR-24-two-bytes", {"sub": "é"}, value=b"%C3%A9"),
    ClaimCase("HDR-24-three-bytes", {"sub": "日本"}, value=b"%E6%97%A5%E6%9C%AC"),
    ClaimCase("HDR-24-percent", {"sub": "%C3%A9"}, value=b"%25C3%25A9"),
    ClaimCase("HDR-25", {"roles": ["user", "x,admin"]}, "X-User-Roles", b"user,x%2Cadmin"),
    _mismatch("HDR-25-crlf-in-list", roles=["user", "x\r\nX-Role: admin"]),
    # A token may be 8 KiB long, and encoding makes three bytes of one.
    _mismatch("HDR-26", email="%" * 5600),
    ClaimCase("HDR-27-null", {"email": None}, "X-User-Email"),
    ClaimCase("HDR-27-true", {"email": True}, "X-User-Email", b"true"),
    ClaimCase("HDR-27-number", {"email": 1000}, "X-User-Email", b"1000"),
    ClaimCase("HDR-27-object", {"email": {"a": [1, None]}}, "X-User-Email", b'{"a":[1,null]}'),
)
