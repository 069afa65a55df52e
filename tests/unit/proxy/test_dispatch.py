"""gateway.proxy.dispatch."""

import asyncio
import logging

import pytest

from gateway.errors import Reason
from gateway.policy.checked import (
    ApiKey,
    CheckedCredential,
    CredentialKind,
    Refused,
    UncheckedError,
)
from gateway.policy.model import (
    CredentialPlace,
    Decision,
    PlaceKind,
    Request,
    Respond,
    Snapshot,
)
from gateway.policy.revoked import NoRevocations, Revocations
from gateway.proxy.checks import Outcome
from gateway.proxy.dispatch import LOOK_UPS, decide_or_refuse
from tests.kit.policy import Told, bearer, head, request, route, snapshot
from tests.kit.tokens import ISSUER, NOW_S, issuer_of, mint
from tests.kit.transport import Client


def test_an_unforeseen_error_is_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    """DESIGN.md section 8, guarantee 2: never a pass, and loud."""

    def broken(
        _snapshot: Snapshot, _request: Request, _now_s: float, _revocations: Revocations
    ) -> Decision:
        raise ZeroDivisionError

    known = snapshot(route("/p"))
    with caplog.at_level(logging.ERROR):
        asked = request(known, head("/p"))
        decision = decide_or_refuse(broken, known, asked, 0.0, NoRevocations())

    assert isinstance(decision, Respond)
    assert decision.reason is Reason.INTERNAL_ERROR
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("told", "status", "reason"),
    [
        pytest.param(Told("5f0c"), b"401", b"token_revoked", id="revoked"),
        pytest.param(Told(stale=True), b"503", b"store_unavailable", id="stale"),
    ],
)
def test_a_request_is_decided_by_what_the_worker_knows(
    told: Told, status: bytes, reason: bytes
) -> None:
    """DESIGN.md section 8, guarantee 3: no service hears of it."""

    async def main() -> bytes:
        client = Client(snapshot(route("/p")), clock=lambda: NOW_S, revocations=told)
        client.protocol.data_received(head("/p", bearer(mint())))
        return client.transport.written

    answer = asyncio.run(main())
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b'"reason": "%b"' % reason in answer


@pytest.mark.parametrize(
    ("token", "wanted"),
    [
        pytest.param(mint(), [], id="good"),
        pytest.param(mint({"exp": NOW_S - 60}), [], id="expired"),
        pytest.param(mint(header={"kid": "new"}), [ISSUER], id="unknown-key"),
    ],
)
def test_who_can_get_keys_is_told_that_some_are_missing(token: bytes, wanted: list[str]) -> None:
    """And the request is refused at once: no request waits for a fetch."""

    async def main() -> list[str]:
        client = Client(snapshot(route("/p")), clock=lambda: NOW_S)
        asked: list[str] = []
        client.worker.on_keys_wanted = asked.append
        client.protocol.data_received(head("/p", bearer(token)))
        return asked

    assert asyncio.run(main()) == wanted


KEY = ApiKey("0" * 32, "f" * 64).compose().encode()
KEYS = CredentialPlace(PlaceKind.RAW, b"x-api-key", holds=CredentialKind.API_KEY)
PASSWORDS = CredentialPlace(PlaceKind.SCHEME, b"authorization", b"basic", CredentialKind.BASIC)
WITH_KEY = b"X-Api-Key: " + KEY


def good(epoch: int = 0) -> CheckedCredential:
    """Return what the key stands for."""
    claims = {"sub": "zoe", "jti": "k-1", "iat": NOW_S}
    return CheckedCredential(
        claims, issuer_of(), CredentialKind.API_KEY, checked_at_s=NOW_S, epoch=epoch
    )


def asked(
    outcomes: list[Outcome], revocations: Revocations | None = None, *lines: bytes
) -> tuple[bytes, int]:
    """Present a key on a route; return the answer, and how often it was looked up."""

    async def main() -> tuple[bytes, int]:
        left = iter(outcomes)
        looked_up = []

        async def check(unchecked: UncheckedError, address: str) -> Outcome:
            looked_up.append((unchecked.credential, address))
            return next(left)

        known = snapshot(route("/p", places=(KEYS, PASSWORDS)), places=(KEYS, PASSWORDS))
        client = Client(known, clock=lambda: NOW_S, revocations=revocations or NoRevocations())
        client.worker.checks.check = check
        client.protocol.data_received(head("/p", WITH_KEY, *lines))
        for _ in range(50):
            await asyncio.sleep(0)
        written = client.transport.written
        client.protocol.connection_lost(None)
        assert all(each == (KEY, "192.0.2.1") for each in looked_up)
        return written, len(looked_up)

    return asyncio.run(main())


def test_a_credential_is_looked_up_before_it_is_decided_on() -> None:
    """A refusal of the look-up is the answer, with what goes with it."""
    answer, look_ups = asked([Refused(Reason.LOGIN_THROTTLED, retry_after_s=7)])
    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nRetry-After: 7\r\n" in answer
    assert look_ups == 1


def test_a_route_that_takes_passwords_asks_for_one() -> None:
    """RFC 7617 section 2.1, beside RFC 6750's challenge; to come again will not help."""
    answer, _ = asked([Refused(Reason.API_KEY_INVALID)])
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b'WWW-Authenticate: Bearer realm="gateway"\r\n' in answer
    assert b'WWW-Authenticate: Basic realm="gateway", charset="UTF-8"\r\n' in answer
    assert b"Retry-After" not in answer


def test_what_was_found_is_decided_on_like_a_token() -> None:
    """Here the body is too long for the route: nothing but the decision says so."""
    answer, look_ups = asked([good()], None, b"Content-Length: 99999999")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert look_ups == 1


def test_a_revocation_in_between_has_it_looked_up_again_and_not_for_ever() -> None:
    """THREATS CACHE-06: what is revoked each time it was found good is never let in."""
    answer, look_ups = asked([good()] * 9, Told("k-1"))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert look_ups == LOOK_UPS
