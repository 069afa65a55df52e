"""Whatever bytes come, we answer legally or close; what h11 rejects never reaches the service."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from tests.fuzz.mutation import FACTOR, Mutator, read_corpus
from tests.kit.gateway import GatewayProcess, mint
from tests.kit.script import Received
from tests.kit.upstream import Upstream
from tests.kit.wire import TruncatedError, Wire, WireError

CASES: Final = 18_000 * FACTOR
AT_ONCE: Final = 60

# What a reserved name may say, folded as services fold it; every other value is the client's.
ALLOWED: Final = {
    b"x-user": re.compile(rb"alice"),
    b"x-user-roles": re.compile(rb"user"),
    b"x-user-plan": re.compile(rb"free"),
    b"x-forwarded-for": re.compile(rb"127\.0\.0\.1"),
    b"x-forwarded-proto": re.compile(rb"http"),
    b"x-forwarded-host": re.compile(rb"[A-Za-z0-9\-._~:\[\]]*"),
    b"x-request-id": re.compile(rb"[0-9a-f]{12}-[0-9a-f]{8}"),
}
RESERVED: Final = re.compile(
    rb"x-user(-(email|name|roles|plan|extra|claims))?|x-forwarded-.*|x-original-.*|forwarded"
    rb"|x-real-ip|x-rewrite-url|x-request-id"
)
# ``/api/**`` strips its prefix: these could come by it too, but nothing in the corpus spells it.
PROTECTED: Final = re.compile(rb"/(p|claims|vhost)([/?].*)?")
FOR_ADMINS: Final = re.compile(rb"/admin([/?].*)?")
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
NOT_FOLDED: Final = re.compile(rb"[^a-z0-9\-]")


def test_whatever_comes_is_answered_legally(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Answers that h11 takes, or the connection's end; no client's value under a reserved name."""
    token = mint().encode("ascii")
    corpus = [seed.replace(b"@TOKEN@", token) for seed in read_corpus("requests")]
    mutator = Mutator(corpus)
    cases = mutator.cases(CASES)
    answered = forwarded = 0
    while batch := list(islice(cases, AT_ONCE)):
        talks = [(case, _send(gateway.port, mutator.cut(case))) for case in batch]
        for case, wire in talks:
            with wire:
                try:
                    said = wire.read_to_end()
                except TimeoutError:
                    raise AssertionError(case) from None
                answered += bool(said)
                assert is_legal(said, was_reset=wire.was_reset), (case, said)
        for request in upstream.requests:
            check_request(request)
        forwarded += len(upstream.requests)
        assert upstream.violations == []
        upstream.clear()
    gateway.check_quiet()

    assert answered > CASES // 2  # else this tests nothing
    assert forwarded > CASES // 10


def _send(port: int, pieces: list[bytes]) -> Wire:
    wire = Wire(port)
    if all(wire.send(piece) for piece in pieces):
        try:
            wire.half_close()
        except OSError:  # it was refused and closed before all was sent
            wire.was_reset = True
    return wire


def check_request(request: Received) -> None:
    """Check that nothing in *request* is the client's word where only ours may stand."""
    seen = set()
    for name, value in request.headers:
        folded = NOT_FOLDED.sub(b"-", name.lower())
        if RESERVED.fullmatch(folded):
            allowed = ALLOWED.get(folded)
            assert folded not in seen, request.head
            assert allowed is not None, request.head
            assert allowed.fullmatch(value), request.head
            seen.add(folded)
    if PROTECTED.fullmatch(request.target) and not request.target.startswith(b"/vhost/open"):
        assert b"x-user" in seen, request.head
    assert not FOR_ADMINS.fullmatch(request.target), request.head  # alice is none


def is_legal(said: bytes, *, was_reset: bool) -> bool:
    """Whether *said* is a row of responses; which were to HEAD is for us to find out."""
    if not said:
        return True
    return any(is_legal(rest, was_reset=was_reset) for rest in _rests(said, was_reset=was_reset))


def _rests(said: bytes, *, was_reset: bool) -> Iterator[bytes]:
    """Yield what follows the first response, for each kind of request that it may answer."""
    for method in (b"GET", b"HEAD"):
        wire = Said(said)
        try:
            wire.read_response(method)
        except TruncatedError:
            if was_reset or said == CONTINUE:  # its body was cut off by the mutator
                yield b""
        except WireError:
            continue
        else:
            yield wire.rest


class Said(Wire):
    """What a connection said, to be read once more."""

    def __init__(self, said: bytes) -> None:
        self._rest = said
        self.was_reset = False

    @property
    def rest(self) -> bytes:
        """What has not been read."""
        return self._rest

    def read_some(self) -> bytes:
        """Return what is left, then nothing."""
        data, self._rest = self._rest, b""
        return data
