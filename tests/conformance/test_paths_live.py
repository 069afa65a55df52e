"""THREATS.md A3 on sockets: the rows of ``paths``, with a service that records what it is sent."""

import pytest

from tests.conformance.paths import PATH_CASES, PathCase
from tests.conftest import StartGateway
from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire, replay


@pytest.mark.parametrize("case", PATH_CASES, ids=lambda case: case.id)
def test_a_target_has_one_reading_or_is_refused(
    gateway: GatewayProcess, upstream: Upstream, case: PathCase
) -> None:
    """DESIGN.md section 5: the path that is matched is the path that the service receives."""
    request = case.request_line + b"\r\nHost: gw.test\r\n\r\n"
    verdicts = replay(gateway.port, request, method=case.method.encode())

    reason = "" if case.method == "HEAD" else case.reason or ""
    assert {(verdict.status, verdict.reason) for verdict in verdicts} == {(case.status, reason)}
    assert len(verdicts) == 1
    if case.status == 200:
        forwarded = case.target if case.forwarded is None else case.forwarded
        expected = f"{case.method} {forwarded} HTTP/1.1".encode()
        assert {seen.head.partition(b"\r\n")[0] for seen in upstream.requests} == {expected}
    else:
        assert upstream.byte_count == 0


@pytest.mark.parametrize("narrow_first", [True, False])
def test_the_narrower_route_wins_in_any_order(
    start_gateway: StartGateway, own_upstream: Upstream, *, narrow_first: bool
) -> None:
    """PATH-30: ``/a/**`` is open, ``/a/b/**`` is not, whichever the file names first."""
    document = configuration(own_upstream.port)
    wide = {"name": "wide", "path": "/a/**", "upstream": "raw", "auth": "none"}
    narrow = {"name": "narrow", "path": "/a/b/**", "upstream": "raw"}
    document["routes"] += [narrow, wide] if narrow_first else [wide, narrow]
    with Wire(start_gateway(document).port) as wire:
        for target, status in ((b"/a/c", 200), (b"/a/b", 401), (b"/a/b/c", 401), (b"/a/bc", 200)):
            wire.send(b"GET %b HTTP/1.1\r\nHost: gw.test\r\n\r\n" % target)
            assert wire.read_response().status == status

    assert [request.target for request in own_upstream.requests] == [b"/a/c", b"/a/bc"]
