"""Websockets by hand: heads, frames, and a service that switches when it is told to."""

from collections.abc import Callable
from typing import Final

from gateway.http1.handshake import accept_of
from tests.kit.script import Conversation, PeerGoneError, Step
from tests.kit.wire import Wire

KEY: Final = b"dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 section 1.3
ACCEPT: Final = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
UPGRADE: Final = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
VERSION: Final = b"Sec-WebSocket-Version: 13\r\n"
WITH_KEY: Final = b"Sec-WebSocket-Key: " + KEY + b"\r\n"
LINES: Final = [line for line in (UPGRADE + VERSION + WITH_KEY).split(b"\r\n") if line]
MASK: Final = b"\x01\x02\x03\x04"


def handshake(
    target: bytes,
    *fields: bytes,
    upgrade: bytes = UPGRADE,
    version: bytes = VERSION,
    key: bytes = WITH_KEY,
    line: bytes = b"GET %b HTTP/1.1\r\n",
) -> bytes:
    """Return a client's handshake; what is to be wrong with it is replaced."""
    return b"".join((line % target, b"Host: gw.test\r\n", upgrade, version, key, *fields, b"\r\n"))


def frame(payload: bytes, *, opcode: int = 2, mask: bytes = b"") -> bytes:
    """Return one final frame; a client's has a *mask* of four bytes."""
    size = len(payload)
    bit = 0x80 if mask else 0
    if size < 126:
        head = bytes((0x80 | opcode, bit | size))
    elif size < 2**16:
        head = bytes((0x80 | opcode, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, bit | 127)) + size.to_bytes(8, "big")
    masked = bytes(b ^ mask[i % 4] for i, b in enumerate(payload)) if mask else payload
    return head + mask + masked


def close_code(data: bytes) -> int | None:
    """Return the code of the close frame that *data* is, masked or not; None where it is none."""
    if len(data) < 4 or data[0] != 0x88 or data[1] & 0x7F != 2:
        return None
    payload = data[2:]
    if data[1] & 0x80:
        mask, payload = payload[:4], payload[4:]
        payload = bytes(b ^ mask[i] for i, b in enumerate(payload))
    return int.from_bytes(payload, "big")


def switch(*, upgrade: bytes = UPGRADE, accept: bytes = b"", then: bytes = b"") -> Step:
    """Answer 101, with *then* in the same write; what is to be wrong with it is replaced."""

    def step(talk: Conversation) -> None:
        (key,) = talk.request.header(b"sec-websocket-key")
        proof = accept or b"Sec-WebSocket-Accept: " + accept_of(key) + b"\r\n"
        talk.send(b"HTTP/1.1 101 Switching Protocols\r\n" + upgrade + proof + b"\r\n" + then)

    return step


def mirror(talk: Conversation) -> None:
    """Send back every byte, up to the end."""
    while True:
        talk.send(talk.recv())


def note(heard: list[bytes], ended: Callable[[], None] = lambda: None) -> Step:
    """Note every byte that comes, up to the end."""

    def step(talk: Conversation) -> None:
        try:
            while True:
                heard.append(talk.recv())
        except PeerGoneError:
            ended()
            raise

    return step


def open_tunnel(wire: Wire, request: bytes) -> bytes:
    """Send a handshake and return the head of its 101.

    Raises:
        AssertionError: It was refused.
    """
    wire.send(request)
    head = wire.read_until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), head
    return head
