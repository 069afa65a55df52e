"""How a connection ends when its end must not look like one."""

import asyncio
import socket
import struct
from typing import Final

_NO_TIME: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time: socket(7)


def reset_on_close(transport: asyncio.Transport) -> None:
    """Let the client see a reset, and no orderly end, when *transport* is aborted.

    For a body that ends with its connection: cut, it must not be taken for complete.
    """
    raw: socket.socket | None = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_TIME)
