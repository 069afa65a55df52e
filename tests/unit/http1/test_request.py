"""One request head: the line, the version, and what is remembered of the fields."""

import pytest

from gateway.errors import ProtocolError, Reason
from gateway.http1.names import NameTable
from gateway.http1.request import REMEMBERED_BYTES, RequestParser, value_of


@pytest.fixture
def parser() -> RequestParser:
    """A parser that takes little."""
    return RequestParser(NameTable(), max_fields=3, max_target_bytes=20)


REFUSED = [
    pytest.param(b"GET /\r\n\r\n", "bad_request", id="0.9"),
    pytest.param(b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "bad_request", id="two-spaces"),
    pytest.param(b"GET / RTSP/1.0\r\nHost: a\r\n\r\n", "bad_request", id="other-protocol"),
    pytest.param(b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "http_version", id="2.0"),
    pytest.param(b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", "http_version", id="1.2"),
    pytest.param(b"GET / HTTP/1.1\r\nA: b\r\n\r\n", "bad_request", id="no-host"),
    pytest.param(b"GET /" + b"a" * 20 + b" HTTP/1.1\r\n\r\n", "uri_too_long", id="long-target"),
    pytest.param(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "not_implemented", id="connect"),
    pytest.param(b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "not_implemented", id="trace"),
    pytest.param(b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "bad_request", id="asterisk"),
    pytest.param(b"GET /.. HTTP/1.1\r\nHost: a\r\n\r\n", "ambiguous_path", id="dot-segments"),
    pytest.param(
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "bad_request", id="1.0-chunked"
    ),
    pytest.param(
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", "expectation_failed", id="expectation"
    ),
    pytest.param(
        b"GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\nC:\r\n\r\n", "headers_too_large", id="fields"
    ),
]


@pytest.mark.parametrize(("head", "reason"), REFUSED)
def test_a_head_that_may_not_be_decided_on_is_refused(
    parser: RequestParser, head: bytes, reason: str
) -> None:
    """RFC 9112 sections 2 and 3; a second time as well, when it may be remembered."""
    for _ in range(2):
        with pytest.raises(ProtocolError) as caught:
            parser.parse(head)
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("head", "keep_alive", "expects_continue"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True, False, id="1.1"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", False, False, id="1.0"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", False, False, id="1.1-close"
        ),
        pytest.param(
            b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True, False, id="1.0-keep"
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", True, True, id="expect"
        ),
        pytest.param(
            b"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", False, False, id="1.0-expect"
        ),
        pytest.param(b"GET / HTTP/1.0\r\nExpect: x\r\n\r\n", False, False, id="1.0-expect-other"),
    ],
)
def test_the_two_versions_differ(
    *,
    parser: RequestParser,
    head: bytes,
    keep_alive: bool,
    expects_continue: bool,
) -> None:
    """RFC 9112 section 9.3, RFC 9110 section 10.1.1."""
    request = parser.parse(head)

    assert (keep_alive, expects_continue) == (request.keep_alive, request.expects_continue)


def test_options_may_ask_of_the_gateway_itself(parser: RequestParser) -> None:
    """RFC 9112 section 3.2.4: asterisk-form."""
    target = parser.parse(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").target

    assert (target.path, target.query, target.segments) == (b"*", b"", [])


def test_equal_field_sections_are_sorted_once(parser: RequestParser) -> None:
    """What is remembered are the fields, never the line in front of them."""
    section = b"Host: a\r\nX: y\r\n\r\n"
    one = parser.parse(b"GET /a HTTP/1.1\r\n" + section)
    other = parser.parse(b"POST /b?c HTTP/1.1\r\n" + section)

    assert one.fields is other.fields
    assert (one.method, one.target.path) == (b"GET", b"/a")
    assert (other.method, other.target.path, other.target.query) == (b"POST", b"/b", b"?c")


def test_long_field_sections_are_not_remembered(parser: RequestParser) -> None:
    """The memory is bounded in bytes as well."""
    head = b"GET /a HTTP/1.1\r\nHost: a\r\nX: " + b"y" * REMEMBERED_BYTES + b"\r\n\r\n"

    assert parser.parse(head).fields is not parser.parse(head).fields


@pytest.mark.parametrize("line", [b"A:b", b"A: b", b"A:\t b \t"])
def test_a_value_stands_without_the_white_space_around_it(line: bytes) -> None:
    """RFC 9110 section 5.5."""
    assert value_of(line) == b"b"


def test_a_refusal_never_quotes_the_request(parser: RequestParser) -> None:
    """DESIGN.md section 4: detail is a fixed sentence."""
    with pytest.raises(ProtocolError) as caught:
        parser.parse(b"GET /secret/.. HTTP/1.1\r\nHost: a\r\n\r\n")

    assert caught.value.reason is Reason.AMBIGUOUS_PATH
    assert "secret" not in caught.value.detail
