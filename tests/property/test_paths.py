"""No path has two readings: what is accepted means the same to whoever reads it again."""

from typing import Final
from urllib.parse import unquote_to_bytes

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import ProtocolError
from gateway.http1.target import Target, parse_target

_HARMLESS: Final = (
    b"/ /a a b . - : = @ & + * ~ %41 %61 %c3%a9 %ef%bc%8f %20 %3b %3f %23 %25".split()
)
_HOSTILE: Final = (
    b"/ . .. ; %2 %2e %2E %2f %2F %5c %5C %00 %252e %25%32%65 2e 2f %32 %65 %35 %c3 %c0%ae # ? \\ "
    b'" < > [ ] ^ ` { | } \xc3\xa9 %0d%0a %7f'
).split()
_PIECES: Final = st.one_of(*[st.sampled_from(_HARMLESS)] * 5, st.sampled_from(_HOSTILE))
_PATHS: Final = st.lists(_PIECES, max_size=8).map(lambda pieces: b"/" + b"".join(pieces))
_DOTS: Final = frozenset((b".", b".."))


def _accept(raw: bytes) -> Target | None:
    """Return the target, or None where it is refused as it should be."""
    try:
        return parse_target(raw, b"gw.test")
    except ProtocolError:
        return None


@given(_PATHS)
def test_segments_depend_on_the_path_alone(path: bytes) -> None:
    """The query, or the form of the target, changes nothing of what routes see."""
    path = path.partition(b"?")[0]
    others = [path + b"?", path + b"?/../%2e", b"http://gw.test" + path]
    target = _accept(path)

    for other in map(_accept, others):
        assert (target and target.path) == (other and other.path)
        assert (target and target.segments) == (other and other.segments)


@given(_PATHS)
def test_parsing_again_gives_the_same(raw: bytes) -> None:
    """What is forwarded and read again by another gateway is the same target."""
    target = _accept(raw)
    if target is None:
        return
    again = parse_target(target.path + target.query, None)

    assert raw == target.path + target.query
    assert (again.path, again.query) == (target.path, target.query)
    assert again.segments == target.segments


@given(_PATHS)
@example(b"/public/%25%32%65%25%32%65/admin")
@example(b"/public/%252%65%252%65/admin")
def test_decoding_before_or_after_splitting_gives_the_same_segments(raw: bytes) -> None:
    """A service that decodes first and splits then sees the segments that routes saw."""
    target = _accept(raw)
    if target is None:
        return
    decoded = unquote_to_bytes(target.path).split(b"/")[1:]

    if not decoded[-1]:
        decoded.pop()
    assert [unquote_to_bytes(segment) for segment in target.segments] == decoded


@given(_PATHS)
@example(b"/public/%25%32%65%25%32%65/admin")
def test_no_number_of_decodings_makes_another_path(raw: bytes) -> None:
    """A path that was decoded once is the same however often it is decoded again."""
    target = _accept(raw)
    if target is None:
        return
    once = unquote_to_bytes(target.path)

    assert once == unquote_to_bytes(once) == unquote_to_bytes(unquote_to_bytes(once))
    assert _DOTS.isdisjoint(once.split(b"/"))
    assert b"//" not in once
    assert not any(byte < 0x20 or byte == 0x7F for byte in once)
    assert b"\\" not in once
    once.decode("utf-8")


@given(st.binary(max_size=30))
def test_any_bytes_are_a_target_or_are_refused(raw: bytes) -> None:
    """No other exception than the declared one, whatever llhttp should let through one day."""
    target = _accept(raw)
    if target is None:
        return

    assert target.path.startswith(b"/")
    assert all(target.segments)
