"""What the service is sent in place of the client's head.

The order of DESIGN.md section 5 is kept here and nowhere else. Hop-by-hop fields, every spelling of
a reserved name and oddly spelled names were dropped when the head was read (``http1.fields``),
before anything is set: nothing that the client sent can take away or stand beside what is set here.
"""

import re
from typing import Final

from gateway.http1.fields import Fields
from gateway.http1.request import RequestHead, value_of
from gateway.policy.credentials import Presented
from gateway.policy.model import Forward, Request, Route, Snapshot
from gateway.policy.peers import find_client
from gateway.policy.tokens import VerifiedToken

_FOR: Final = b"x-forwarded-for"
_TRACEPARENT: Final = b"traceparent"
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._\-]{1,128}")


def plan_forward(
    snapshot: Snapshot,
    route: Route,
    request: Request,
    presented: Presented,
    token: VerifiedToken | None,
) -> Forward:
    """Build the head for the service from what is left of the client's.

    Raises:
        UnfitClaimError: A claim has a value that no header can carry.
    """
    head = request.head
    path, query = head.target.path, head.target.query
    if route.strip_prefix:  # literal segments of the route's path, so it is there
        path = path[len(route.strip_prefix) :] or b"/"
    if route.rewrite is not None:
        path = route.rewrite.path(head.target)
    if presented.query is not None and not route.forward_credential:
        query = presented.query
    # What passes depends on the route and the client's fields alone, and is remembered with these.
    passed: bytes | None = head.fields.derived.get(route)
    if passed is None:
        passed = _passed_lines(route, head.fields, presented)
        head.fields.remember(route, passed)
    if request.traceparent is not None:
        passed = _with_span(route, passed, request.traceparent)
    return Forward(
        route,
        b"".join((head.method, b" ", path, query, b" HTTP/1.1\r\n")),
        b"".join((passed, _forwarding_lines(snapshot, request), _identity_lines(route, token))),
        token,
    )


def _passed_lines(route: Route, fields: Fields, presented: Presented) -> bytes:
    """Return what the service receives of the client's own fields."""
    lines = []
    upstream = route.upstream
    authority = upstream.host or (None if upstream.host_from_endpoint else fields.authority)
    if authority is not None:
        lines.append(b"Host: " + authority)
    changes = route.request_changes
    lines += fields.lines if changes is None else changes.apply(fields.lines)
    if route.forward_credential:
        lines += [line for _, _, line in fields.credentials]
        lines += fields.cookies
    else:
        lines += presented.lines
    lines.append(b"")
    return b"\r\n".join(lines)


def _with_span(route: Route, passed: bytes, traceparent: bytes) -> bytes:
    """Name our own span as the parent of the service's, unless the route keeps that from it."""
    if route.request_changes is not None and _TRACEPARENT in route.request_changes.removed:
        return passed
    lines = [
        line for line in passed.split(b"\r\n") if line.partition(b":")[0].lower() != _TRACEPARENT
    ]
    lines[-1:] = [b"Traceparent: " + traceparent, b""]
    return b"\r\n".join(lines)


def make_request(
    snapshot: Snapshot, head: RequestHead, *, peer: str, secure: bool, new_id: bytes
) -> Request:
    """Return a request to decide on; a trusted proxy's request id stands in place of *new_id*."""
    sent_id = head.fields.request_id
    if sent_id and peer in snapshot.trusted_proxies and _REQUEST_ID.fullmatch(sent_id):
        new_id = sent_id
    return Request(head, peer=peer, secure=secure, request_id=new_id)


def forwarded_for(fields: Fields) -> list[bytes]:
    """Return the values of ``X-Forwarded-For`` as they came, whoever sent them."""
    return [value_of(line) for name, line in fields.forwarding if name == _FOR]


def client_of(snapshot: Snapshot, request: Request) -> str:
    """Return the address that a request comes from, as far as it can be believed."""
    chain = forwarded_for(request.head.fields)
    return find_client(request.peer, chain, snapshot.trusted_proxies)


def _forwarding_lines(snapshot: Snapshot, request: Request) -> bytes:
    proto = b"https" if request.secure else b"http"
    peer = request.peer.encode("ascii") or b"unknown"  # a Unix socket's: RFC 7239 section 6
    if request.peer in snapshot.trusted_proxies:
        return _continued_lines(request.head.fields, peer, proto, request.request_id)
    return b"".join(
        (
            b"X-Forwarded-For: ",
            peer,
            b"\r\nX-Forwarded-Proto: ",
            proto,
            b"\r\nX-Forwarded-Host: ",
            request.head.fields.authority or b"",
            b"\r\nX-Request-Id: ",
            request.request_id,
            b"\r\n",
        )
    )


def _continued_lines(fields: Fields, peer: bytes, proto: bytes, request_id: bytes) -> bytes:
    """Return what a trusted proxy sent, with its own address behind those it names."""
    sent = fields.forwarding
    chain = forwarded_for(fields)
    lines = [line for name, line in sent if name != _FOR]
    names = {name for name, _ in sent}
    lines.append(b"X-Forwarded-For: " + b", ".join([*chain, peer]))
    if b"x-forwarded-proto" not in names:
        lines.append(b"X-Forwarded-Proto: " + proto)
    if b"x-forwarded-host" not in names:
        lines.append(b"X-Forwarded-Host: " + (fields.authority or b""))
    lines += [b"X-Request-Id: " + request_id, b""]
    return b"\r\n".join(lines)


def _identity_lines(route: Route, token: VerifiedToken | None) -> bytes:
    """Return the identity headers; none without a token, not even defaults."""
    if token is None:
        return b""
    rendered = token.rendered.get(route.headers)
    if rendered is None:
        rendered = token.rendered[route.headers] = route.headers.render(token.claims)
    return rendered
