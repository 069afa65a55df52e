"""Each stage's verdict on one request, in ``decide``'s order, for ``gateway explain``.

Every verdict comes from the stage's own function; what is written here is only the words. Tests
hold that the last verdict and the decision say the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.errors import REASONS, CredentialError, Reason
from gateway.policy.checked import CredentialKind, UncheckedError
from gateway.policy.claim_headers import UnfitClaimError
from gateway.policy.claims import find_claim
from gateway.policy.cors import origin_of
from gateway.policy.credentials import Presented
from gateway.policy.decide import Judge, admit, authenticate, is_denied
from gateway.policy.forwarding import client_of, plan_forward
from gateway.policy.handshake import find_handshake_refusal
from gateway.policy.model import (
    Auth,
    ControlEndpoint,
    Preflight,
    Request,
    Respond,
    Route,
    Snapshot,
)
from gateway.policy.peers import AddressSet
from gateway.policy.rate_limits import ADDRESS, RateLimit
from gateway.policy.requirements import Requirement
from gateway.policy.revoked import NoRevocations, Revocations
from gateway.policy.tokens import VerifiedToken

# What ``authenticate`` judges of a token, in its order.
_TOKEN_STAGES: Final = (
    "token shape", "token issuer", "token algorithm", "token key", "token signature",
    "token type", "token audience", "token times", "revocation",
)  # fmt: skip
# How many of them a token had passed when it was refused. A reason that is not named here can come
# from more than one of them.
_STAGES_PASSED: Final = {
    Reason.TOKEN_ISSUER: 1,
    Reason.KEYS_UNAVAILABLE: 3,
    Reason.TOKEN_KEY_UNKNOWN: 3,
    Reason.TOKEN_SIGNATURE: 4,
    Reason.TOKEN_TYPE: 5,
    Reason.TOKEN_AUDIENCE: 6,
    Reason.TOKEN_EXPIRED: 7,
    Reason.TOKEN_NOT_YET_VALID: 7,
    Reason.TOKEN_REVOKED: 8,
    Reason.STORE_UNAVAILABLE: 8,
}
_BEFORE_THE_TOKEN: Final = (Reason.CREDENTIAL_MISSING, Reason.SEVERAL_CREDENTIALS)

NOT_ASKED: Final = "not asked: the store is not read here"


@dataclass(frozen=True, slots=True)
class Check:
    """One stage's verdict."""

    name: str
    passed: bool
    detail: str
    reason: Reason | None = None  # of the refusal; None where the check passed


def run_checks(
    snapshot: Snapshot,
    request: Request,
    judge: Judge,
    presented: Presented,
    now_s: float,
    revocations: Revocations,
) -> tuple[Check, ...]:
    """Ask each stage in turn, up to the first that refuses."""
    checks = []
    for check in _verdicts(snapshot, request, judge, presented, now_s, revocations):
        checks.append(check)
        if not check.passed:
            break
    return tuple(checks)


def _verdicts(
    snapshot: Snapshot,
    request: Request,
    judge: Judge,
    presented: Presented,
    now_s: float,
    revocations: Revocations,
) -> Iterator[Check]:
    if isinstance(judge, Respond):
        yield Check("route", judge.reason is None, judge.detail, judge.reason)
        return
    yield from _check_way(snapshot, judge, request)
    if isinstance(judge, Preflight):
        yield _passed("preflight", "answered by the gateway; no credential is looked at")
        return
    refused = None
    try:
        if isinstance(judge, Route):
            token = authenticate(snapshot, presented, judge.auth, now_s, revocations)
        else:
            serve = admit(snapshot, presented, judge, now_s, revocations)
            token, refused = serve.token, serve.refused
    except CredentialError as error:
        yield from _refused_credential(error, presented)
    else:
        if token is None:
            yield _without_token(judge.auth)
        else:
            yield _found(presented)
            yield from _accepted_token(refused, revocations)
        if isinstance(judge, Route):
            yield from _check_route(snapshot, judge, request, presented, token)


def _check_route(
    snapshot: Snapshot,
    route: Route,
    request: Request,
    presented: Presented,
    token: VerifiedToken | None,
) -> Iterator[Check]:
    if token is not None:
        yield from _check_requirement(route.require, token)
    if request.head.fields.websocket:
        yield _check_handshake(route, request, presented, token)
    yield _check_size(route, request)
    yield _check_claim_headers(snapshot, route, request, presented, token)
    if route.rate_limit is not None:
        yield _tell_rate_limit(route.rate_limit, token)


def _passed(name: str, detail: str = "") -> Check:
    return Check(name, passed=True, detail=detail)


def _refused(name: str, reason: Reason, detail: str = "") -> Check:
    return Check(name, passed=False, detail=detail or REASONS[reason].title, reason=reason)


def _check_way(
    snapshot: Snapshot, judge: ControlEndpoint | Preflight | Route, request: Request
) -> Iterator[Check]:
    """Tell where a request goes, from which address it comes, and for which page."""
    if isinstance(judge, ControlEndpoint):
        yield _passed("route", f"the gateway's own {judge.path}")
        return
    route = judge.route if isinstance(judge, Preflight) else judge
    yield _passed("route", route.name)
    if route.addresses is not None:
        yield _check_address(snapshot, route.addresses, request)
    if route.cors is not None:
        origin = origin_of(request.head.fields)
        if origin is None:
            yield _passed("origin", "none: no page of another origin asks")
        else:
            may = "may" if route.cors.allows(origin) else "may not"
            yield _passed("origin", f"{origin.decode('latin-1')} {may} read the answer")


def _check_address(snapshot: Snapshot, addresses: AddressSet, request: Request) -> Check:
    client = client_of(snapshot, request)
    detail = f"{client or 'unknown'}; let in: {', '.join(map(str, addresses.networks))}"
    if is_denied(snapshot, addresses, request):
        return _refused("address", Reason.ADDRESS_DENIED, detail)
    return _passed("address", detail)


def _refused_credential(error: CredentialError, presented: Presented) -> list[Check]:
    reason = error.reason
    if reason in _BEFORE_THE_TOKEN:
        return [_refused("credential", reason, error.detail)]
    if isinstance(error, UncheckedError):
        return [_found(presented), _refused("look-up", reason, error.detail)]
    if reason not in _STAGES_PASSED or not _is_token(presented):
        return [_found(presented), _refused("token", reason, error.detail)]
    *passed, failed = _TOKEN_STAGES[: _STAGES_PASSED[reason] + 1]
    return [
        _found(presented),
        *(_passed(stage) for stage in passed),
        _refused(failed, reason, error.detail),
    ]


def _is_token(presented: Presented) -> bool:
    return all(place.holds is CredentialKind.TOKEN for place, _ in presented.found)


def _without_token(auth: Auth) -> Check:
    if auth is Auth.NONE:
        return _passed("credential", "not asked for and not looked at (auth: none)")
    return _passed("credential", "none, which is allowed: anonymous (auth: optional)")


def _accepted_token(refused: Reason | None, revocations: Revocations) -> Iterator[Check]:
    """Tell of a token that is taken, though perhaps for *refused* by this endpoint only."""
    *passed, last = _TOKEN_STAGES[: _STAGES_PASSED[refused] + 1] if refused else _TOKEN_STAGES
    for stage in passed:
        yield _passed(stage)
    if refused:
        yield _passed(last, f"{REASONS[refused].title} This endpoint takes it all the same.")
    else:
        yield _passed(last, NOT_ASKED if isinstance(revocations, NoRevocations) else "")


def _found(presented: Presented) -> Check:
    places = ", ".join(str(place) for place, _ in presented.found)
    return _passed("credential", f"one, in {places}")


def _check_requirement(require: Requirement, token: VerifiedToken) -> Iterator[Check]:
    """Ask for each kind of requirement alone, in the order in which ``Requirement`` judges them."""
    if require.roles:
        detail = f"any of {_join(require.roles)}; held: {_join(token.roles)}"
        yield _ask("roles", Requirement(roles=require.roles), token, detail)
    if require.scopes:
        detail = f"all of {_join(require.scopes)}; held: {_join(token.scopes)}"
        yield _ask("scopes", Requirement(scopes=require.scopes), token, detail)
    for path, wanted in require.claims.items():
        detail = f"one of {', '.join(map(str, wanted))}"
        yield _ask(f"claim {path}", Requirement(claims={path: wanted}), token, detail)


def _ask(name: str, requirement: Requirement, token: VerifiedToken, detail: str) -> Check:
    reason = requirement.find_refusal(token)
    return Check(name, reason is None, detail, reason)


def _join(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _check_handshake(
    route: Route, request: Request, presented: Presented, token: VerifiedToken | None
) -> Check:
    refusal = find_handshake_refusal(route, request, presented, token)
    if refusal is not None:
        return _refused("websocket handshake", *refusal)
    ends = "when the token ends" if token is not None else "with its connections only"
    return _passed("websocket handshake", f"a tunnel, which ends {ends}")


def _check_size(route: Route, request: Request) -> Check:
    length_bytes = request.head.fields.content_length
    if length_bytes is not None and length_bytes > route.max_body_bytes:
        detail = f"{length_bytes} bytes; at most {route.max_body_bytes}"
        return _refused("body size", Reason.BODY_TOO_LARGE, detail)
    announced = (
        "counted as it arrives" if request.head.fields.chunked else f"{length_bytes or 0} bytes"
    )
    return _passed("body size", f"{announced}; at most {route.max_body_bytes}")


def _check_claim_headers(
    snapshot: Snapshot,
    route: Route,
    request: Request,
    presented: Presented,
    token: VerifiedToken | None,
) -> Check:
    try:
        plan_forward(snapshot, route, request, presented, token)
    except UnfitClaimError as error:
        detail = f"the claim for {error.header} cannot stand in a header"
        return _refused("claim headers", Reason.CLAIM_MISMATCH, detail)
    if token is None:
        return _passed("claim headers", "none: there is no token")
    return _passed("claim headers", ", ".join(header.name for header in route.headers.headers))


def _tell_rate_limit(limit: RateLimit, token: VerifiedToken | None) -> Check:
    """Tell what the live gateway counts besides; here nothing is."""
    by = limit.key
    if by != ADDRESS and (token is None or find_claim(token.claims, by) is None):
        by = f"{ADDRESS}, since there is no {by}"
    detail = f"{limit.requests} per {limit.per_s:g} s and worker by {by}; not counted here"
    return _passed("rate limit", detail)
