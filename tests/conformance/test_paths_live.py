"""THREATS.md A3 on sockets: the rows of ``paths``, with a service that records what it is sent."""

import pytest

from tests.conformance.paths import PATH_CASES, PathCase
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire


@pytest.mark.parametrize("case", PATH_CASES, ids=lambda case: case.id)
def test_a_target_has_one_reading_or_is_refused(
    wire: Wire, upstream: Upstream, case: PathCase
) -> None:
    """DESIGN.md section 5: the path that is matched is the path that the service receives."""
    wire.send(case.request_line + b"\r\nHost: gw.test\r\n\r\n")

    response = wire.read_response(case.method.encode() if case.method == "HEAD" else b"GET")
    assert (response.status, response.reason) == (case.status, case.reason or "")
    if case.status == 200:
        forwarded = case.target if case.forwarded is None else case.forwarded
        expected = f"{case.method} {forwarded} HTTP/1.1\r\n".encode()
        assert upstream.requests[0].head.startswith(expected)
    else:
        assert upstream.byte_count == 0
