"""A route's path: literal segments, ``{name}`` or ``*`` for one segment, ``**`` for the rest.

A literal is held to the rules that requests are held to (``http1.target``): one that no request can
have is an error, since its route would never match.
"""

import re
from typing import Annotated, Final
from urllib.parse import quote, unquote_to_bytes

from pydantic import AfterValidator, WithJsonSchema

from gateway.config.fields import VARIABLE, Text, refusal
from gateway.errors import ProtocolError
from gateway.http1.target import parse_target

ONE: Final = b"*"
REST: Final = b"**"

_NAMED: Final = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
_UNESCAPED: Final = "-._~!$&'()*+,=:@"  # pchar of RFC 3986 without ";", as in ``http1.target``
_WILDCARD_CURE: Final = "a segment is a literal, {name}, * or **, and nothing beside it"


def split_path(path: str) -> tuple[bytes, ...]:
    """Return a checked path's segments in the form of ``routing.Pattern``: ``*`` for ``{name}``."""
    segments = path.removesuffix("/").split("/")[1:]
    return tuple(
        ONE if _NAMED.fullmatch(segment) else segment.encode("ascii") for segment in segments
    )


def is_wildcard(segment: bytes) -> bool:
    """Whether a segment of a pattern takes more than itself."""
    return segment in (ONE, REST)


def _check_path(path: str) -> str:
    if not path.startswith("/"):
        raise refusal(
            "the path does not begin with '/'", f"write /{path}" if path.isascii() else ""
        )
    segments = path[1:].split("/")
    names = [segment for segment in segments if _NAMED.fullmatch(segment)]
    for name in names:
        if names.count(name) > 1:
            raise refusal(f"the path names {name} twice", "give each segment a name of its own")
    if "**" in segments[:-1]:
        raise refusal("** stands before the end of the path", "** takes all the rest; use * here")
    for segment in segments:
        if segment not in ("*", "**", *names):
            _check_literal(segment)
    _check_reachable("/".join(["", *("x" if s in ("*", "**", *names) else s for s in segments)]))
    return path


def _check_literal(segment: str) -> None:
    if "?" in segment or "#" in segment:
        raise refusal("the path has a query or a fragment", "routes match the path only; remove it")
    if "*" in segment or "{" in segment or "}" in segment:
        raise refusal(f"the segment '{segment}' is partly a wildcard", _WILDCARD_CURE)
    canonical = quote(unquote_to_bytes(segment), safe=_UNESCAPED)
    if "%" in segment and segment != canonical:
        raise refusal(f"the segment '{segment}' can never match", f"write {canonical}")
    if not segment.isascii() or segment != segment.replace(" ", ""):
        raise refusal(f"the segment '{segment}' can never match", f"write {canonical}")


def _check_reachable(path: str) -> None:
    try:
        parse_target(path.encode("ascii"), None)
    except ProtocolError as error:
        why = error.detail[:1].lower() + error.detail[1:].rstrip(".")
        cure = "such requests are refused (ambiguous_path); write the path that services see"
        raise refusal(f"the path can never match: {why}", cure) from None


def _check_prefix(prefix: str) -> str:
    if not prefix.startswith("/") or prefix.endswith("/"):
        raise refusal("{value} is not a prefix of whole segments", "write it as /api")
    for segment in prefix[1:].split("/"):
        _check_literal(segment)
    _check_reachable(prefix)
    return prefix


def _check_template(template: str) -> str:
    if not template.startswith("/"):
        raise refusal("the path does not begin with '/'", "write it as /v2/{id}/items")
    segments = template[1:].split("/")
    if "*" in segments:
        raise refusal(
            "* says not which segment is meant", "name it in 'path', as {id}, and write {id} here"
        )
    if "**" in segments[:-1]:
        raise refusal("** stands before the end of the path", "write it last")
    literals = ["x" if s == "**" or _NAMED.fullmatch(s) else s for s in segments]
    for literal in literals:
        _check_literal(literal)
    _check_readable("/".join(["", *literals]))
    return template


def _check_readable(path: str) -> None:
    try:
        parse_target(path.encode("ascii"), None)
    except ProtocolError as error:
        why = error.detail[:1].lower() + error.detail[1:].rstrip(".")
        raise refusal(f"services could misread it: {why}", "write the path that they see") from None


_PATH_JSON: Final = WithJsonSchema({"type": "string", "pattern": "^/|" + VARIABLE})
RoutePath = Annotated[Text, AfterValidator(_check_path), _PATH_JSON]
RewriteTemplate = Annotated[Text, AfterValidator(_check_template), _PATH_JSON]
StripPrefix = Annotated[Text, AfterValidator(_check_prefix), _PATH_JSON]
