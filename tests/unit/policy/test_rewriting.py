"""Rewritten paths: whole segments, each with one reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ProtocolError
from gateway.http1.target import parse_target
from gateway.policy.rewriting import compile_rewrite

CASES = [
    pytest.param("/api/{id}/**", "/v2/{id}/items", "/api/7/a/b", "/v2/7/items", id="named"),
    pytest.param("/api/{id}/**", "/v2/{id}/**", "/api/7/a/b", "/v2/7/a/b", id="rest"),
    pytest.param("/api/{id}/**", "/v2/{id}/**", "/api/7", "/v2/7", id="empty-rest"),
    pytest.param("/api/{id}/**", "/v2/{id}/**", "/api/7/", "/v2/7/", id="rest-is-a-slash"),
    pytest.param("/api/{id}/**", "/**", "/api/7/a/", "/a/", id="rest-with-final-slash"),
    pytest.param("/api/{id}/**", "/**", "/api/7", "/", id="nothing-left"),
    pytest.param("/**", "/x/**", "/", "/x/", id="everything"),
    pytest.param("/{a}/{b}", "/{b}/{a}/", "/1/2", "/2/1/", id="turned-round"),
    pytest.param("/{a}/{b}", "/{a}", "/1/2/", "/1", id="final-slash-is-the-templates"),
    pytest.param("/a/*/{b}", "/{b}", "/a/1/2", "/2", id="beside-a-star"),
    pytest.param("/{a}", "/q/{a}", "/a%20b", "/q/a%20b", id="escapes-stay"),
    pytest.param("/a", "/", "/a", "/", id="root"),
]


@pytest.mark.parametrize(("path", "template", "requested", "sent"), CASES)
def test_a_path_is_made_of_what_was_captured(
    path: str, template: str, requested: str, sent: str
) -> None:
    """By place; a final slash belongs to the rest, or to the template."""
    target = parse_target(requested.encode("ascii"), None)

    assert compile_rewrite(template, path).path(target) == sent.encode("ascii")


@pytest.mark.parametrize(
    ("path", "template", "missing"),
    [("/{a}", "/{b}", "{b}"), ("/{a}", "/**", "**"), ("/*", "/{a}", "{a}")],
)
def test_what_is_not_captured_cannot_be_named(path: str, template: str, missing: str) -> None:
    """Found when the file is loaded, never with a request."""
    with pytest.raises(KeyError) as caught:
        compile_rewrite(template, path)

    assert caught.value.args == (missing,)


@given(
    rest=st.lists(
        st.one_of(
            st.text("ab./%25ef;\\", max_size=6),
            st.sampled_from(["..", ".", "", "%2e%2e", "%2f", "..;", "..%3b", "%c0%ae", "a%20b"]),
        ),
        max_size=4,
    ),
    template=st.sampled_from(["/**", "/v2/{id}/**", "/{id}", "/a/{id}/b/"]),
)
def test_no_rewritten_path_has_two_readings(rest: list[str], template: str) -> None:
    """THREATS.md PATH-19, PATH-20: neither //evil nor .. comes of what a client may send."""
    try:
        target = parse_target("/".join(["/api", "x", *rest]).encode("ascii"), None)
    except ProtocolError:
        return
    sent = compile_rewrite(template, "/api/{id}/**").path(target)

    assert parse_target(sent, None).path == sent
