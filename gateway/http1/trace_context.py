"""W3C Trace Context: which of a client's two fields may go on to the service.

Where the gateway makes no spans, a well-formed context passes as it came; where it does, its own
span stands in the parent's place (``policy.forwarding``). One that is not well-formed is dropped
with all that belongs to it, and a new trace begins, as section 3.2.2.1 of the recommendation has
it.
"""

import re
from typing import Final, NamedTuple

# version "-" trace-id "-" parent-id "-" trace-flags, in lower case; a later version may go on
# behind them   -- W3C Trace Context section 3.2.2
_TRACEPARENT: Final = re.compile(
    rb"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    rb"(?P<rest>-[\x21-\x7e]*)?"
)
_FORBIDDEN_VERSION: Final = b"ff"
MAX_BYTES: Final = 256  # version 00 has 55


class TraceParent(NamedTuple):
    """What a ``traceparent`` says, in hexadecimal digits."""

    trace_id: bytes
    span_id: bytes
    flags: bytes


def parse_traceparent(value: bytes) -> TraceParent | None:
    """Read the value of a ``traceparent`` field; None where it is not well-formed."""
    match = _TRACEPARENT.fullmatch(value) if len(value) <= MAX_BYTES else None
    if match is None or match["version"] == _FORBIDDEN_VERSION:
        return None
    if match["version"] == b"00" and match["rest"] is not None:
        return None
    # > All bytes as zero [...] is considered an invalid value.
    if not match["trace"].strip(b"0") or not match["parent"].strip(b"0"):
        return None
    return TraceParent(match["trace"], match["parent"], match["flags"])
