"""Small request bodies, read strictly: one JSON object or one form, in UTF-8, each name once.

Starlette's own readers take duplicate names, fall back to Latin-1 and guess the encoding of JSON.
What is refused here is refused with a fixed sentence: ``ProtocolError`` never quotes the body.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from gateway.errors import CredentialError, ProtocolError, Reason
from gateway.policy.tokens import parse_json_object

MAX_BODY_BYTES: Final = 64 * 1024  # DESIGN.md section 3; the data plane stops there too
MAX_FORM_FIELDS: Final = 100

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"

# pct-encoded = "%" HEXDIG HEXDIG   -- RFC 3986 section 2.1; ``parse_qsl`` lets any other % stand
_WELL_ESCAPED: Final = re.compile(r"[^%]*(?:%[0-9A-Fa-f]{2}[^%]*)*")
_UTF8: Final = frozenset(("utf-8", "utf8"))


async def read_members(request: Request) -> Mapping[str, Any]:
    """Return the members of the JSON object, or the fields of the form, that a request carries.

    Raises:
        ProtocolError: ``unsupported_media_type`` for any other media type, for none, for a charset
            but UTF-8 and for a content coding (nothing is ever inflated); ``body_too_large``;
            ``bad_request`` for a body that is not what its type says or names one thing twice.
    """
    _check_coding(request)
    media_type = _media_type(request)
    if media_type not in (_JSON, _FORM):
        raise ProtocolError(Reason.UNSUPPORTED_MEDIA_TYPE, f"Send {_JSON} or {_FORM}, in UTF-8.")
    body = await _read_body(request)
    return _parse_json(body) if media_type == _JSON else _parse_form(body)


async def read_json_members(request: Request) -> Mapping[str, Any]:
    """Return the members of the JSON object that a request carries; a form is no such object.

    Raises:
        ProtocolError: As ``read_members`` does.
    """
    check_json(request)
    return _parse_json(await _read_body(request))


def check_json(request: Request) -> None:
    """Check that a request says that its body is JSON, as it is.

    Raises:
        ProtocolError: ``unsupported_media_type``.
    """
    _check_coding(request)
    if _media_type(request) != _JSON:
        raise ProtocolError(Reason.UNSUPPORTED_MEDIA_TYPE, f"Send {_JSON}, in UTF-8.")


def _check_coding(request: Request) -> None:
    codings = ",".join(request.headers.getlist("content-encoding")).split(",")
    if any(coding.strip().lower() not in ("", "identity") for coding in codings):
        raise ProtocolError(Reason.UNSUPPORTED_MEDIA_TYPE, "No content coding is taken here.")


def _media_type(request: Request) -> str:
    """Return the media type without its parameters; empty where it is in doubt, or not UTF-8.

    It is never guessed from the body: another site's page can have a browser send JSON as
    ``text/plain`` without asking first, but not as what it is (Fetch standard, CORS-safelisted
    request-header).
    """
    values = request.headers.getlist("content-type")
    media_type, *parameters = (part.strip().lower() for part in "".join(values[:1]).split(";"))
    charsets = (p.removeprefix("charset=").strip('"') for p in parameters if p[:8] == "charset=")
    return media_type if len(values) == 1 and _UTF8.issuperset(charsets) else ""


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise ProtocolError(Reason.BODY_TOO_LARGE, "The body is larger than 64 KiB.")
    except ClientDisconnect:
        raise ProtocolError(Reason.BAD_REQUEST, "The body was cut off.") from None
    return bytes(body)


def _parse_json(body: bytes) -> dict[str, Any]:
    try:
        return parse_json_object(body)
    except CredentialError:
        raise ProtocolError(Reason.BAD_REQUEST, "The body is not one valid JSON object.") from None


def _parse_form(body: bytes) -> dict[str, str]:
    """Read a form; names and values may hold UTF-8 unescaped, as ``curl -d`` sends it."""
    fault = ProtocolError(Reason.BAD_REQUEST, "The body is not a valid form.")
    try:
        text = body.decode("utf-8")
        pairs = parse_qsl(
            text,
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MAX_FORM_FIELDS,
        )
    except ValueError:  # UnicodeDecodeError is one
        raise fault from None
    fields = dict(pairs)
    if len(fields) != len(pairs) or _WELL_ESCAPED.fullmatch(text) is None:
        raise fault
    return fields
