"""Whether a request that wants to become a websocket may, once it could pass as a request.

What makes it one is said in two fields (``http1.fields``): a Connection with ``upgrade`` and an
Upgrade with ``websocket``. Without both it is an ordinary request, and neither field is passed on.

Source: RFC 6455 section 4.2; section 10.2 for the origin.
"""

from typing import Final

from gateway.errors import Reason
from gateway.http1.handshake import (
    KEY,
    SPOKEN_VERSION,
    UPGRADE_LINES,
    VERSION,
    accept_of,
    is_key,
    is_only_websocket,
    values_of,
)
from gateway.policy.credentials import Presented
from gateway.policy.forwarding import plan_forward
from gateway.policy.model import Forward, PlaceKind, Request, Respond, Route, Snapshot
from gateway.policy.tokens import VerifiedToken

_DEFAULT_PORTS: Final = {b"http": b":80", b"https": b":443"}
_NOT_HERE: Final = "This route takes no websockets."
_NOT_ONE: Final = "A websocket handshake is a GET of HTTP/1.1 that offers nothing else."
_KEYLESS: Final = "Sec-WebSocket-Key is not 16 bytes in base64, once."


def plan_handshake(
    snapshot: Snapshot,
    route: Route,
    request: Request,
    presented: Presented,
    token: VerifiedToken | None,
) -> Forward | Respond:
    """Build the handshake for the service, or refuse this one.

    Raises:
        UnfitClaimError: A claim has a value that no header can carry.
    """
    refusal = find_handshake_refusal(route, request, presented, token)
    if refusal is not None:
        return Respond(*refusal, route=route, token=token, fields=_fields_of(refusal[0]))
    forward = plan_forward(snapshot, route, request, presented, token)
    forward.fields += UPGRADE_LINES
    forward.accept = accept_of(values_of(request.head.fields.lines, KEY)[0])
    return forward


def find_handshake_refusal(
    route: Route, request: Request, presented: Presented, token: VerifiedToken | None
) -> tuple[Reason, str] | None:
    """Return why a handshake is refused, and the words for it; None where it is not."""
    head = request.head
    if not route.websocket:
        return Reason.WEBSOCKET_REFUSED, _NOT_HERE
    # > A server MUST ignore an Upgrade header field that is received in an HTTP/1.0 request
    # -- RFC 9110 section 7.8. Departs from it: to ignore it where a tunnel was wanted helps nobody.
    if head.method != b"GET" or head.minor != 1 or not is_only_websocket(head.fields):
        return Reason.WEBSOCKET_REFUSED, _NOT_ONE
    if values_of(head.fields.lines, VERSION) != [SPOKEN_VERSION]:
        return Reason.WEBSOCKET_VERSION, ""
    keys = values_of(head.fields.lines, KEY)
    if len(keys) != 1 or not is_key(keys[0]):
        return Reason.WEBSOCKET_REFUSED, _KEYLESS
    by_itself = token is not None and _comes_by_itself(presented)
    if by_itself and not _may_come_from(route, request):
        return Reason.ORIGIN_DENIED, ""
    return None


def _fields_of(reason: Reason) -> tuple[tuple[bytes, bytes], ...]:
    if reason is not Reason.WEBSOCKET_VERSION:
        return ()
    # > A server that sends a 426 response MUST send an Upgrade header field -- RFC 9110 15.5.22
    return (
        (b"Sec-WebSocket-Version", SPOKEN_VERSION),
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
    )


def _comes_by_itself(presented: Presented) -> bool:
    """Whether a browser would send the credential whichever page opens the websocket."""
    return any(place.kind is PlaceKind.COOKIE or place.takes_basic for place, _ in presented.found)


def _may_come_from(route: Route, request: Request) -> bool:
    """Whether the page that a handshake comes from, if any, is of our own origin or a known one.

    CORS does not hold for websockets: what a browser would not let a page read, it lets it speak
    to.
    """
    origins = values_of(request.head.fields.lines, b"origin")
    if not origins:
        return True  # no browser: those always send it
    if len(origins) > 1:
        return False
    cors = route.cors
    if cors is not None and cors.credentials and cors.allows(origins[0]):
        return True
    return _is_own(request, origins[0])


def _is_own(request: Request, origin: bytes) -> bool:
    scheme, _, authority = origin.lower().partition(b"://")
    port = _DEFAULT_PORTS.get(scheme)
    # Where TLS ends before us, both schemes may be meant.
    if port is None or (request.secure and scheme != b"https"):
        return False
    own = (request.head.fields.authority or b"").lower()
    return authority.removesuffix(port) == own.removesuffix(port)
