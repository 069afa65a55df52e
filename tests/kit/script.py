"""What the scripted upstream does on one connection: the steps that a program is made of.

A step gets the conversation, whose request's head has been read, and reads or writes what it likes.
Requests are parsed by h11: what h11 refuses, the gateway should not have sent.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

import h11

from tests.kit.wire import reset as reset_socket

DEADLINE_S: Final = 30.0  # for an event that the test sets
_READ_BYTES: Final = 64 * 1024
_MAX_HEAD_BYTES: Final = 256 * 1024

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(slots=True)
class Received:
    """One request as it arrived."""

    head: bytes  # byte for byte, with its final CRLFCRLF
    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]  # names as spelled
    connection: int  # which one brought it: 0 was accepted first
    body: bytes = b""
    complete: bool = False  # whether its body has come to its end

    def header(self, name: bytes) -> list[bytes]:
        """Return every value of a field, *name* in lower case."""
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def names(self) -> list[bytes]:
        """The field names in lower case, in order."""
        return [name.lower() for name, _ in self.headers]

    def as_json(self) -> dict[str, Any]:
        """Return what ``echo`` answers with."""
        return {
            "method": self.method.decode("latin-1"),
            "target": self.target.decode("latin-1"),
            "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in self.headers],
            "body": self.body.decode("latin-1"),
        }


class PeerGoneError(Exception):
    """The gateway ended the connection, or we did."""


class ConversationError(Exception):
    """The gateway sent what h11 does not take."""


class Log(Protocol):
    """Who is told of what came."""

    def note_bytes(self, count: int) -> None:
        """Count what a connection received."""

    def note_request(self, request: Received) -> None:
        """Record a request whose head has come."""


@dataclass(slots=True)
class Conversation:
    """One connection from the gateway, and the request that it is at."""

    sock: socket.socket
    number: int
    log: Log
    ended: threading.Event = field(default_factory=threading.Event)  # no byte can come any more
    request: Received = field(init=False)
    oracle: h11.Connection = field(init=False)
    unread: bytes = b""  # came behind the last request

    def recv(self) -> bytes:
        """Return the next bytes and record them.

        Raises:
            PeerGoneError: There are none.
        """
        try:
            data = self.sock.recv(_READ_BYTES)
        except OSError:  # reset, timed out, or closed by ourselves
            data = b""
        if not data:
            raise PeerGoneError
        self.log.note_bytes(len(data))
        return data

    def send(self, data: bytes) -> None:
        """Send *data*.

        Raises:
            PeerGoneError: The gateway does not take it.
        """
        try:
            self.sock.sendall(data)
        except OSError:
            raise PeerGoneError from None

    def read_head(self) -> None:
        """Read the next request's head, strictly."""
        self.oracle = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD_BYTES)
        raw = self.unread or self.recv()
        self.oracle.receive_data(raw)
        while (event := self._next_event()) is h11.NEED_DATA:
            data = self.recv()
            raw += data
            self.oracle.receive_data(data)
        if not isinstance(event, h11.Request):
            raise ConversationError(event)
        head = raw[: raw.index(b"\r\n\r\n") + 4]
        headers = list(event.headers.raw_items())
        self.request = Received(head, event.method, event.target, headers, self.number)
        self.log.note_request(self.request)

    def read_body(self) -> None:
        """Read the request to its end."""
        while not self.request.complete:
            event = self._next_event()
            if event is h11.NEED_DATA:
                self.oracle.receive_data(self.recv())
            elif isinstance(event, h11.Data):
                self.request.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                if event.headers:
                    raise ConversationError("trailers")
                self.unread = self.oracle.trailing_data[0]
                self.request.complete = True
            else:
                raise ConversationError(event)

    def _next_event(self) -> object:
        try:
            return self.oracle.next_event()
        except h11.RemoteProtocolError as error:
            raise ConversationError(str(error)) from None


Step: TypeAlias = Callable[[Conversation], None]


def echo(talk: Conversation) -> None:
    """Read the request and answer with all of it as JSON."""
    talk.read_body()
    body = json.dumps(talk.request.as_json()).encode("ascii")
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    talk.send(head % len(body) + (b"" if talk.request.method == b"HEAD" else body))


def read_body(talk: Conversation) -> None:
    """Read the request to its end; without this step an answer is an early one."""
    talk.read_body()


def send(data: bytes) -> Step:
    """Send *data*, whatever it is."""
    return lambda talk: talk.send(data)


def respond(data: bytes) -> Step:
    """Read the request, then send *data*."""

    def step(talk: Conversation) -> None:
        talk.read_body()
        talk.send(data)

    return step


def flood(piece: bytes, count: int | None = None) -> Step:
    """Send *piece* that many times, or until the gateway goes away."""

    def step(talk: Conversation) -> None:
        sent = 0
        while count is None or sent < count:
            talk.send(piece)
            sent += 1

    return step


def wait_for(event: threading.Event) -> Step:
    """Do nothing until the test sets *event*."""

    def step(_: Conversation) -> None:
        if not event.wait(DEADLINE_S):
            raise PeerGoneError

    return step


def tell(event: threading.Event) -> Step:
    """Set *event*, so that the test knows that the program has come this far."""
    return lambda _: event.set()


def swallow(byte_count: int = 0, *, end: bytes = b"") -> Step:
    """Read a body without keeping it: up to that many raw bytes, or until they close with *end*."""

    def step(talk: Conversation) -> None:
        tail = talk.oracle.trailing_data[0]  # came with the head
        left = byte_count - len(tail)
        while left > 0 if byte_count else not tail.endswith(end):
            data = talk.recv()
            left -= len(data)
            tail = (tail + data)[-len(end) - 1 :]
        talk.request.complete = True

    return step


def close(talk: Conversation) -> None:
    """End the connection with a FIN."""
    with contextlib.suppress(OSError):
        talk.sock.shutdown(socket.SHUT_RDWR)
    raise PeerGoneError


def reset(talk: Conversation) -> None:
    """End the connection with a RST."""
    reset_socket(talk.sock)
    raise PeerGoneError


def half_close(talk: Conversation) -> None:
    """Send a FIN and go on reading."""
    with contextlib.suppress(OSError):
        talk.sock.shutdown(socket.SHUT_WR)


def await_end(talk: Conversation) -> None:
    """Read until the gateway ends the connection."""
    while True:
        talk.recv()
