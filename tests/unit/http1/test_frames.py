"""gateway.http1.frames: a frame more can be put in, and never into another."""

import pytest

from gateway.http1.frames import CloseCode, FrameCutter, close_frame
from tests.kit.websocket import MASK, close_code, frame

SIZES = (0, 1, 125, 126, 65_535, 65_536)
CLOSE = frame(b"\x03\xe8", opcode=8)


@pytest.mark.parametrize("mask", [b"", MASK])
@pytest.mark.parametrize("size", SIZES)
def test_a_frame_is_cut_behind_its_last_byte(size: int, mask: bytes) -> None:
    """RFC 6455 section 5.2: each form of the length, masked and not."""
    one = frame(b"x" * size, mask=mask)
    cutter = FrameCutter()
    assert cutter.feed(one[:1]) == one[:1]
    cutter.end()

    assert cutter.is_cut is False
    assert cutter.feed(one[1:] + frame(b"next")) == one[1:]
    assert cutter.feed(b"more") == b""
    assert [cutter.is_cut] == [True]


@pytest.mark.parametrize("size", [0, 1, 126, 70_000])
def test_it_does_not_matter_how_the_bytes_are_cut(size: int) -> None:
    """Byte by byte, the end of a frame is found where it is found at once."""
    one = frame(b"x" * size, mask=MASK)
    for offset in range(1, min(len(one), 20)):
        cutter = FrameCutter()
        stream = one + one
        pieces = [stream[i : i + 1] for i in range(offset)] + [stream[offset:-1]]
        assert b"".join(map(cutter.feed, pieces)) == stream[:-1]
        cutter.end()
        assert cutter.feed(stream[-1:] + b"\x88") == stream[-1:]
        assert cutter.is_cut


def test_between_two_frames_it_is_cut_at_once() -> None:
    """And before the first one."""
    fresh, used = FrameCutter(), FrameCutter()
    assert used.feed(frame(b"a") + frame(b"b")) == frame(b"a") + frame(b"b")
    for cutter in (fresh, used):
        cutter.end()
        assert cutter.is_cut


def test_the_last_byte_of_a_frame_is_the_last_of_all() -> None:
    """Where nothing stands behind it, too."""
    cutter = FrameCutter()
    cutter.feed(frame(b"abc")[:-1])
    cutter.end()

    assert cutter.feed(b"c") == b"c"
    assert cutter.is_cut


def test_nothing_changes_nothing() -> None:
    """An empty read, in a frame's head and outside."""
    cutter = FrameCutter()
    assert cutter.feed(b"") == b""
    cutter.feed(b"\x82")
    assert cutter.feed(b"") == b""
    cutter.feed(b"\x01a")
    cutter.end()

    assert cutter.is_cut


@pytest.mark.parametrize("size", [10, 1])
def test_a_close_frame_that_passes_is_known(size: int) -> None:
    """Nobody may speak behind it, the gateway neither."""
    cutter = FrameCutter()
    stream = frame(b"text") + CLOSE
    for at in range(0, len(stream), size):
        assert cutter.has_closed is (at > len(frame(b"text")) + 1)
        cutter.feed(stream[at : at + size])

    assert cutter.has_closed


def test_a_frame_without_end_is_no_trouble() -> None:
    """2^64 - 1 bytes: more than will come."""
    cutter = FrameCutter()
    cutter.feed(b"\x82\xff" + b"\xff" * 8 + b"x" * 100)
    cutter.end()

    assert cutter.feed(b"y" * 100) == b"y" * 100
    assert not cutter.is_cut


@pytest.mark.parametrize("mask", [b"", MASK])
def test_a_close_frame_says_why(mask: bytes) -> None:
    """RFC 6455 section 5.5.1: the code, masked towards a service."""
    assert close_code(close_frame(CloseCode.POLICY_VIOLATION, mask)) == 1008
    assert close_frame(CloseCode.GOING_AWAY, mask) == frame(b"\x03\xe9", opcode=8, mask=mask)
