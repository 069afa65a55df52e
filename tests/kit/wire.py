"""A client that controls every byte it sends, and how TCP cuts them.

Answers are read by h11, so that what the gateway writes is judged by another parser than its own.
Every read has a deadline: a test that waits for ever is a test that says nothing.
"""

import json
import re
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, NamedTuple, Self

import h11

DEADLINE_S: Final = 30.0  # for a machine that is busy with other things as well
_READ_BYTES: Final = 64 * 1024
_MAX_HEAD_BYTES: Final = 256 * 1024  # h11's own limit of 16 KiB is below what the gateway takes


class WireError(Exception):
    """The answer is not HTTP/1.1."""


class TruncatedError(WireError):
    """The connection ended before the answer did."""


@dataclass(slots=True)
class Response:
    """One final response, as h11 read it; *interim* are the statuses that came before it."""

    status: int
    headers: list[tuple[bytes, bytes]]  # names in lower case
    interim: list[int] = field(default_factory=list)
    phrase: bytes = b""
    body: bytes = b""

    def header(self, name: bytes) -> list[bytes]:
        """Return every value of a field, *name* in lower case."""
        return [value for key, value in self.headers if key == name]

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """Return the reason of a problem document; empty where there is none."""
        if self.header(b"content-type") != [b"application/problem+json"] or not self.body:
            return ""
        return str(self.json().get("reason", ""))

    @property
    def closes(self) -> bool:
        """Whether the response announces that the connection ends with it."""
        return any(b"close" in value.lower() for value in self.header(b"connection"))


class Wire:
    """One connection to 127.0.0.1.

    Args:
        port: Where to connect.
        deadline_s: How long any one read or write may take.
        receive_buffer_bytes: The kernel's buffer for what comes in; small ones make a slow reader.
    """

    def __init__(
        self, port: int, *, deadline_s: float = DEADLINE_S, receive_buffer_bytes: int = 0
    ) -> None:
        self.sock = socket.socket()
        if receive_buffer_bytes:  # only counts when set before the connection is made
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.sock.settimeout(deadline_s)
        try:
            self.sock.connect(("127.0.0.1", port))
        except OSError:
            self.sock.close()
            raise
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.was_reset = False
        self._rest = b""  # came behind the last response

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> bool:
        """Send *data*; False where the other side no longer takes any."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def read_some(self) -> bytes:
        """Return the next bytes as they come; none at the end of the connection."""
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        try:
            return self.sock.recv(_READ_BYTES)
        except ConnectionResetError:
            self.was_reset = True
            return b""

    def read_until(self, marker: bytes) -> bytes:
        """Return what comes up to and with *marker*.

        Raises:
            TruncatedError: The connection ended first.
        """
        data = b""
        while marker not in data:
            piece = self.read_some()
            if not piece:
                raise TruncatedError(data)
            data += piece
        end = data.index(marker) + len(marker)
        self._rest = data[end:]
        return data[:end]

    def read_to_end(self) -> bytes:
        """Return everything that comes until the other side ends the connection."""
        data = b""
        while piece := self.read_some():
            data += piece
        return data

    def read_response(self, method: bytes = b"GET") -> Response:
        """Read one final response to a request of *method*, strictly.

        Raises:
            WireError: It is not HTTP/1.1.
            TruncatedError: The connection ended before the response did.
        """
        oracle = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
        oracle.send(h11.Request(method=method, target="/", headers=[("Host", "oracle")]))
        oracle.send(h11.EndOfMessage())
        interim: list[int] = []
        response: Response | None = None
        body: list[bytes] = []
        while True:
            event = self._next_event(oracle)
            if isinstance(event, h11.InformationalResponse):
                interim.append(event.status_code)
            elif isinstance(event, h11.Response):
                response = Response(
                    event.status_code, list(event.headers), interim, bytes(event.reason)
                )
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage) and response is not None:
                if event.headers:
                    raise WireError("the gateway sent trailers")
                self._rest = oracle.trailing_data[0]
                response.body = b"".join(body)
                return response
            else:
                raise WireError(event)

    def _next_event(self, oracle: h11.Connection) -> h11.Event | type[h11.PAUSED]:
        ended = False
        while True:
            try:
                event = oracle.next_event()
            except h11.RemoteProtocolError as error:
                raise (TruncatedError if ended else WireError)(str(error)) from None
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]  # h11's sentinels are their own types
            data = self.read_some()
            ended = not data
            if self.was_reset:
                raise TruncatedError("reset")
            oracle.receive_data(data)

    def is_ended(self) -> bool:
        """Wait for the other side to end the connection; False where it sends more instead."""
        return self.read_some() == b""

    def half_close(self) -> None:
        """Say that nothing more will be sent (FIN), and go on reading."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End the connection with a RST."""
        reset(self.sock)

    def close(self) -> None:
        """End the connection with a FIN."""
        self.sock.close()


def reset(sock: socket.socket) -> None:
    """Close a socket so that the peer receives a RST: lingering for 0 s discards what is queued."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Barrier:
    """Makes sure that the gateway has read what was sent before, without a sleep.

    The gateway's loop serves sockets in the order in which they became readable. Once a request
    that was sent last has been answered, everything that was sent before it has been read.
    """

    REQUEST: Final = b"GET /no-such-route HTTP/1.1\r\nHost: barrier\r\n\r\n"

    def __init__(self, port: int) -> None:
        self._wire = Wire(port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    def cross(self) -> None:
        """Return when all that was sent earlier has been read."""
        self._wire.send(self.REQUEST)
        self._wire.read_response()


class Verdict(NamedTuple):
    """What the gateway made of a request, as far as it may not depend on how TCP cut it."""

    status: int
    reason: str
    closed: bool


# A token or padding, which no reader of heads looks into: cut behind its first and before its last
# byte only, or a table of requests with tokens would take minutes.
_ATOM: Final = re.compile(rb"[A-Za-z0-9_.\-]{40,}")


def split_points(data: bytes) -> Iterator[list[bytes]]:
    """Yield the ways to cut *data*: whole, byte by byte, and in two at every offset."""
    inside = {
        offset
        for atom in _ATOM.finditer(data)
        for offset in range(atom.start() + 2, atom.end() - 1)
    }
    offsets = [offset for offset in range(1, len(data)) if offset not in inside]
    yield [data]
    yield [data[start:end] for start, end in pairwise((0, *offsets, len(data)))]
    for offset in offsets:
        yield [data[:offset], data[offset:]]


def replay(port: int, request: bytes, *, method: bytes = b"GET") -> set[Verdict]:
    """Send *request* over a connection for each of its cuts and return the distinct verdicts.

    All connections advance together, one piece each, and the gateway has read it before the next.
    """
    splits = [iter(pieces) for pieces in split_points(request)]
    wires = [Wire(port) for _ in splits]
    unsent = list(zip(wires, splits, strict=True))
    with Barrier(port) as barrier:
        while unsent:
            unsent = [(wire, split) for wire, split in unsent if _send_next(wire, split)]
            barrier.cross()
    verdicts = set()
    for wire in wires:
        with wire:
            verdicts.add(read_verdict(wire, method=method))
    return verdicts


def _send_next(wire: Wire, pieces: Iterator[bytes]) -> bool:
    piece = next(pieces, None)
    return piece is not None and wire.send(piece)


def read_verdict(wire: Wire, *, method: bytes = b"GET") -> Verdict:
    """Read a response and, where it announces the end of the connection, that end."""
    response = wire.read_response(method)
    return Verdict(response.status, response.reason, response.closes and wire.is_ended())
