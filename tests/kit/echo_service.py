"""A websocket service that sends every message back: ``websockets``, fed frame by frame.

Its answers depend on the frames alone, and not on how TCP cut them: a library that is given a good
message and a bad frame in one read may close before it has sent the message back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

_READ_BYTES: Final = 256 * 1024
_EXTENDED: Final = {126: 2, 127: 8}
_MASK_BYTES: Final = 4


class _Echo:
    """One connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        deflate = ServerPerMessageDeflateFactory()
        self._protocol = ServerProtocol(max_size=None, extensions=[deflate])
        self._writer = writer
        self._unread = bytearray()
        self._message: list[bytes] = []
        self._opcode = Opcode.TEXT

    async def feed(self, data: bytes) -> bool:
        """Take in bytes and answer; False once all is said."""
        self._unread += data
        while piece := self._next_piece():
            self._protocol.receive_data(piece)
            self._answer()
            for out in self._protocol.data_to_send():
                self._writer.write(out)
            await self._writer.drain()
            if self._protocol.close_expected():
                return False
        return True

    def _next_piece(self) -> bytes:
        """Return the handshake, or the next whole frame; nothing where it has not come whole."""
        unread = self._unread
        if self._protocol.state is not OPEN:
            size = unread.find(b"\r\n\r\n") + 4
            size = size if size > 3 else len(unread) + 1
        else:
            size = _frame_bytes(unread)
        if size > len(unread):
            return b""
        piece = bytes(unread[:size])
        del unread[:size]
        return piece

    def _answer(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
            elif isinstance(event, Frame) and event.opcode <= Opcode.BINARY:
                self._on_data(event)

    def _on_data(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._opcode = frame.opcode
        self._message.append(bytes(frame.data))
        if frame.fin and self._protocol.state is OPEN:
            message = b"".join(self._message)
            self._message.clear()
            if self._opcode is Opcode.TEXT:
                self._send_text(message)
            else:
                self._protocol.send_binary(message)

    def _send_text(self, message: bytes) -> None:
        try:
            message.decode("utf-8")
        except UnicodeDecodeError:
            self._protocol.fail(1007)
        else:
            self._protocol.send_text(message)


def _frame_bytes(data: bytearray) -> int:
    """Return the length of the first frame; more than there is, where that is not known yet."""
    head = 2
    if len(data) < head:
        return head
    length = data[1] & 0x7F
    extended = _EXTENDED.get(length, 0)
    if len(data) < head + extended:
        return head + extended
    if extended:
        length = int.from_bytes(data[head : head + extended], "big")
    return head + extended + (_MASK_BYTES if data[1] & 0x80 else 0) + length


@asynccontextmanager
async def echoing() -> AsyncIterator[int]:
    """Run the service on 127.0.0.1 and give its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        echo = _Echo(writer)
        try:
            while data := await reader.read(_READ_BYTES):
                if not await echo.feed(data):
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
