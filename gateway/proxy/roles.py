"""Who talks to whom in the data plane: what each side may ask of the other, and nothing else of it.

::

    Downstream (Client) ◄──── Exchange or ControlCall (Call)
                              Exchange (Relay) ◄──── UpstreamConnection

An arrow is who calls whom with bytes of an answer; requests go the other way. Where a handshake
succeeds a ``Tunnel`` takes the exchange's place on both sides.
"""

from collections.abc import Iterable
from typing import Protocol

from gateway.errors import Reason, UpstreamError
from gateway.http1.response import ResponseHead
from gateway.policy.model import Route
from gateway.proxy.end_watch import Lasting


class Client(Protocol):
    """The connection that the request came on, as an exchange or a control call sees it."""

    draining: bool  # close it after this answer

    def write(self, data: bytes) -> None:
        """Send bytes of the answer."""
        ...

    def refuse(
        self, reason: Reason, detail: str = "", fields: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        """Answer with a refusal; ends the exchange. Only while nothing of an answer was sent."""
        ...

    def hand_over(self, call: "Call") -> None:
        """Let *call* answer from now on, in place of the one that was not decided yet."""
        ...

    def finish(self, *, keep_alive: bool) -> None:
        """The answer is complete."""
        ...

    def date_line(self) -> bytes:
        """Return the line of ``Date`` for an answer that came without (RFC 9110 6.6.1)."""
        ...

    def abort(self, *, reset: bool = False) -> None:
        """Cut the connection, so that the client sees that the answer is not complete.

        Args:
            reset: By a reset, where the end of the connection would be the answer's proper end.
        """
        ...

    def is_served_by(self, call: "Call") -> bool:
        """Whether *call* still answers."""
        ...

    def switch(self, tunnel: "Duplex", head: bytes) -> bytes:
        """Answer with *head*, give *tunnel* all bytes from now on, and return those held."""
        ...

    def end(self) -> None:
        """The tunnel is over: what is written still goes out, what comes is thrown away."""
        ...

    def pause_reading(self) -> None:
        """Take no more of the request's body for now."""
        ...

    def resume_reading(self) -> None:
        """Take on."""
        ...


class Call(Protocol):
    """What answers a request: an ``Exchange`` or a ``ControlCall``."""

    @property
    def route(self) -> Route | None:
        """The route that took the request; None where an own endpoint did."""
        ...

    @property
    def max_body_bytes(self) -> int:
        """How long the request's body may be."""
        ...

    @property
    def answered(self) -> bool:
        """Whether bytes of the answer have gone out, so that it can only be cut."""
        ...

    def start(self) -> None:
        """Begin; may already end."""
        ...

    def on_body(self, data: bytes) -> None:
        """Take more of the request's body."""
        ...

    def on_body_end(self) -> None:
        """The body is complete."""
        ...

    def on_client_lost(self) -> None:
        """Give up."""
        ...

    def pause_answer(self) -> None:
        """Write no more for now."""
        ...

    def resume_answer(self) -> None:
        """Write on."""
        ...


class Duplex(Call, Lasting, Protocol):
    """What a client speaks with through a tunnel."""

    @property
    def route(self) -> Route:
        """Whose tunnel it is."""
        ...

    def on_client_eof(self) -> bool:
        """Take in that the client sends no more; whether it still hears."""
        ...

    def on_drain(self) -> None:
        """End soon: this process is about to."""
        ...


class Relay(Protocol):
    """Who made the request and takes the answer, piece by piece."""

    request_done: bool  # sent to its end

    def on_interim(self, response: ResponseHead) -> None:
        """Take an informational response."""
        ...

    def on_switch(self, response: ResponseHead) -> "TunnelRelay | None":
        """Take a 101; return who takes the bytes behind it, or None where nobody asked for it."""
        ...

    def on_response(self, response: ResponseHead, piece: bytes, *, done: bool) -> None:
        """Take the final response's head and the first bytes of its body."""
        ...

    def on_response_body(self, piece: bytes, *, done: bool) -> None:
        """Take more of the body."""
        ...

    def on_upstream_failed(self, error: UpstreamError, *, unanswered: bool) -> None:
        """The exchange cannot be completed; *unanswered*: not one byte of an answer came."""
        ...

    def pause_request(self) -> None:
        """Send no more for now: the service does not keep up."""
        ...

    def resume_request(self) -> None:
        """Send on."""
        ...


class TunnelRelay(Relay, Protocol):
    """What a service speaks with through a tunnel."""

    def start(self) -> None:
        """Let the client know: the connection is handed over."""
        ...

    def on_upstream_eof(self) -> None:
        """Take in that the service sends no more, and has closed its side."""
        ...
