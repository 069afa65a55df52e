"""The chunked decoder against h11, llhttp and itself, however the bytes are cut."""

import contextlib
from itertools import pairwise
from typing import Final

import h11
import httptools
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ProtocolError
from gateway.http1.chunked import LAST_CHUNK, ChunkedDecoder, encode_chunk

_HEAD: Final = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
_NEXT: Final = b"GET / HTTP/1.1\r\n"

_EXTENSIONS: Final = st.sampled_from([b"", b";a", b";a=b", b';a="b\\";c\xff"', b";a;b=1"])
_SIZES: Final = st.sampled_from([b"%x", b"%X", b"0%x", b"000%X"])
_TRAILERS: Final = st.lists(
    st.sampled_from([b"X-User: admin\r\n", b"X:\r\n", b"Expires: \t a\r\n"]), max_size=2
).map(b"".join)
_NOISE: Final = st.lists(
    st.sampled_from(
        [
            *b'0 1 3 f 10 ffffffffffffffffff abc -1 +1 0x1 _ ; = " \\ a: :b \0 \xff'.split(),
            *(b"\r\n", b"\r\n", b"\r", b"\n", b" ", b"\t", b"\r\n\r\n", b"0\r\n\r\n"),
            *(b"3\r\nabc\r\n", b"1;a=b\r\nx\r\n", b"Content-Length:1\r\n", b"X: y\r\n"),
        ]
    ),
    max_size=8,
).map(b"".join)


@st.composite
def _valid_bodies(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Return a body, and one way to send it."""
    chunks = draw(st.lists(st.binary(min_size=1, max_size=20), max_size=5))
    wire = b""
    for chunk in chunks:
        wire += draw(_SIZES) % len(chunk) + draw(_EXTENSIONS) + b"\r\n" + chunk + b"\r\n"
    wire += draw(st.sampled_from([b"0", b"000"])) + draw(_EXTENSIONS) + b"\r\n"
    return b"".join(chunks), wire + draw(_TRAILERS) + b"\r\n"


def _decode(pieces: list[bytes], max_bytes: int | None = None) -> tuple[bytes, bool, str, bytes]:
    """Return (body, whether it ended, the reason it was refused for, what came behind it)."""
    decoder = ChunkedDecoder(max_bytes)
    body, rest = b"", b""
    for piece in pieces:
        if decoder.done:
            rest += piece
            continue
        try:
            body += decoder.feed(piece)
        except ProtocolError as error:
            return b"", False, error.reason, b""
        rest = decoder.rest
    return body, decoder.done, "", rest


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


def _h11_takes(wire: bytes) -> bytes | None:
    """Return the body that h11 reads, or None where it refuses or wants more."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(_HEAD + wire)
    body = b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return body
            elif event in (h11.NEED_DATA, h11.PAUSED):
                return None
    except h11.RemoteProtocolError:
        return None


class _Collector:
    def __init__(self) -> None:
        self.body = b""
        self.done = False

    def on_body(self, data: bytes) -> None:
        self.body += data if not self.done else b""

    def on_message_complete(self) -> None:
        self.done = True


def _llhttp_takes(wire: bytes) -> bytes | None:
    collector = _Collector()
    with contextlib.suppress(httptools.HttpParserError):  # behind the message it does not matter
        httptools.HttpRequestParser(collector).feed_data(_HEAD + wire)
    return collector.body if collector.done else None


@given(_valid_bodies())
def test_a_valid_body_is_read_the_same_at_every_cut(sent: tuple[bytes, bytes]) -> None:
    """RFC 9112 section 7.1: the body depends on the bytes, never on how TCP cut them."""
    body, wire = sent
    behind = wire + _NEXT

    assert body == _h11_takes(wire)
    assert (body, True, "", _NEXT) == _decode([behind])
    assert (body, True, "", _NEXT) == _decode([behind[i : i + 1] for i in range(len(behind))])
    for cut in range(len(behind) + 1):
        assert (body, True, "", _NEXT) == _decode([behind[:cut], behind[cut:]])


@given(_NOISE, st.lists(st.integers(0, 200), max_size=6), st.sampled_from([None, 0, 5]))
def test_the_verdict_on_any_bytes_does_not_depend_on_the_cuts(
    wire: bytes, cuts: list[int], max_bytes: int | None
) -> None:
    """RFC 9112 section 7.1: broken bytes are as broken in one piece as in many."""
    whole = _decode([wire], max_bytes)

    assert whole == _decode(_cut(wire, cuts), max_bytes)
    assert whole == _decode([wire[i : i + 1] for i in range(len(wire))], max_bytes)


@given(_NOISE)
def test_nothing_is_taken_that_both_other_readers_refuse(wire: bytes) -> None:
    """What ends for the gateway ends with the same body for h11 or llhttp."""
    body, done, _, rest = _decode([wire])

    if done:
        message = wire.removesuffix(rest)
        assert body in (_h11_takes(message), _llhttp_takes(message))


@given(st.lists(st.binary(max_size=50), max_size=6))
def test_what_is_encoded_reads_the_same(pieces: list[bytes]) -> None:
    """The gateway's own framing is read back by it and by h11."""
    wire = b"".join(map(encode_chunk, pieces)) + LAST_CHUNK

    assert (b"".join(pieces), True, "", b"") == _decode([wire])
    assert b"".join(pieces) == _h11_takes(wire)
