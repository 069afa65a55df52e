"""THREATS.md A6 on sockets, for gateways that sign with a private key: JWT-03, -04, -22 and -23.

What such a gateway publishes must not be taken for a secret, and a signature has one form only.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.issuer.keys import parse_signing_key
from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.tokens import (
    AUDIENCE,
    ISSUER,
    REMOVED,
    SigningKey,
    base64url,
    claims_of,
    encode_json,
    header_of,
    resigned,
    signing_key,
)
from tests.kit.tokens import mint as mint_with
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire

# The order of the P-256 group (SEC 2 section 2.4.2).
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

Served = tuple[GatewayProcess, Upstream]
Forge = Callable[[SigningKey, bytes], bytes]  # from the key and what is signed, to a signature


def _private_pem(key: SigningKey) -> bytes:
    return bytes(
        key.private.private_bytes(
            Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@pytest.fixture(scope="module", params=["RS256", "PS256", "ES256", "EdDSA"])
def key(request: pytest.FixtureRequest) -> SigningKey:
    """The key of the gateway."""
    return signing_key(request.param)


@pytest.fixture(scope="module")
def served(key: SigningKey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway that signs with it, and the service behind."""
    tokens = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "algorithm": key.algorithm,
        "signing_key": _private_pem(key).decode("ascii"),
    }
    with Upstream() as upstream:
        document = configuration(upstream.port, tokens=tokens)
        with GatewayProcess(document, tmp_path_factory.mktemp("asymmetric")) as process:
            yield process, upstream


def _kid(key: SigningKey) -> str:
    return parse_signing_key(key.algorithm, _private_pem(key)).kid


def _claims() -> dict[str, Any]:
    now_s = int(time.time())
    return {"iat": now_s - 60, "nbf": now_s - 60, "exp": now_s + 600}


def _ask(served: Served, token: bytes) -> tuple[int, str]:
    """Present *token*; return status and reason, and check that a refused one goes no further."""
    process, upstream = served
    upstream.clear()
    with Wire(process.port) as wire:
        wire.send(b"GET /p HTTP/1.1\r\nHost: gw.test\r\nAuthorization: Bearer %b\r\n\r\n" % token)
        response = wire.read_response()
    assert (upstream.byte_count > 0) == (response.status == 200)
    process.check_quiet()
    return response.status, response.reason


def test_a_token_of_the_gateways_key_counts(served: Served, key: SigningKey) -> None:
    """With its key id and without one: there is only one key."""
    for kid in (_kid(key), REMOVED):
        token = mint_with(_claims(), {"kid": kid}, key=key)
        assert _ask(served, token) == (200, "")


def _der(key: SigningKey) -> bytes:
    public = key.private.public_key()
    return bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _pkcs1(key: SigningKey) -> bytes:
    if not key.algorithm.startswith(("RS", "PS")):
        return _der(key)
    return bytes(key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1))


def _jwk(key: SigningKey) -> bytes:
    jwk = parse_signing_key(key.algorithm, _private_pem(key)).public_jwk()
    return json.dumps(jwk, separators=(",", ":")).encode("ascii")


SECRETS = [
    pytest.param(lambda key: key.public, id="JWT-03-pem"),
    pytest.param(lambda key: key.public.strip(), id="JWT-03-pem-stripped"),
    pytest.param(_der, id="JWT-03-der"),
    pytest.param(_jwk, id="JWT-03-jwk"),
    pytest.param(lambda key: b"\n " + key.public, id="JWT-04-blank"),
    pytest.param(_pkcs1, id="JWT-04-pkcs1"),
    pytest.param(lambda _: b"", id="JWT-06-empty"),
]


@pytest.mark.parametrize("with_kid", [True, False])
@pytest.mark.parametrize("secret_of", SECRETS)
def test_a_public_key_is_no_secret(
    served: Served, key: SigningKey, secret_of: Callable[[SigningKey], bytes], *, with_kid: bool
) -> None:
    """RFC 8725 section 3.1: the key decides on the algorithm, not the token."""
    header = header_of(key, alg="HS256", kid=_kid(key) if with_kid else REMOVED)
    signed = base64url(encode_json(header)) + b"." + base64url(encode_json(claims_of(**_claims())))
    signature = hmac.digest(secret_of(key), signed, hashlib.sha256)
    status, reason = _ask(served, signed + b"." + base64url(signature))

    assert status == 401
    assert reason in ("token_algorithm", "token_key_unknown")


def _ecdsa(edit: Callable[[bytes], bytes]) -> Forge:
    return lambda key, signed: edit(key.sign(signed))


def _number(value: int) -> bytes:
    return value.to_bytes(32, "big")


ECDSA = [
    pytest.param(_ecdsa(lambda _: bytes(64)), 401, id="JWT-22-zeros"),
    pytest.param(_ecdsa(lambda s: bytes(32) + s[32:]), 401, id="JWT-22-r-zero"),
    pytest.param(_ecdsa(lambda s: s[:32] + bytes(32)), 401, id="JWT-22-s-zero"),
    pytest.param(_ecdsa(lambda s: _number(_ORDER) + s[32:]), 401, id="JWT-22-r-order"),
    pytest.param(_ecdsa(lambda s: s[:32] + _number(_ORDER)), 401, id="JWT-22-s-order"),
    pytest.param(_ecdsa(lambda s: s[:63]), 401, id="JWT-22-short"),
    pytest.param(_ecdsa(lambda s: s + b"\0"), 401, id="JWT-22-long"),
    pytest.param(
        lambda key, signed: key.private.sign(signed, ec.ECDSA(hashes.SHA256())),
        401,
        id="JWT-22-der",
    ),
    # The same token in law: whoever revokes it must do so by what it says, not by its bytes.
    pytest.param(
        _ecdsa(lambda s: s[:32] + _number(_ORDER - int.from_bytes(s[32:], "big"))),
        200,
        id="JWT-23-negated-s",
    ),
]


@pytest.mark.parametrize("key", ["ES256"], indirect=True)
@pytest.mark.parametrize(("forge", "status"), ECDSA)
def test_an_ecdsa_signature_is_two_numbers_of_32_bytes(
    served: Served, key: SigningKey, forge: Forge, status: int
) -> None:
    """RFC 7518 section 3.4; CVE-2022-21449 for what zeros may do."""
    token = mint_with(_claims(), {"kid": _kid(key)}, key=key)
    signed = token.rpartition(b".")[0]

    reason = "" if status == 200 else "token_signature"
    assert _ask(served, resigned(token, forge(key, signed))) == (status, reason)
