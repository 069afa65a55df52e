"""The kit's client: a tool that is wrong makes every table lie."""

import pytest

from tests.kit.script import OK, close, echo, reset, respond
from tests.kit.upstream import Upstream
from tests.kit.wire import (
    Barrier,
    TruncatedError,
    Verdict,
    Wire,
    WireError,
    read_verdict,
    replay,
    split_points,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

NOT_HTTP = [
    pytest.param(b"hello\r\n\r\n", id="no-status-line"),
    pytest.param(b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", id="space-before-colon"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", id="two-cl"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", id="trailer"
    ),
]
CUT_SHORT = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"HTTP/1.1 200 OK\r\nConte", id="in-the-head"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", id="in-a-sized-body"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", id="in-a-chunked-body"
    ),
]


def test_split_points_cuts_everywhere() -> None:
    """A request of n bytes is cut in n + 1 ways and loses no byte in any of them."""
    splits = list(split_points(b"abc"))

    assert splits == [[b"abc"], [b"a", b"b", b"c"], [b"a", b"bc"], [b"ab", b"c"]]


def test_a_token_is_cut_at_its_ends_only() -> None:
    """Nobody looks into one: a cut behind its first byte, and one before its last."""
    token = b"a" + b"b" * 50 + b"c"
    splits = list(split_points(b"x " + token + b"\r"))

    assert splits[1] == [b"x", b" ", b"a", b"b" * 50, b"c", b"\r"]
    assert len(splits) == 7
    assert {b"".join(pieces) for pieces in splits} == {b"x " + token + b"\r"}


def test_responses_on_one_connection_are_told_apart() -> None:
    """What comes behind a response belongs to the next one; interim ones are counted."""
    with Upstream() as upstream, Wire(upstream.port) as wire:
        upstream.play(respond(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK + OK))
        wire.send(GET)

        assert wire.read_response().interim == [103]
        assert wire.read_response().body == b"ok"


@pytest.mark.parametrize("answer", NOT_HTTP)
def test_what_is_not_http_is_an_error(answer: bytes) -> None:
    """The oracle is strict: the gateway may send none of this."""
    with Upstream() as upstream, Wire(upstream.port) as wire:
        upstream.play(respond(answer))
        wire.send(GET)

        with pytest.raises(WireError):
            wire.read_response()


@pytest.mark.parametrize("answer", CUT_SHORT)
def test_a_cut_response_is_told_from_a_whole_one(answer: bytes) -> None:
    """A response that ends early is an error of its own kind."""
    with Upstream() as upstream, Wire(upstream.port) as wire:
        upstream.play(respond(answer), close)
        wire.send(GET)

        with pytest.raises(TruncatedError):
            wire.read_response()


def test_a_reset_is_no_clean_end() -> None:
    """A body that ends with the connection is not whole when a RST ends it."""
    with Upstream() as upstream, Wire(upstream.port) as wire:
        upstream.play(respond(b"HTTP/1.1 200 OK\r\n\r\nab"), reset)
        wire.send(GET)

        with pytest.raises(TruncatedError):
            wire.read_response()
        assert wire.was_reset


def test_a_verdict_includes_the_end_of_the_connection() -> None:
    """``closed`` is what happened, not only what the response announced."""
    answer = b"HTTP/1.1 400 Bad\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    with Upstream() as upstream, Wire(upstream.port) as wire:
        upstream.play(respond(answer), close)
        wire.send(GET)

        assert read_verdict(wire) == Verdict(400, "", closed=True)


def test_replay_sends_every_cut() -> None:
    """One connection for each cut, and one verdict where all agree."""
    with Upstream() as upstream:
        verdicts = replay(upstream.port, GET)

        assert verdicts == {Verdict(200, "", closed=False)}
        targets = [request.target for request in upstream.requests]
        assert targets.count(b"/") == len(GET) + 1


def test_a_barrier_waits_for_an_answer() -> None:
    """The barrier's own request has been served when it is crossed."""
    with Upstream() as upstream, Barrier(upstream.port) as barrier:
        upstream.play(echo)
        barrier.cross()

        assert [request.target for request in upstream.requests] == [b"/no-such-route"]


def test_sending_to_a_closed_connection_is_told() -> None:
    """A client learns that the other side is gone from the return value, not from an exception."""
    with Upstream() as upstream, Wire(upstream.port) as wire:
        upstream.play(reset)
        wire.send(GET)
        assert wire.is_ended()

        assert not (wire.send(GET) and wire.send(GET))
