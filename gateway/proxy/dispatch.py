"""From a request to what answers it: the decision, and the call or refusal that comes of it."""

import logging
import math
from collections.abc import Callable
from functools import partial
from typing import Final

from gateway.errors import Reason
from gateway.http1.chunked import ChunkedDecoder
from gateway.http1.request import RequestHead
from gateway.observe.access import Record
from gateway.policy.checked import Refused, UncheckedError
from gateway.policy.decide import decide
from gateway.policy.forwarding import client_of
from gateway.policy.model import Decision, Forward, Request, Respond, Serve, Snapshot
from gateway.policy.rate_limits import RateLimit
from gateway.policy.revoked import Revocations
from gateway.proxy.body import BodyReader, LengthReader
from gateway.proxy.bridge import MAX_BODY_BYTES, ControlCall
from gateway.proxy.deferred import Deferred
from gateway.proxy.exchange import Exchange
from gateway.proxy.roles import Call, Client
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
        limit = decision.route.rate_limit
        if limit is not None and (wait_s := _take(worker, snapshot, request, decision, limit)):
            retry_after = (b"Retry-After", b"%d" % math.ceil(wait_s))
            return Respond(Reason.RATE_LIMITED, route=decision.route, fields=(retry_after,))
        pool = worker.pool_for(decision.route.upstream)
        if pool is None:
            return Respond(Reason.NO_HEALTHY_ENDPOINT, route=decision.route)
        return Exchange(client, request.head, decision, pool, record)
    if isinstance(decision, Serve):
        return _serve(client, worker, request, decision, record)
    if decision.unchecked is not None and look_ups:
        again = partial(dispatch, client, worker, snapshot, request, record, look_ups - 1)
        finding = _look_up(worker, snapshot, request, decision.unchecked, again)
        return Deferred(client, request.head, decision.route, finding)
    if decision.issuer:
        worker.on_keys_wanted(decision.issuer)
    return decision


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


def _take(
    worker: Worker, snapshot: Snapshot, request: Request, forward: Forward, limit: RateLimit
) -> float:
    """Count a request that would be forwarded; return 0, or for how long it may not be."""
    key = limit.key_for(client_of(snapshot, request), forward.token)
    return worker.rate_limiter.take(forward.route.name, limit, key, worker.sweeper.now_s)


def body_reader(head: RequestHead, call: Call) -> BodyReader | None:
    """Return what cuts the request's body out of the stream, or None where there is none."""
    fields = head.fields
    if fields.chunked:
        return ChunkedDecoder(call.max_body_bytes)
    return LengthReader(fields.content_length) if fields.content_length else None
