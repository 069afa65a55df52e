"""The chunked coding: what ends a body, what breaks it, and what it may cost."""

import pytest

from gateway.errors import ProtocolError, Reason
from gateway.http1.chunked import (
    LAST_CHUNK,
    MAX_LINE_BYTES,
    MAX_META_BYTES,
    ChunkedDecoder,
    encode_chunk,
)

TAKEN = [
    pytest.param(b"0\r\n\r\n", b"", id="empty"),
    pytest.param(b"3\r\nabc\r\n0\r\n\r\n", b"abc", id="one"),
    pytest.param(b"1\r\na\r\n0002\r\nbc\r\n000\r\n\r\n", b"abc", id="leading-zeros"),
    pytest.param(b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789", id="upper-case"),
    pytest.param(b'3;a;b=c;d="e\\"f;"\r\nabc\r\n0\r\n\r\n', b"abc", id="extensions"),
    pytest.param(b"3\r\n\r\n0\r\n0\r\n\r\n", b"\r\n0", id="data-like-framing"),
    pytest.param(b"0\r\nX-User: admin\r\nX:\r\n\r\n", b"", id="trailers-dropped"),
]

REFUSED = [
    pytest.param(b"\r\n", id="no-size"),
    pytest.param(b"-1\r\n", id="negative"),
    pytest.param(b"+1\r\n", id="plus"),
    pytest.param(b"0x1\r\n", id="prefix"),
    pytest.param(b"1_0\r\n", id="underscore"),
    pytest.param(b" 1\r\n", id="leading-space"),
    pytest.param(b"1 \r\n", id="trailing-space"),
    pytest.param(b"1\t;a\r\n", id="tab"),
    pytest.param(b"11111111111111111\r\n", id="17-digits"),
    pytest.param(b"1\n", id="bare-lf"),
    pytest.param(b"1\r\r\n", id="two-cr"),
    pytest.param(b"1;\r\n", id="empty-extension"),
    pytest.param(b"1; a\r\n", id="space-in-extension"),
    pytest.param(b"1;a=\r\n", id="extension-without-value"),
    pytest.param(b'1;a="\r\n', id="open-quote"),
    pytest.param(b"1;a\x00\r\n", id="control"),
    pytest.param(b"3\r\nabcd\r\n", id="longer-than-its-size"),
    pytest.param(b"3\r\nabcd", id="longer-than-its-size-at-once"),
    pytest.param(b"3\r\nabc\n", id="data-ends-in-lf"),
    pytest.param(b"0\r\n\n", id="last-ends-in-lf"),
    pytest.param(b"0\r\nX\r\n", id="trailer-without-colon"),
    pytest.param(b"0\r\nX : a\r\n", id="trailer-name-with-space"),
    pytest.param(b"0\r\n X: a\r\n", id="folded-trailer"),
    pytest.param(b"0\r\nX: a\x01\r\n", id="trailer-with-control"),
    pytest.param(b"0\r\nContent-Length: 5\r\n", id="framing-in-trailer"),
    pytest.param(b"0\r\ntransfer-encoding: chunked\r\n", id="coding-in-trailer"),
    pytest.param(b"1;" + b"a" * (MAX_LINE_BYTES - 1) + b"\r\n", id="line-too-long"),
    pytest.param(b"1;" + b"a" * MAX_LINE_BYTES, id="line-without-end"),
    pytest.param(b"0\r\n" + b"X: a\r\n" * (MAX_META_BYTES // 4 + 1), id="many-trailers"),
    pytest.param((b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 17, id="much-metadata"),
]


def _feed(pieces: list[bytes], max_bytes: int | None = None) -> tuple[bytes, ChunkedDecoder]:
    decoder = ChunkedDecoder(max_bytes)
    return b"".join(map(decoder.feed, pieces)), decoder


@pytest.mark.parametrize(("wire", "body"), TAKEN)
def test_a_valid_body_is_read_however_it_is_cut(wire: bytes, body: bytes) -> None:
    """RFC 9112 section 7.1: size, extensions, data, CRLF; the last one is empty."""
    read, decoder = _feed([wire + b"GET"])
    assert (read, decoder.done, decoder.rest) == (body, True, b"GET")

    read, decoder = _feed([wire[i : i + 1] for i in range(len(wire))])
    assert (read, decoder.done, decoder.rest) == (body, True, b"")
    assert not _feed([wire[:-1]])[1].done


@pytest.mark.parametrize("wire", REFUSED)
def test_a_broken_body_is_refused_however_it_is_cut(wire: bytes) -> None:
    """RFC 9112 section 7.1: whatever two readers could cut differently is refused."""
    for pieces in ([wire], [wire[i : i + 1] for i in range(len(wire))]):
        with pytest.raises(ProtocolError) as caught:
            _feed(pieces)
        assert caught.value.reason is Reason.BAD_REQUEST


@pytest.mark.parametrize("cut", [MAX_LINE_BYTES, MAX_LINE_BYTES + 1])
def test_the_longest_line_is_taken_at_every_cut(cut: int) -> None:
    """A size line of exactly the limit is not refused because its CR came alone."""
    wire = b"1;" + b"a" * (MAX_LINE_BYTES - 2) + b"\r\nx\r\n0\r\n\r\n"

    assert _feed([wire[:cut], wire[cut:]])[0] == b"x"


@pytest.mark.parametrize("max_bytes", [0, 2])
def test_a_body_over_its_limit_is_refused_before_it_arrives(max_bytes: int) -> None:
    """DESIGN.md section 6: the announced size counts, so that nothing over the limit is read."""
    with pytest.raises(ProtocolError) as caught:
        _feed([b"3\r\n"], max_bytes)

    assert caught.value.reason is Reason.BODY_TOO_LARGE


def test_a_body_of_exactly_its_limit_is_taken() -> None:
    """The limit is the last length that is taken."""
    assert _feed([b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"], 3)[0] == b"abc"


def test_chunks_without_extensions_cost_nothing() -> None:
    """DOS-08: some clients send a byte a chunk: the cheapest framing is never too much of it."""
    wire = b"1\r\nx\r\n" * MAX_META_BYTES

    assert _feed([wire, LAST_CHUNK])[0] == b"x" * MAX_META_BYTES


def test_encoding_never_ends_a_message() -> None:
    """An empty chunk is the last one: empty data gives none."""
    assert (encode_chunk(b""), encode_chunk(b"a" * 26)) == (b"", b"1a\r\n" + b"a" * 26 + b"\r\n")
