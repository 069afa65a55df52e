"""Whatever a service answers, the client gets a legal answer or sees that it was cut."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import pytest

from tests.conftest import StartGateway
from tests.fuzz.mutation import FACTOR, Mutator, read_corpus
from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.script import Conversation, PeerGoneError, Step, half_close, reset
from tests.kit.upstream import Upstream
from tests.kit.wire import TruncatedError, Wire

CASES: Final = 1200 * FACTOR
AT_ONCE: Final = 100
ASKED: Final = 10  # after each of those
HOST: Final = b"Host: gw.test\r\n"
REQUESTS: Final = (
    (b"GET", b"GET /public/@ HTTP/1.1\r\n" + HOST + b"\r\n"),
    (b"HEAD", b"HEAD /public/@ HTTP/1.1\r\n" + HOST + b"\r\n"),
    (b"POST", b"POST /public/@ HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nhi"),
)


@pytest.fixture
def impatient(start_gateway: StartGateway, own_upstream: Upstream) -> GatewayProcess:
    """A gateway that soon gives up a service that does not go on."""
    return start_gateway(
        configuration(
            own_upstream.port,
            upstream={
                "response_timeout": "250ms",
                "idle_timeout": "250ms",
                "max_connections": AT_ONCE,
            },
        )
    )


def test_whatever_a_service_answers_the_client_is_told_legally(
    impatient: GatewayProcess, own_upstream: Upstream
) -> None:
    """h11 takes each answer or sees its end too soon; no answer reaches another client."""
    mutator = Mutator(read_corpus("answers"))
    cases = mutator.cases(CASES)
    relayed = own = 0
    while batch := list(islice(cases, AT_ONCE)):
        for case in batch:
            own_upstream.play(*_program(mutator, case))
        relayed += _ask_all(impatient.port, mutator, batch)
        assert own_upstream.violations == []
        own_upstream.clear()  # a request that found no connection has left its answer there
        own += count_own_answers(impatient.port)
        assert own_upstream.violations == []
    impatient.check_quiet()

    assert relayed > CASES // 20  # else this tests nothing
    assert own > CASES // AT_ONCE * ASKED // 2


def _program(mutator: Mutator, case: bytes) -> Iterator[Step]:
    """Yield what the service does: answer in pieces, and end the connection or not."""

    def answer(talk: Conversation) -> None:
        talk.read_body()
        for piece in mutator.cut(case):
            talk.send(piece)

    yield answer
    yield from mutator.random.choice(([], [half_close, _stop], [reset]))


def _stop(_: Conversation) -> None:
    raise PeerGoneError


def _ask_all(port: int, mutator: Mutator, batch: list[bytes]) -> int:
    """Ask as often as there are answers; return how many were complete and the service's own."""
    talks = []
    for _ in batch:
        method, request = mutator.random.choice(REQUESTS)
        wire = Wire(port)
        wire.send(request.replace(b"@", b"first"))
        talks.append((method, wire))
    relayed = 0
    for method, wire in talks:
        with wire:
            try:
                response = wire.read_response(method)
            except TruncatedError:
                continue
            relayed += not response.reason
    return relayed


def count_own_answers(port: int) -> int:
    """Ask once more: nothing that was left over may answer it; return how often the service did."""
    wires = [Wire(port) for _ in range(ASKED)]
    count = 0
    for number, wire in enumerate(wires):
        wire.send(b"POST /public/%d HTTP/1.1\r\n" % number + HOST + b"Content-Length: 0\r\n\r\n")
    for number, wire in enumerate(wires):
        with wire:
            response = wire.read_response()
            if response.status == 502:  # the connection that it got had been ended by the service
                assert response.reason == "upstream_unreachable"
            elif response.status == 504:  # the service is a thread of a busy process
                assert response.reason == "upstream_timeout"
            else:
                assert response.json().get("target") == f"/public/{number}", response
                count += 1
    return count
