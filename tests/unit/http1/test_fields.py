"""The field section: each field goes where its kind belongs, and framing has one reading."""

import pytest

from gateway.errors import ProtocolError, Reason
from gateway.http1.fields import Fields, parse_fields
from gateway.http1.names import NameTable


def _parse(*lines: bytes, max_fields: int = 100) -> Fields:
    names = NameTable(reserved=[b"X-User"], credentials=[b"Authorization"], cookies=True)
    return parse_fields(
        b"".join(line + b"\r\n" for line in (*lines, b"")), names, max_fields=max_fields
    )


def test_fields_are_sorted_by_kind_and_kept_as_they_came() -> None:
    """What passes keeps its order, its spelling and its white space."""
    fields = _parse(
        b"Host: GW.test:80",
        b"aCCept:  a , b ",
        b"X-User: admin",
        b"Authorization: Bearer  x ",
        b"Cookie: a=b",
        b"X_Odd: 1",
        b"TE: gzip",
        b"X-Forwarded-For: 192.0.2.1",
        b"X-Request-Id: one",
        b"Accept:",
    )

    assert fields.lines == [b"aCCept:  a , b ", b"Accept:"]
    assert (fields.host, fields.authority) == (b"gw.test", b"GW.test:80")
    assert fields.credentials == [(b"authorization", b"Bearer  x", b"Authorization: Bearer  x ")]
    assert fields.cookies == [b"Cookie: a=b"]
    assert fields.forwarding == [(b"x-forwarded-for", b"X-Forwarded-For: 192.0.2.1")]
    assert fields.request_id == b"one"
    assert (fields.has_body, fields.keep_alive, fields.websocket) == (False, None, False)


def test_no_field_at_all_is_a_field_section() -> None:
    """HTTP/1.0 needs none."""
    assert _parse().authority is None


@pytest.mark.parametrize(
    ("lines", "length", "chunked", "has_body"),
    [
        pytest.param([b"Content-Length: 005 "], 5, False, True, id="length"),
        pytest.param([b"Content-Length: 0"], 0, False, False, id="empty"),
        pytest.param([b"Transfer-Encoding: \tChunked "], None, True, True, id="chunked"),
    ],
)
def test_framing_is_understood(
    *,
    lines: list[bytes],
    length: int | None,
    chunked: bool,
    has_body: bool,
) -> None:
    """RFC 9112 section 6: a length or the chunked coding, else no body."""
    fields = _parse(*lines)

    assert (length, chunked, has_body) == (
        fields.content_length,
        fields.chunked,
        fields.has_body,
    )


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        pytest.param([b"Host: a", b"Host: a"], "bad_request", id="two-hosts"),
        pytest.param([b"Host: a, b"], "bad_request", id="bad-host"),
        pytest.param([b"Content-Length: 1", b"Content-Length: 1"], "bad_request", id="two-lengths"),
        pytest.param([b"Content-Length: +1"], "bad_request", id="signed-length"),
        pytest.param([b"Content-Length: 1" + b"0" * 20], "bad_request", id="long-length"),
        pytest.param(
            [b"Content-Length: 1", b"Transfer-Encoding: chunked"], "bad_request", id="both"
        ),
        pytest.param(
            [b"Transfer-Encoding: chunked"] * 2, "bad_request", id="two-transfer-encodings"
        ),
        pytest.param([b"Transfer-Encoding: gzip, chunked"], "not_implemented", id="gzip"),
        pytest.param([b"Transfer-Encoding: gzip"], "bad_request", id="not-chunked"),
        pytest.param([b"Transfer-Encoding: chunked, gzip"], "bad_request", id="chunked-inside"),
        pytest.param([b"Transfer-Encoding: , chunked"], "bad_request", id="empty-coding"),
        pytest.param([b"Transfer-Encoding: identity, chunked"], "bad_request", id="identity"),
        pytest.param([b"Connection: close, Host"], "bad_request", id="connection-host"),
        pytest.param([b"Connection: content-length"], "bad_request", id="connection-length"),
        pytest.param([b"Connection: Transfer-Encoding"], "bad_request", id="connection-coding"),
        pytest.param(
            [b"Connection: upgrade", b"Upgrade: websocket", b"Content-Length: 1"],
            "bad_request",
            id="websocket-with-body",
        ),
    ],
)
def test_what_two_readers_could_cut_differently_is_refused(lines: list[bytes], reason: str) -> None:
    """RFC 9112 section 6.3 and DESIGN.md section 10."""
    with pytest.raises(ProtocolError) as caught:
        _parse(*lines)

    assert caught.value.reason == reason


def test_more_fields_than_allowed_are_refused() -> None:
    """DESIGN.md section 6: 431 beyond the limit, and not at it."""
    assert len(_parse(b"A: b", b"A: b", max_fields=2).lines) == 2
    with pytest.raises(ProtocolError) as caught:
        _parse(b"A: b", b"A: b", b"A: b", max_fields=2)

    assert caught.value.reason is Reason.HEADERS_TOO_LARGE


@pytest.mark.parametrize(
    ("lines", "keep_alive"),
    [
        pytest.param([b"Connection: Close"], False, id="close"),
        pytest.param([b"Connection: keep-alive"], True, id="keep-alive"),
        pytest.param([b"Connection: keep-alive", b"Connection: x, close"], False, id="both"),
        pytest.param([b"Connection: ,"], None, id="neither"),
    ],
)
def test_connection_says_what_becomes_of_it(*, lines: list[bytes], keep_alive: bool | None) -> None:
    """RFC 9112 section 9.3: close wins."""
    assert keep_alive is _parse(*lines).keep_alive


def test_connection_takes_away_what_it_names_in_any_spelling() -> None:
    """RFC 9110 section 7.6.1; never the credential or the cookie (CVE-2024-45410)."""
    fields = _parse(
        b"X-Hop: 1",
        b"X-Stay: 2",
        b"Authorization: Basic x",
        b"Cookie: a=b",
        b"Connection: x_hop, Authorization, Cookie",
    )

    assert fields.lines == [b"X-Stay: 2"]
    assert len(fields.credentials) == len(fields.cookies) == 1


@pytest.mark.parametrize(
    ("lines", "websocket"),
    [
        pytest.param([b"Connection: Upgrade", b"Upgrade: WebSocket"], True, id="handshake"),
        pytest.param([b"Upgrade: websocket"], False, id="not-in-connection"),
        pytest.param([b"Connection: upgrade", b"Upgrade: h2c"], False, id="other-protocol"),
        pytest.param([b"Connection: upgrade"], False, id="no-protocol"),
    ],
)
def test_a_websocket_handshake_is_known(*, lines: list[bytes], websocket: bool) -> None:
    """RFC 6455 section 4.1; any other offer to upgrade is ignored (RFC 9110 section 7.8)."""
    assert websocket is _parse(*lines).websocket


@pytest.mark.parametrize(
    ("lines", "expects"),
    [
        pytest.param([], (False, False), id="nothing"),
        pytest.param([b"Expect: 100-Continue"], (True, False), id="continue"),
        pytest.param([b"Expect: a cake"], (False, True), id="other"),
    ],
)
def test_expectations_are_known(lines: list[bytes], expects: tuple[bool, bool]) -> None:
    """RFC 9110 section 10.1.1: there is one that can be met."""
    fields = _parse(*lines)

    assert expects == (fields.expects_continue, fields.expects_other)


_PARENT = b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_STATE = b"tracestate: vendor=1"


@pytest.mark.parametrize(
    ("lines", "passed"),
    [
        pytest.param([_PARENT, _STATE, _STATE], True, id="whole"),
        pytest.param([_STATE, _PARENT], True, id="the-other-way-round"),
        pytest.param([_PARENT, _PARENT], False, id="twice"),
        pytest.param([_PARENT[:-1], _STATE], False, id="malformed"),
        pytest.param([_STATE], False, id="state-alone"),
    ],
)
def test_a_trace_context_passes_whole_or_not_at_all(*, lines: list[bytes], passed: bool) -> None:
    """W3C Trace Context sections 3.2 and 3.3; the other fields stay, in their order."""
    fields = _parse(b"A: 1", *lines, b"B: 2")

    between = lines if passed else []
    assert fields.lines == [b"A: 1", *between, b"B: 2"]
    assert (fields.trace_parent is not None) == passed
