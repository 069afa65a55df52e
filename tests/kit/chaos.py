"""A TCP proxy that does to connections what networks and dying servers do, as a test says.

The mode can be changed while connections are open; each byte is treated by the mode that holds when
it is passed on. What was held back goes on when the mode changes, so that a repair is a repair for
connections that lived through the fault as well.
"""

import contextlib
import socket
import struct
import threading
from enum import Enum, auto
from typing import Final, Self

_READ_BYTES: Final = 64 * 1024
_JOIN_S: Final = 30.0
# To PostgreSQL's protocol that is the begin of a long message. One of a negative length keeps
# asyncpg 0.32 in an endless loop, which only the watchdog ends (docs/overload.md).
GARBAGE: Final = b"+OK but not what you have asked for\r\n\r\n"


class Fault(Enum):
    """What happens to connections. "Answers" are what comes from the server."""

    NONE = auto()  # all is relayed
    REFUSE = auto()  # nobody listens, and open connections are reset
    BLACKHOLE = auto()  # connections are accepted and nothing is read from them
    STALL = auto()  # what the client says reaches the server; answers are held back
    TRICKLE = auto()  # answers come byte by byte
    DELAY = auto()  # answers come later
    RESET = auto()  # half of an answer's first piece, then a reset
    TRUNCATE = auto()  # the same, then the connection's proper end
    GARBLE = auto()  # answers are something else
    HALF_CLOSE = auto()  # the server's side ends in place of an answer, and goes on reading


class ChaosProxy:
    """Listens on a port of 127.0.0.1 of its own, before a server on another.

    Args:
        target: The server's port.
        pace_s: Between two bytes that trickle, and how late a delayed answer comes.
    """

    def __init__(self, target: int, *, pace_s: float = 1.0) -> None:
        self.target = target
        self.pace_s = pace_s
        self.accepted_count = 0
        self._fault = Fault.NONE
        self._changed = threading.Condition()
        self._is_over = False
        self._open: set[socket.socket] = set()
        self._listener = _bind(0)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = self._listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def fault(self) -> Fault:
        """The mode that holds now."""
        return self._fault

    def set(self, fault: Fault) -> None:
        """Treat all that comes from now on by *fault*."""
        with self._changed:
            before, self._fault = self._fault, fault
            self._changed.notify_all()
        if fault is Fault.REFUSE and before is not Fault.REFUSE:
            self._stop_listening()
            self._listener = _bind(self.port)  # bound, so that nobody else takes it meanwhile
            self.cut()
        elif before is Fault.REFUSE and fault is not Fault.REFUSE:
            self._acceptor = self._listen()

    def cut(self) -> None:
        """Reset every connection that is open."""
        with self._changed:
            found, self._open = self._open, set()
        for sock in found:
            with contextlib.suppress(OSError):
                _reset(sock)

    def stop(self) -> None:
        """Close the port and every connection."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        if self._fault is Fault.REFUSE:
            self._listener.close()
        else:
            self._stop_listening()
        self.cut()

    # --- one thread for the listener ---

    def _listen(self) -> threading.Thread:
        self._listener.listen(1024)
        thread = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        thread.start()
        return thread

    def _stop_listening(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(_JOIN_S)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.accepted_count += 1
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    # --- two threads for each connection ---

    def _relay(self, client: socket.socket) -> None:
        """Connect to the server; pass on what the client says, and let another thread answer."""
        if not self._keep(client):
            return
        self._wait_while(Fault.BLACKHOLE)
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=_JOIN_S)
        except OSError:
            self._drop(client)
            return
        server.settimeout(None)
        if not self._keep(server):
            self._drop(client)
            return
        for sock in (client, server):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = threading.Thread(target=self._answer, args=(server, client), daemon=True)
        answers.start()
        with contextlib.suppress(OSError):
            while data := client.recv(_READ_BYTES):
                self._wait_while(Fault.BLACKHOLE)
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        answers.join()
        self._drop(client)
        self._drop(server)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(_READ_BYTES):
                self._pass_on(data, server, client)
            if client in self._open:  # else it is to end by a reset
                client.shutdown(socket.SHUT_WR)

    def _pass_on(self, data: bytes, server: socket.socket, client: socket.socket) -> None:
        """Pass one piece of an answer on, or not; raises OSError where the connection has ended."""
        match self._fault:
            case Fault.BLACKHOLE | Fault.STALL:
                self._wait_while(self._fault)
            case Fault.TRICKLE:
                data = self._trickle(data, client)
            case Fault.DELAY:
                self._wait_while(Fault.DELAY, self.pace_s)
            case Fault.RESET | Fault.TRUNCATE as fault:
                client.sendall(data[: len(data) // 2])
                self._end(client, server, abruptly=fault is Fault.RESET)
            case Fault.GARBLE:
                data = GARBAGE * (1 + len(data) // len(GARBAGE))
            case Fault.HALF_CLOSE:
                client.shutdown(socket.SHUT_WR)
                data = b""
            case Fault.NONE | Fault.REFUSE:
                pass
        client.sendall(data)

    def _trickle(self, data: bytes, client: socket.socket) -> bytes:
        """Send byte after byte while that is the mode; return what is left."""
        while data and self._fault is Fault.TRICKLE and not self._is_over:
            client.sendall(data[:1])
            data = data[1:]
            self._wait_while(Fault.TRICKLE, self.pace_s)
        return data

    def _wait_while(self, fault: Fault, timeout_s: float | None = None) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._fault is not fault, timeout_s)

    def _end(self, client: socket.socket, server: socket.socket, *, abruptly: bool) -> None:
        if abruptly:
            with self._changed:
                self._open.discard(client)
            _reset(client)
        else:
            client.shutdown(socket.SHUT_RDWR)
        server.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError

    def _keep(self, sock: socket.socket) -> bool:
        """Note an open connection; False where none may be open."""
        with self._changed:
            if not self._is_over and self._fault is not Fault.REFUSE:
                self._open.add(sock)
                return True
        sock.close()
        return False

    def _drop(self, sock: socket.socket) -> None:
        with self._changed:
            self._open.discard(sock)
        sock.close()


def _reset(sock: socket.socket) -> None:
    """End a connection with a RST, whichever of its threads is the one that closes it."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.shutdown(socket.SHUT_RD)  # wakes who waits for it; closing alone does not
    sock.close()


def _bind(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock
