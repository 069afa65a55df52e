"""The request target: one reading, or a refusal. ``conformance`` has the rows of THREATS.md A3."""

import pytest

from gateway.errors import ProtocolError, Reason
from gateway.http1.target import parse_target

TAKEN = [
    pytest.param(b"/", b"/", b"", [], id="root"),
    pytest.param(b"/a", b"/a", b"", [b"a"], id="one"),
    pytest.param(b"/a/", b"/a/", b"", [b"a"], id="final-slash"),
    pytest.param(b"/a/b?c=d", b"/a/b", b"?c=d", [b"a", b"b"], id="query"),
    pytest.param(b"/a?", b"/a", b"?", [b"a"], id="empty-query"),
    pytest.param(b"/a?b?//../%2e", b"/a", b"?b?//../%2e", [b"a"], id="query-like-a-path"),
    pytest.param(b"/...", b"/...", b"", [b"..."], id="three-dots"),
    pytest.param(b"/.a/b.", b"/.a/b.", b"", [b".a", b"b."], id="dots-in-names"),
    pytest.param(
        b"/a!$&'()*+,=:@~-_", b"/a!$&'()*+,=:@~-_", b"", [b"a!$&'()*+,=:@~-_"], id="pchar"
    ),
    pytest.param(b"/caf%C3%A9", b"/caf%C3%A9", b"", [b"caf%C3%A9"], id="utf-8"),
    pytest.param(b"/100%25", b"/100%25", b"", [b"100%25"], id="percent-sign"),
    pytest.param(b"http://GW.test/a?b", b"/a", b"?b", [b"a"], id="absolute"),
    pytest.param(b"HTTPS://gw.test", b"/", b"", [], id="absolute-without-path"),
    pytest.param(b"http://gw.test?a", b"/", b"?a", [], id="absolute-query-alone"),
]

REFUSED = [
    pytest.param(b"/a/../b", Reason.AMBIGUOUS_PATH, id="dot-segment"),
    pytest.param(b"/a/.", Reason.AMBIGUOUS_PATH, id="final-dot"),
    pytest.param(b"//a", Reason.AMBIGUOUS_PATH, id="two-slashes"),
    pytest.param(b"/a//", Reason.AMBIGUOUS_PATH, id="final-slashes"),
    pytest.param(b"/a;b", Reason.AMBIGUOUS_PATH, id="semicolon"),
    pytest.param(b"/a%2", Reason.AMBIGUOUS_PATH, id="short-escape"),
    pytest.param(b"/a%2fb", Reason.AMBIGUOUS_PATH, id="escaped-slash"),
    pytest.param(b"/a%7F", Reason.AMBIGUOUS_PATH, id="escaped-delete"),
    pytest.param(b"/a%252e", Reason.AMBIGUOUS_PATH, id="escaped-escape"),
    pytest.param(b"/%25%32%65", Reason.AMBIGUOUS_PATH, id="escaped-escape-throughout"),
    pytest.param(b"/%c0%af", Reason.AMBIGUOUS_PATH, id="overlong"),
    pytest.param(b"/a#b", Reason.AMBIGUOUS_PATH, id="fragment"),
    pytest.param(b"/a?b#c", Reason.AMBIGUOUS_PATH, id="fragment-behind-query"),
    pytest.param(b"a", Reason.BAD_REQUEST, id="no-slash"),
    pytest.param(b"*", Reason.BAD_REQUEST, id="asterisk"),
    pytest.param(b"gw.test:443", Reason.BAD_REQUEST, id="authority"),
    pytest.param(b"ftp://gw.test/", Reason.BAD_REQUEST, id="scheme"),
    pytest.param(b"http://other/", Reason.BAD_REQUEST, id="other-authority"),
    pytest.param(b"http://gw.test:80/", Reason.BAD_REQUEST, id="other-port"),
    pytest.param(b"http:///a", Reason.BAD_REQUEST, id="no-authority"),
]


@pytest.mark.parametrize(("raw", "path", "query", "segments"), TAKEN)
def test_a_target_is_taken_apart_and_not_changed(
    raw: bytes, path: bytes, query: bytes, segments: list[bytes]
) -> None:
    """RFC 9112 section 3.2: origin-form, or absolute-form that names the same authority."""
    target = parse_target(raw, b"gw.test")

    assert (path, query, segments) == (target.path, target.query, target.segments)


@pytest.mark.parametrize(("raw", "reason"), REFUSED)
def test_a_target_with_two_readings_is_refused(raw: bytes, reason: Reason) -> None:
    """DESIGN.md section 5: refused, not repaired."""
    with pytest.raises(ProtocolError) as caught:
        parse_target(raw, b"gw.test")

    assert caught.value.reason is reason


def test_an_absolute_target_needs_a_host_to_agree_with() -> None:
    """HTTP/1.0 may leave Host out; an authority in the target alone is then nobody's."""
    with pytest.raises(ProtocolError):
        parse_target(b"http://gw.test/", None)


@pytest.mark.parametrize("authority", [b"a%00b", b"u@gw.test", b"gw.test, evil"])
def test_an_absolute_target_names_one_host(authority: bytes) -> None:
    """HOST-12: agreeing with a Host that is no host does not help."""
    with pytest.raises(ProtocolError) as caught:
        parse_target(b"http://" + authority + b"/", authority)

    assert caught.value.reason is Reason.BAD_REQUEST
