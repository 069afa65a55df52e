"""gateway.http1.trace_context: W3C Trace Context, section 3.2."""

import pytest

from gateway.http1.trace_context import MAX_BYTES, TraceParent, parse_traceparent

TRACE = b"0af7651916cd43dd8448eb211c80319c"
PARENT = b"b7ad6b7169203331"
GOOD = b"00-%b-%b-01" % (TRACE, PARENT)

BROKEN = [
    pytest.param(b"", id="empty"),
    pytest.param(GOOD.upper(), id="upper-case"),
    pytest.param(b"ff" + GOOD[2:], id="version-ff"),
    pytest.param(GOOD + b"-", id="version-00-goes-on"),
    pytest.param(b"00-%b-%b-01" % (b"0" * 32, PARENT), id="zero-trace"),
    pytest.param(b"00-%b-%b-01" % (TRACE, b"0" * 16), id="zero-parent"),
    pytest.param(GOOD[:-1], id="short"),
    pytest.param(b"01" + GOOD[2:] + b"x", id="no-dash-before-the-rest"),
    pytest.param(b"01" + GOOD[2:] + b"-" + b"x" * MAX_BYTES, id="too-long"),
    pytest.param(GOOD + b"\xe2\x80\xa8", id="not-ascii"),
]


@pytest.mark.parametrize("value", [GOOD, b"01" + GOOD[2:], b"cc" + GOOD[2:] + b"-what-comes"])
def test_a_well_formed_context_is_read(value: bytes) -> None:
    """A later version may go on behind the four parts."""
    assert parse_traceparent(value) == TraceParent(TRACE, PARENT, b"01")


@pytest.mark.parametrize("value", BROKEN)
def test_anything_else_has_none(value: bytes) -> None:
    """> If parsing fails, the vendor creates a new trace-parent."""
    assert parse_traceparent(value) is None
