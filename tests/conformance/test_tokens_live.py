"""THREATS.md A6 on sockets: the rows of ``tokens``, presented to a running gateway.

That gateway has one key, HS256, whose key id is its own. What was signed with the rows' secret is
signed again under that id, so that a row is refused for its own fault and not for its key.
"""

import hashlib
import hmac
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from typing import Final

import pytest

from gateway.issuer.keys import secret_key
from tests.conformance.tokens import TOKEN_CASES, TokenCase
from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.tokens import AUDIENCE, ISSUER, base64url, signing_key
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire

SECRET: Final = signing_key("HS256").public

# Found after the key, or before it is looked for: the same whatever keys there are.
_OF_ANY_KEY: Final = frozenset(
    (
        "token_malformed",
        "token_claim_missing",
        "token_expired",
        "token_not_yet_valid",
        "token_type",
        "token_audience",
        "claim_mismatch",
    )
)
# The core's tests set a longest lifetime and a foreign issuer, which this gateway does not have.
_NOT_HERE: Final = ("JWT-17-ten-years", "JWT-19-foreign-id-token")


@pytest.fixture(scope="module")
def token_upstream() -> Iterator[Upstream]:
    """The service behind the gateway that the tokens are presented to."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def token_gateway(
    token_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """A gateway with one key and no leeway."""
    tokens = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "algorithm": "HS256",
        "secret": SECRET.decode("ascii"),
        "leeway": "0s",
    }
    document = configuration(token_upstream.port, tokens=tokens)
    with GatewayProcess(document, tmp_path_factory.mktemp("tokens")) as process:
        yield process


def _signature(signed: bytes) -> bytes:
    return base64url(hmac.digest(SECRET, signed, hashlib.sha256))


def resigned_here(token: bytes) -> tuple[bytes, bool]:
    """Return *token* under the gateway's key id, and whether its signature is the gateway's."""
    signed, _, signature = token.rpartition(b".")
    if signature != _signature(signed):
        return token, False
    header, _, payload = signed.partition(b".")
    text = urlsafe_b64decode(header + b"=" * (-len(header) % 4))
    kid = secret_key("HS256", SECRET).kid.encode("ascii")
    signed = base64url(text.replace(b'"hs256"', b'"%b"' % kid)) + b"." + payload
    return signed + b"." + _signature(signed), True


CASES = [case for case in TOKEN_CASES if case.id not in _NOT_HERE]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_token_counts_or_is_refused(
    token_gateway: GatewayProcess, token_upstream: Upstream, case: TokenCase
) -> None:
    """What does not count is 401 with its reason, never a 500, and the service sees nothing."""
    token, ours = resigned_here(case.make(int(time.time())))
    token_upstream.clear()
    with Wire(token_gateway.port) as wire:
        wire.send(b"GET /p HTTP/1.1\r\nHost: gw.test\r\nAuthorization: Bearer %b\r\n\r\n" % token)
        response = wire.read_response()

    if case.reason is None and ours:
        assert response.status == 200
        assert token not in token_upstream.requests[0].head
        return
    assert response.status == (case.status if case.reason else 401)
    assert token_upstream.byte_count == 0
    if ours and case.reason in _OF_ANY_KEY:
        assert response.reason == case.reason
    token_gateway.check_quiet()
