"""Identity headers: verified claims as field lines that a service can read without guessing.

Every value is text that decodes to the claim in one way only: bytes outside ASCII, and the percent
sign itself, are percent-encoded UTF-8; in a list so is the comma. A control byte is never encoded
away but refuses the request, since no honest issuer puts one into a claim.
"""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from gateway.policy.claims import Claims, find_claim

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# The lookbehind keeps the search linear: each run of spaces is tried once, from its start.
_ENCODED: Final = re.compile(rb"[%\x80-\xff]|^ +|(?<! ) +$")
_ENCODED_IN_LIST: Final = re.compile(rb"[%,\x80-\xff]|^ +|(?<! ) +$")

# Made once: ``json.dumps`` with options makes one each time, a fifth of what these bytes cost.
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=dict)

MAX_BLOCK_BYTES: Final = 16 * 1024  # of all identity headers; half of what we take as a head


class HeaderFormat(Enum):
    """How a claim becomes a field value."""

    TEXT = "text"
    BASE64URL_JSON = "base64url-json"


@dataclass(frozen=True, slots=True)
class ClaimHeader:
    """One identity header."""

    name: str
    claim: str  # a path, or "*" for all claims
    default: str | None = None
    format: HeaderFormat = HeaderFormat.TEXT


class UnfitClaimError(ValueError):
    """A claim that no field value can carry; *header* names the one that it was meant for."""

    def __init__(self, header: str) -> None:
        super().__init__(header)
        self.header = header


class HeaderPlan:
    """The identity headers of a route, in order. Compared by identity, so that it can be a key."""

    __slots__ = ("_steps", "headers")

    def __init__(self, headers: tuple[ClaimHeader, ...]) -> None:
        self.headers = headers
        self._steps = [
            (header, header.name.encode("ascii") + b": ", _FORMATS[header.format])
            for header in headers
        ]

    def render(self, claims: Claims) -> bytes:
        """Return the field lines for *claims*, each with its CRLF.

        Raises:
            UnfitClaimError: A value has a control byte, or all of them are too long together.
        """
        lines = []
        length = 0
        for header, start, write in self._steps:
            value = find_claim(claims, header.claim)
            if value is None:
                value = header.default
            if value is None:
                continue
            try:
                text = write(value)
            except (ValueError, RecursionError):  # control byte, lone surrogate; nested too deep
                raise UnfitClaimError(header.name) from None
            line = start + text + b"\r\n"
            length += len(line)
            if length > MAX_BLOCK_BYTES:
                raise UnfitClaimError(header.name)
            lines.append(line)
        return b"".join(lines)


def _format_text(value: object) -> bytes:
    if isinstance(value, list):
        return b",".join([_encode(item, _ENCODED_IN_LIST) for item in value])
    return _encode(value, _ENCODED)


def _encode(value: object, special: re.Pattern[bytes]) -> bytes:
    text = value if isinstance(value, str) else _compact_json(value)
    if _is_plain(text):
        return text.encode("ascii")
    if _CONTROL.search(text):
        raise ValueError("control byte")
    return special.sub(_percent, text.encode("utf-8"))


def _is_plain(text: str) -> bool:
    """Whether nothing of *text* is encoded anywhere; true of nearly all, and soon found out."""
    if not (text.isascii() and text.isprintable()):
        return False
    return "%" not in text and "," not in text and text.strip(" ") == text


def _percent(match: re.Match[bytes]) -> bytes:
    return b"".join(b"%%%02X" % byte for byte in match[0])


def _format_base64url_json(value: object) -> bytes:
    return base64.urlsafe_b64encode(_compact_json(value).encode("utf-8")).rstrip(b"=")


def _compact_json(value: object) -> str:
    return _JSON.encode(value)


_FORMATS: Final[dict[HeaderFormat, Callable[[Any], bytes]]] = {
    HeaderFormat.TEXT: _format_text,
    HeaderFormat.BASE64URL_JSON: _format_base64url_json,
}
