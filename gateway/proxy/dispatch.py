"""From a request to what answers it: the decision, and the call or refusal that comes of it."""

import logging
import math
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from gateway.errors import Reason
from gateway.http1.chunked import ChunkedDecoder
from gateway.http1.request import RequestHead
from gateway.observe.access import Record
from gateway.policy.checked import Refused, UncheckedError
from gateway.policy.decide import decide
from gateway.policy.forwarding import client_of
from gateway.policy.model import Decision, Forward, Request, Respond, Route, Serve, Snapshot
from gateway.policy.rate_limits import LOCAL, RateLimit
from gateway.policy.revoked import Revocations
from gateway.policy.tokens import VerifiedToken
from gateway.proxy.body import BodyReader, LengthReader
from gateway.proxy.bridge import MAX_BODY_BYTES, ControlCall
from gateway.proxy.deferred import Deferred
from gateway.proxy.exchange import Exchange
from gateway.proxy.pool import Pool
from gateway.proxy.roles import Call, Client
from gateway.proxy.shared_limits import SharedLimiter
from gateway.proxy.worker import Worker

# A revocation that comes between a look-up and the decision has the credential looked up once more.
LOOK_UPS: Final = 3

log = logging.getLogger(__name__)


def decide_or_refuse(
    decide: Callable[[Snapshot, Request, float, Revocations], Decision],
    snapshot: Snapshot,
    request: Request,
    now_s: float,
    revocations: Revocations,
) -> Decision:
    """Run *decide*; an unforeseen error becomes a refusal, never a pass."""
    try:
        return decide(snapshot, request, now_s, revocations)
    except Exception:
        log.exception("the policy core raised; refusing the request")
        return Respond(Reason.INTERNAL_ERROR)


def dispatch(
    client: Client,
    worker: Worker,
    snapshot: Snapshot,
    request: Request,
    record: Record | None = None,
    look_ups: int = LOOK_UPS,
) -> Call | Respond:
    """Decide on a request and return what will answer it, not yet started.

    Args:
        client: Who asks.
        worker: What this process has.
        snapshot: What is decided by.
        request: What is decided on.
        record: Of the request, where it is told of.
        look_ups: How often a credential may be looked up before it is decided once more.
    """
    decision = decide_or_refuse(decide, snapshot, request, worker.clock(), worker.revocations)
    if record is not None:
        record.decision = decision
    if isinstance(decision, Forward):
        if decision.route.rate_limit is not None:
            return _dispatch_limited(client, worker, snapshot, request, decision, record)
        pool = worker.pool_for(decision.route.upstream)
        return _exchange(client, worker, request.head, decision, pool, record)
    if isinstance(decision, Serve):
        return _serve(client, worker, request, decision, record)
    if decision.unchecked is not None and look_ups:
        again = partial(dispatch, client, worker, snapshot, request, record, look_ups - 1)
        finding = _look_up(worker, snapshot, request, decision.unchecked, again)
        return Deferred(client, request.head, decision.route, finding)
    if decision.issuer:
        worker.on_keys_wanted(decision.issuer)
    return decision


def _exchange(
    client: Client,
    worker: Worker,
    head: RequestHead,
    forward: Forward,
    pool: Pool | None,
    record: Record | None,
) -> Exchange | Respond:
    if pool is None:
        return Respond(Reason.NO_HEALTHY_ENDPOINT, route=forward.route)
    if forward.accept is not None and _has_many_websockets(worker, forward.token):
        return Respond(Reason.TOO_MANY_WEBSOCKETS, route=forward.route)
    exchange = Exchange(client, head, forward, pool, record)
    if forward.route.may_end:
        worker.end_watch.watch(exchange)
    return exchange


def _has_many_websockets(worker: Worker, token: VerifiedToken | None) -> bool:
    """Whether a user may open no more; those without a token are told apart by nothing."""
    most = worker.snapshot.limits.websockets_per_user
    if token is None or not most:
        return False
    return worker.end_watch.count_websockets(token) >= most


def _serve(
    client: Client, worker: Worker, request: Request, serve: Serve, record: Record | None
) -> ControlCall | Respond:
    if (request.head.fields.content_length or 0) > MAX_BODY_BYTES:
        return Respond(Reason.BODY_TOO_LARGE)
    return ControlCall(client, request, serve, worker, record)


async def _look_up(
    worker: Worker,
    snapshot: Snapshot,
    request: Request,
    unchecked: UncheckedError,
    again: Callable[[], Call | Respond],
) -> Call | Respond:
    """Look a credential up, and decide again with what has come of it; or refuse."""
    outcome = await worker.checks.look_up(unchecked, client_of(snapshot, request))
    if isinstance(outcome, Refused):
        retry_after = (b"Retry-After", b"%d" % outcome.retry_after_s)
        fields = (retry_after,) if outcome.retry_after_s else ()
        return Respond(outcome.reason, outcome.detail, fields=fields)
    snapshot.checked.remember(unchecked, outcome)
    return again()


def _dispatch_limited(
    client: Client,
    worker: Worker,
    snapshot: Snapshot,
    request: Request,
    forward: Forward,
    record: Record | None,
) -> Call | Respond:
    """Count a request that would be forwarded, and forward it where it is not one too many."""
    route = forward.route
    # Those of now: a reload that comes while it waits is for later requests.
    endpoints = worker.endpoints_of(route.upstream)

    def go_on() -> Call | Respond:
        pool = endpoints.choose() if endpoints.only is None else endpoints.only
        return _exchange(client, worker, request.head, forward, pool, record)

    limit = route.rate_limit
    if limit is None:
        return go_on()
    key = limit.key_for(client_of(snapshot, request), forward.token)
    if worker.shared_limits is None:
        return _take(worker, route, limit, key) or go_on()
    finding = _take_shared(worker, worker.shared_limits, route, limit, key)
    return Deferred(client, request.head, route, _then(finding, go_on))


def _take(worker: Worker, route: Route, limit: RateLimit, key: bytes) -> Respond | None:
    """Count it in this worker; return the refusal where there are too many."""
    return _refusal(route, worker.rate_limiter.take(route.name, limit, key, worker.sweeper.now_s))


async def _take_shared(
    worker: Worker, shared: SharedLimiter, route: Route, limit: RateLimit, key: bytes
) -> Respond | None:
    """Count it where all count; where they cannot be asked count it here, or refuse it."""
    wait_s = await shared.take(route.name, limit, key)
    if wait_s is not None:
        return _refusal(route, wait_s)
    if limit.on_redis_failure == LOCAL:
        return _take(worker, route, limit, key)
    return Respond(Reason.RATE_LIMIT_UNAVAILABLE, route=route, fields=((b"Retry-After", b"1"),))


async def _then(
    finding: Coroutine[Any, Any, Respond | None], go_on: Callable[[], Call | Respond]
) -> Call | Respond:
    return await finding or go_on()


def _refusal(route: Route, wait_s: float) -> Respond | None:
    if not wait_s:
        return None
    retry_after = (b"Retry-After", b"%d" % math.ceil(wait_s))
    return Respond(Reason.RATE_LIMITED, route=route, fields=(retry_after,))


def body_reader(head: RequestHead, call: Call) -> BodyReader | None:
    """Return what cuts the request's body out of the stream, or None where there is none."""
    fields = head.fields
    if fields.chunked:
        return ChunkedDecoder(call.max_body_bytes)
    return LengthReader(fields.content_length) if fields.content_length else None
