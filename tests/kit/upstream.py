"""A service that records every byte it receives and answers by script.

It stands on real sockets, a thread per connection. A program is a row of steps (``kit.script``)
that begins when a request's head has come; ``play`` queues one for the next request, whichever
connection brings it. A request that finds no program is echoed.
"""

import contextlib
import socket
import ssl
import threading
from collections import deque
from pathlib import Path
from typing import Final, Self

from tests.kit.script import Conversation, ConversationError, PeerGoneError, Received, Step, echo
from tests.kit.wire import Wire

DEADLINE_S: Final = 30.0


class Upstream:
    """The listener, its programs, and the record of all that came.

    Args:
        port: Where one that was stopped had listened; 0 is any that is free.
        tls: What it speaks TLS with; without it, plain HTTP.
        path: Of the Unix socket on which it listens, in place of a port.
    """

    def __init__(
        self, port: int = 0, *, tls: ssl.SSLContext | None = None, path: Path | None = None
    ) -> None:
        self._tls = tls
        self.port = port
        if path is not None:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(path))
            self._listener.listen(1024)
        else:
            self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
            self.port = self._listener.getsockname()[1]
        self._programs: deque[tuple[Step, ...]] = deque()
        self._changed = threading.Condition()
        self._talks: list[Conversation] = []
        self.requests: list[Received] = []
        self.violations: list[str] = []
        self.byte_count = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def authority(self) -> str:
        """``host:port``, as ``Host`` would name it."""
        return f"127.0.0.1:{self.port}"

    @property
    def connection_count(self) -> int:
        """How many connections were accepted since the start."""
        return len(self._talks)

    def play(self, *steps: Step) -> None:
        """Queue a program for the next request that finds none before it."""
        with self._changed:
            self._programs.append(steps)

    def clear(self) -> None:
        """Forget what was recorded and what was queued; connections stay."""
        with self._changed:
            self._programs.clear()
            self.requests = []
            self.violations = []
            self.byte_count = 0

    def settle(self) -> None:
        """End every connection, those that wait to be accepted too, and forget all that came.

        Connections are accepted in the order in which they were made: once our own has been served,
        every earlier one is known here.
        """
        self.clear()
        with Wire(self.port) as wire:
            wire.send(b"GET /settle HTTP/1.1\r\nHost: settle\r\n\r\n")
            wire.read_response()
        self.drop_connections()
        self.clear()

    def wait_for_requests(self, count: int) -> list[Received]:
        """Return the requests once *count* heads have come.

        Raises:
            TimeoutError: They have not within the deadline.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, DEADLINE_S):
                raise TimeoutError(f"{len(self.requests)} of {count} requests came")
            return list(self.requests)

    def wait_for_end(self, connection: int) -> bool:
        """Wait until a connection has ended, by its number; False after the deadline."""
        return self._talks[connection].ended.wait(DEADLINE_S)

    def note_bytes(self, count: int) -> None:
        """Count what a connection received."""
        with self._changed:
            self.byte_count += count

    def note_request(self, request: Received) -> None:
        """Record a request whose head has come."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def drop_connections(self) -> None:
        """End every connection with a FIN, as a service does that restarts."""
        open_talks = [talk for talk in self._talks if not talk.ended.is_set()]
        for talk in open_talks:
            with contextlib.suppress(OSError):
                talk.sock.shutdown(socket.SHUT_RDWR)
        for talk in open_talks:
            talk.ended.wait(DEADLINE_S)

    def stop(self) -> None:
        """Close the port and every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(DEADLINE_S)
        self.drop_connections()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                try:
                    sock = self._tls.wrap_socket(sock, server_side=True)
                except OSError:
                    sock.close()
                    continue
            talk = Conversation(sock, len(self._talks), self)
            self._talks.append(talk)
            threading.Thread(target=self._converse, args=(talk,), daemon=True).start()

    def _converse(self, talk: Conversation) -> None:
        try:
            while True:
                talk.read_head()
                for step in self._next_program():
                    step(talk)
        except PeerGoneError:
            pass
        except ConversationError as error:
            self.violations.append(str(error))
        finally:
            talk.sock.close()
            talk.ended.set()

    def _next_program(self) -> tuple[Step, ...]:
        with self._changed:
            return self._programs.popleft() if self._programs else (echo,)


class RefusedPort:
    """A port of 127.0.0.1 that refuses connections, and that nobody else can take meanwhile.

    It is bound all the time; until somebody listens on the socket, the kernel refuses.
    """

    def __init__(self) -> None:
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.port: int = self.sock.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()
