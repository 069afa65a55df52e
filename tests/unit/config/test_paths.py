"""Paths of routes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gateway.config.paths import RewriteTemplate, RoutePath, StripPrefix, is_wildcard, split_path
from gateway.http1.target import parse_target

SPLIT = [
    ("/", ()), ("/**", (b"**",)), ("/a/b", (b"a", b"b")), ("/a/", (b"a",)),
    ("/a/{id}/*/**", (b"a", b"*", b"*", b"**")), ("/.well-known/x", (b".well-known", b"x")),
    ("/%C3%A9t%C3%A9", (b"%C3%A9t%C3%A9",)), ("/a@b:c=d", (b"a@b:c=d",)),
]  # fmt: skip

REFUSED = [
    (RoutePath, "api", "the path does not begin with '/'", "write /api"),
    (RoutePath, "/{a}/{a}", "the path names {a} twice", "give each segment a name of its own"),
    (
        RoutePath,
        "/**/a",
        "** stands before the end of the path",
        "** takes all the rest; use * here",
    ),
    (RoutePath, "/a*", "the segment 'a*' is partly a wildcard", None),
    (RoutePath, "/{a}.json", "the segment '{a}.json' is partly a wildcard", None),
    (RoutePath, "/{1}", "the segment '{1}' is partly a wildcard", None),
    (RoutePath, "/***", "the segment '***' is partly a wildcard", None),
    (RoutePath, "/a?b=c", "the path has a query or a fragment", None),
    (RoutePath, "/a#b", "the path has a query or a fragment", None),
    (RoutePath, "/\xe9t\xe9", "the segment '\xe9t\xe9' can never match", "write %C3%A9t%C3%A9"),
    (RoutePath, "/a b", "the segment 'a b' can never match", "write a%20b"),
    (RoutePath, "/%61", "the segment '%61' can never match", "write a"),
    (RoutePath, "/%c3%a9", "the segment '%c3%a9' can never match", "write %C3%A9"),
    (RoutePath, "/a//b", "the path can never match: the path has an empty or a dot segment", None),
    (
        RoutePath,
        "/a/../b",
        "the path can never match: the path has an empty or a dot segment",
        None,
    ),
    (
        RoutePath,
        "/a;b",
        "the path can never match: the path has a character that must be escaped",
        None,
    ),
    (
        RoutePath,
        "/a%2Fb",
        "the path can never match: the path has an escape with two readings",
        None,
    ),
    (RoutePath, "/%FF", "the path can never match: the path's escapes are not UTF-8", None),
    (RewriteTemplate, "v2", "the path does not begin with '/'", "write it as /v2/{id}/items"),
    (RewriteTemplate, "/*", "* says not which segment is meant", None),
    (RewriteTemplate, "/**/a", "** stands before the end of the path", "write it last"),
    (RewriteTemplate, "/{a}.json", "the segment '{a}.json' is partly a wildcard", None),
    (RewriteTemplate, "/a?b", "the path has a query or a fragment", None),
    (
        RewriteTemplate,
        "//evil",
        "services could misread it: the path has an empty or a dot segment",
        "write the path that they see",
    ),
    (
        RewriteTemplate,
        "/v2/../{id}",
        "services could misread it: the path has an empty or a dot segment",
        None,
    ),
    (StripPrefix, "api", "{value} is not a prefix of whole segments", "write it as /api"),
    (StripPrefix, "/api/", "{value} is not a prefix of whole segments", "write it as /api"),
    (StripPrefix, "/", "{value} is not a prefix of whole segments", "write it as /api"),
    (StripPrefix, "/*", "the segment '*' is partly a wildcard", None),
    (
        StripPrefix,
        "/a//b",
        "the path can never match: the path has an empty or a dot segment",
        None,
    ),
]


@pytest.mark.parametrize(("path", "segments"), SPLIT)
def test_a_path_becomes_a_pattern(path: str, segments: tuple[bytes, ...]) -> None:
    """Names are for people: ``{id}`` is ``*``; a final slash makes no segment, as in requests."""
    assert split_path(TypeAdapter[str](RoutePath).validate_python(path)) == segments


@pytest.mark.parametrize(("kind", "path", "fault", "cure"), REFUSED)
def test_a_path_that_can_never_match_is_refused(
    kind: Any, path: str, fault: str, cure: str | None
) -> None:
    """DESIGN.md section 2: a route that can never match is an error when the file is loaded."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(path)

    (error,) = caught.value.errors()
    assert error["ctx"]["fault"] == fault
    assert error["ctx"]["cure"] == cure if cure else error["ctx"]["cure"]


@given(st.text(alphabet="ab.%2fFcC3A9;*{}/?#\\ \xe9", max_size=8))
def test_a_literal_path_that_is_taken_can_be_requested(text: str) -> None:
    """What the configuration takes as a literal is what a request may have, byte for byte."""
    try:
        path = TypeAdapter[str](RoutePath).validate_python("/" + text)
    except ValidationError:
        return
    segments = split_path(path)
    if not any(map(is_wildcard, segments)):
        assert tuple(parse_target(path.encode("ascii"), None).segments) == segments
