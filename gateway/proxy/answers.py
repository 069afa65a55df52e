"""Answers that the gateway gives itself, as bytes."""

from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import Final

from gateway.errors import REASONS, Reason
from gateway.http1.request import RequestHead
from gateway.http1.response import status_line
from gateway.policy.model import Respond
from gateway.policy.problem import BASIC_CHALLENGE, challenge_for, problem_body

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_NO_CONTENT: Final = 204
_UNAUTHORIZED: Final = 401
# An overload of connections passes within a second or is no overload; keys are asked for each two.
RETRY_AFTER_S: Final = 1
_PASSING: Final = (
    Reason.UPSTREAM_OVERLOADED,
    Reason.NO_HEALTHY_ENDPOINT,
    Reason.KEYS_UNAVAILABLE,
    Reason.TOO_MANY_CONNECTIONS,
)

Fields = list[tuple[bytes, bytes]]


def build_answer(
    status: int, fields: Iterable[tuple[bytes, bytes]], body: bytes, *, head_method: bool
) -> bytes:
    """Return a whole answer, framed by its length.

    Args:
        status: The status code.
        fields: Names and values, without framing.
        body: The body; left out of the answer to HEAD, though its length is told.
        head_method: Whether the request was a HEAD.
    """
    lines = [status_line(status)]
    lines += [b"%b: %b\r\n" % field for field in fields]
    if status != _NO_CONTENT:
        lines.append(b"Content-Length: %d\r\n" % len(body))
    lines.append(b"\r\n")
    if not head_method:
        lines.append(body)
    return b"".join(lines)


def connection_fields(head: RequestHead | None, *, keep_alive: bool) -> Fields:
    """Return what tells the client whether the connection goes on (RFC 9112 section 9.3)."""
    if not keep_alive:
        return [(b"Connection", b"close")]
    return [(b"Connection", b"keep-alive")] if head is not None and head.minor == 0 else []


def goes_on(head: RequestHead | None, respond: Respond) -> bool:
    """Whether the client may send more on the connection once it has been answered like this."""
    if head is None or not head.keep_alive:
        return False
    return respond.reason is None or not REASONS[respond.reason].closes


class Refusal:
    """A whole answer of the data plane's own, made from a decision.

    Args:
        respond: What was decided.
        request_id: Told to the client, so that it can ask about the refusal.
        head: The request's; None where it could not be read.
        head_method: Whether a head that could not be read was that of a HEAD.
    """

    __slots__ = ("_body", "_fields", "_head", "_is_head", "_status")

    def __init__(
        self,
        respond: Respond,
        request_id: bytes,
        head: RequestHead | None,
        *,
        head_method: bool = False,
    ) -> None:
        self._status = respond.status
        self._head = head
        self._is_head = head_method or (head is not None and head.method == b"HEAD")
        self._fields, self._body = _problem(respond, request_id)
        self._fields += _own_fields(respond, head)

    @property
    def sent_bytes(self) -> int:
        """How long the body is that goes out."""
        return 0 if self._is_head else len(self._body)

    def encode(self, date: Fields, *, keep_alive: bool) -> bytes:
        """Return the bytes of it; *date* is the field of now."""
        fields = [*date, *self._fields, *connection_fields(self._head, keep_alive=keep_alive)]
        return build_answer(self._status, fields, self._body, head_method=self._is_head)


def _problem(respond: Respond, request_id: bytes) -> tuple[Fields, bytes]:
    """Return the fields and the body of a refusal (RFC 9457); nothing where it is none."""
    reason = respond.reason
    if reason is None:
        return [], b""
    fields = [(b"Content-Type", b"application/problem+json"), (b"Cache-Control", b"no-store")]
    challenge = challenge_for(reason)
    if challenge is not None:
        fields.append((b"WWW-Authenticate", challenge.encode("ascii")))
    places = respond.route.places if respond.route is not None else ()
    if respond.status == _UNAUTHORIZED and any(place.takes_basic for place in places):
        fields.append((b"WWW-Authenticate", BASIC_CHALLENGE.encode("ascii")))
    if reason in _PASSING:
        fields.append((b"Retry-After", b"%d" % RETRY_AFTER_S))
    return fields, problem_body(reason, respond.detail, request_id.decode("ascii"))


def _own_fields(respond: Respond, head: RequestHead | None) -> Fields:
    """Return what an answer carries besides: its own fields, and CORS, so that a page can read it.

    The answer to a preflight has all of CORS among its own.
    """
    fields = list(respond.fields)
    cors = respond.route.cors if respond.route is not None else None
    if cors is not None and respond.reason is not None and head is not None:
        fields += cors.answer_fields(head.fields)
    return fields


class DateField:
    """The ``Date`` field of our own answers, made once a second (RFC 9110 section 6.6.1)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._second = 0
        self._fields: Fields = []

    def __call__(self) -> Fields:
        """Return the field of now."""
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._fields = [(b"date", formatdate(second, usegmt=True).encode("ascii"))]
        return self._fields
