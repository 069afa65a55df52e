"""THREATS.md JWKS-08 and -09 on real sockets: keys follow one another under two workers."""

import asyncio
import json
import time
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any, Final

from gateway.config.load import load_config
from gateway.desk import make_desk
from gateway.store.engine import Store, StoreLimits
from tests.conftest import StartGateway
from tests.kit.endpoints import ask, is_let_in, log_in, refresh, store_url, users
from tests.kit.gateway import AUDIENCE, ISSUER, GatewayProcess, configuration
from tests.kit.upstream import Upstream

LIFETIME_S: Final = 2
DEADLINE_S: Final = 60
PUBLIC: Final = {"kty", "crv", "x", "y", "kid", "alg", "use"}
PRIVATE: Final = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}


def _published(gateway: GatewayProcess) -> set[str]:
    keys = ask(gateway, b"GET", b"/.well-known/jwks.json").json()["keys"]
    for key in keys:
        assert set(key) <= PUBLIC  # JWKS-09
        assert PRIVATE.isdisjoint(key)
    return {key["kid"] for key in keys}


def _decoded(token: str, part: int) -> dict[str, Any]:
    text = token.split(".")[part]
    decoded: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


async def _rotate(folder: Path, now_s: float) -> None:
    config = load_config(folder / "routes.yaml", {})
    async with Store(store_url(folder), StoreLimits()) as store:
        assert await make_desk(config, store).check_keeper(config).rotate(now_s) is not None


def test_a_rotation_is_seen_by_nobody_but_in_the_key_set(
    start_gateway: StartGateway, own_upstream: Upstream
) -> None:
    """JWKS-08: each key is published before it signs; whatever was signed counts to its end."""
    tokens = {"issuer": ISSUER, "audience": AUDIENCE, "access_lifetime": f"{LIFETIME_S}s"}
    document = configuration(own_upstream.port, workers=2, users=users("alice"))
    gateway = start_gateway(document | {"tokens": tokens | {"leeway": "0s"}})
    granted = log_in(gateway)
    old = _decoded(granted["token"], 0)["kid"]
    assert _published(gateway) == {old}
    asyncio.run(_rotate(gateway.folder, time.time()))

    signed: set[str] = set()
    last_old = granted["token"]
    until_s = time.monotonic() + DEADLINE_S
    while signed < _published(gateway) or len(signed) == 1:
        assert time.monotonic() < until_s, signed
        published = _published(gateway)
        granted = refresh(gateway, granted["refresh_token"]).json()
        kid = _decoded(granted["token"], 0)["kid"]
        if kid not in signed and signed:
            assert kid in published
        signed.add(kid)
        if kid == old:
            last_old = granted["token"]
        _check_counts(gateway, granted["token"])
        _check_counts(gateway, last_old)

    assert len(signed) == 2
    assert _published(gateway) == signed  # the old one is there for a minute more
    refused = is_let_in(gateway, last_old)
    while refused.status == 200:
        refused = is_let_in(gateway, last_old)
    assert refused.reason == "token_expired"


def _check_counts(gateway: GatewayProcess, token: str) -> None:
    """Fail where a token is refused that has not expired, by whichever worker."""
    answer = is_let_in(gateway, token)
    ends_s = _decoded(token, 1)["exp"]
    assert answer.status == 200 or (answer.reason == "token_expired" and time.time() >= ends_s), (
        answer.body
    )
