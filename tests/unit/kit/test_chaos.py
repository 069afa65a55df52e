"""tests.kit.chaos: each fault does what its name says, and a change ends it."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.kit.chaos import GARBAGE, ChaosProxy, Fault
from tests.kit.wire import Wire

WORD = b"twelve bytes"
SOON_S = 0.2  # for what should not come


class Echo:
    """A server that says back what it hears, and that its peer has ended."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heard = threading.Event()
        self.ended = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(sock,), daemon=True).start()

    def _echo(self, sock: socket.socket) -> None:
        with sock:
            try:
                while data := sock.recv(4096):
                    self.heard.set()
                    sock.sendall(data)
            except OSError:
                pass
            self.ended.set()


@pytest.fixture
def echo() -> Iterator[Echo]:
    """The server behind the proxy."""
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[ChaosProxy]:
    """A proxy in which nothing is wrong yet."""
    with ChaosProxy(echo.port, pace_s=0.05) as running:
        yield running


def is_silent(wire: Wire) -> bool:
    """Whether nothing comes for a moment."""
    wire.sock.settimeout(SOON_S)
    try:
        wire.read_some()
    except TimeoutError:
        wire.sock.settimeout(30)
        return True
    return False


def read_word(wire: Wire) -> bytes:
    """Return what comes until it is as long as the word."""
    data = b""
    while len(data) < len(WORD) and (piece := wire.read_some()):
        data += piece
    return data


def test_nothing_is_wrong_at_first(proxy: ChaosProxy, echo: Echo) -> None:
    """Both directions are relayed, and their ends."""
    with Wire(proxy.port) as wire:
        wire.send(WORD)
        assert read_word(wire) == WORD
        wire.half_close()

        assert wire.is_ended()
    assert echo.ended.wait(30)
    assert proxy.accepted_count == 1


def test_refused(proxy: ChaosProxy) -> None:
    """Nobody listens, open connections are reset; afterwards it is the same port."""
    with Wire(proxy.port) as wire:
        wire.send(WORD)
        read_word(wire)
        proxy.set(Fault.REFUSE)
        assert wire.is_ended()
        assert wire.was_reset
        with pytest.raises(ConnectionRefusedError):
            Wire(proxy.port)
    proxy.set(Fault.NONE)
    with Wire(proxy.port) as wire:
        wire.send(WORD)

        assert read_word(wire) == WORD


@pytest.mark.parametrize("fault", [Fault.BLACKHOLE, Fault.STALL])
def test_held_back(proxy: ChaosProxy, echo: Echo, fault: Fault) -> None:
    """Nothing comes while it lasts, and then what was held; only a stall lets requests through."""
    proxy.set(fault)
    with Wire(proxy.port) as wire:
        wire.send(WORD)

        assert is_silent(wire)
        assert echo.heard.is_set() == (fault is Fault.STALL)
        proxy.set(Fault.NONE)
        assert read_word(wire) == WORD


def test_drops(proxy: ChaosProxy) -> None:
    """A byte at a time, until the rest may come."""
    proxy.set(Fault.TRICKLE)
    with Wire(proxy.port) as wire:
        wire.send(WORD)
        first = wire.read_some()
        proxy.set(Fault.NONE)

        assert len(first) == 1
        assert first + wire.read_until(WORD[-1:]) == WORD


def test_late(proxy: ChaosProxy) -> None:
    """It comes whole."""
    proxy.set(Fault.DELAY)
    with Wire(proxy.port) as wire:
        wire.send(WORD)

        assert read_word(wire) == WORD


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.TRUNCATE])
def test_cut_in_the_middle(proxy: ChaosProxy, echo: Echo, fault: Fault) -> None:
    """Half of it, and the server sees an end too."""
    proxy.set(fault)
    with Wire(proxy.port) as wire:
        wire.send(WORD)
        received = wire.read_to_end()

        # A reset may overtake what was sent before it.
        assert received == WORD[:6] or (fault is Fault.RESET and received == b"")
        assert wire.was_reset == (fault is Fault.RESET)
    assert echo.ended.wait(30)


def test_something_else(proxy: ChaosProxy) -> None:
    """Not one byte of the answer."""
    proxy.set(Fault.GARBLE)
    with Wire(proxy.port) as wire:
        wire.send(WORD)

        assert wire.read_some() == GARBAGE


def test_half_an_end(proxy: ChaosProxy, echo: Echo) -> None:
    """No answer, and the connection's other half goes on."""
    proxy.set(Fault.HALF_CLOSE)
    with Wire(proxy.port) as wire:
        wire.send(WORD)
        assert wire.is_ended()
        echo.heard.clear()
        wire.send(WORD)

        assert echo.heard.wait(30)


def test_no_server(echo: Echo, proxy: ChaosProxy) -> None:
    """Who connects is let go."""
    echo.close()
    with Wire(proxy.port) as wire:
        assert wire.is_ended()
