"""Tokens that must not count, and those beside them that must (THREATS.md A6).

The rows are data: ``test_rfc8725_tokens`` asks the pure core, tests on sockets can present the same
tokens. A row's maker gets the moment of the decision. The rows are about what ``issuers`` returns:
the gateway's own with one HS256, RS256 and ES256 key, no leeway and a cap on the lifetime, and a
foreign one whose RS256 key has the same key id as the gateway's HS256 key.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.policy.tokens import MAX_TOKEN_BYTES, Issuer
from tests.kit.tokens import (
    AUDIENCE,
    ISSUER,
    REMOVED,
    SigningKey,
    assemble,
    base64url,
    claims_of,
    encode_json,
    header_of,
    issuer_of,
    mint,
    resigned,
    signing_key,
)

FOREIGN: Final = "https://login.example.com/"
MAX_LIFETIME_S: Final = 24 * 3600

_NOT_TOKEN68: Final = ("credential_malformed", 400)

# The order of the P-256 group (SEC 2 section 2.4.2).
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def issuers() -> tuple[Issuer, ...]:
    """Return the issuers that the rows are about."""
    return (
        issuer_of("HS256", "RS256", "ES256", leeway_s=0, max_lifetime_s=MAX_LIFETIME_S),
        Issuer(
            name=FOREIGN,
            audiences=frozenset((AUDIENCE,)),
            keys=(_foreign_key().verification,),
            own=False,
            leeway_s=0,
        ),
    )


def _foreign_key() -> SigningKey:
    return signing_key("RS256", kid="hs256")


@dataclass(frozen=True, slots=True)
class TokenCase:
    """One token and its right answer on a route that asks for one."""

    id: str
    make: Callable[[int], bytes]  # from the present, in seconds since the epoch
    reason: str | None = "token_malformed"  # None: the token counts
    status: int = 401  # 200 where it counts


Edit: TypeAlias = Callable[[bytes], bytes]


def _valid(now_s: int, **changes: Any) -> dict[str, Any]:
    """Return what to ask ``mint`` for: a token that counts now, but for *changes*."""
    return {"exp": now_s + 600, "iat": now_s - 60, "nbf": now_s - 60, **changes}


def _good(row: str, make: Callable[[int], bytes]) -> TokenCase:
    return TokenCase(row, make, None, 200)


def _claims(row: str, reason: str = "token_malformed", **changes: Any) -> TokenCase:
    return TokenCase(row, lambda now_s: mint(_valid(now_s, **changes)), reason)


def _header(row: str, reason: str = "token_malformed", **changes: Any) -> TokenCase:
    return TokenCase(row, lambda now_s: mint(_valid(now_s), changes), reason)


def _times(row: str, reason: str | None, **offsets: int) -> TokenCase:
    def make(now_s: int) -> bytes:
        return mint(_valid(now_s, **{name: now_s + offset for name, offset in offsets.items()}))

    return TokenCase(row, make, reason) if reason else _good(row, make)


def _text(row: str, edit: Edit, reason: str = "token_malformed", status: int = 401) -> TokenCase:
    """Edit the text of a valid token."""
    return TokenCase(row, lambda now_s: edit(mint(_valid(now_s))), reason, status)


def _payload(row: str, edit: Edit, reason: str = "token_malformed") -> TokenCase:
    """Sign a payload that is not the JSON that it should be."""

    def make(now_s: int) -> bytes:
        return assemble(
            encode_json(header_of(signing_key())), edit(encode_json(claims_of(**_valid(now_s))))
        )

    return TokenCase(row, make, reason)


def _json(row: str, reason: str = "token_malformed", /, **texts: str) -> TokenCase:
    """Sign a payload with members written as these texts, be they valid JSON or not."""

    def make(now_s: int) -> bytes:
        marked = {name: f"@{name}@" for name in texts}
        payload = json.dumps(claims_of(**_valid(now_s, **marked)))
        for name, text in texts.items():
            payload = payload.replace(f'"@{name}@"', text)
        return assemble(encode_json(header_of(signing_key())), payload.encode("utf-8"))

    return TokenCase(row, make, reason)


def _json_header(row: str, edit: Edit) -> TokenCase:
    """Sign a header that is not the JSON that it should be."""

    def make(now_s: int) -> bytes:
        return assemble(
            edit(encode_json(header_of(signing_key()))), encode_json(claims_of(**_valid(now_s)))
        )

    return TokenCase(row, make)


def _unsigned(row: str, algorithm: str, tail: bytes, reason: str) -> TokenCase:
    def make(now_s: int) -> bytes:
        header = encode_json(header_of(signing_key(), alg=algorithm))
        return base64url(header) + b"." + base64url(encode_json(claims_of(**_valid(now_s)))) + tail

    return TokenCase(row, make, reason)


def _hmac(row: str, reason: str, secret_of: Callable[[SigningKey], bytes], kid: Any) -> TokenCase:
    """Sign with HMAC by hand: PyJWT would refuse these secrets."""

    def make(now_s: int) -> bytes:
        header = encode_json(header_of(signing_key(), alg="HS256", kid=kid))
        signed = base64url(header) + b"." + base64url(encode_json(claims_of(**_valid(now_s))))
        secret = secret_of(signing_key("RS256"))
        return signed + b"." + base64url(hmac.digest(secret, signed, hashlib.sha256))

    return TokenCase(row, make, reason)


def _ecdsa(row: str, edit: Callable[[bytes], bytes], reason: str | None) -> TokenCase:
    """Edit the signature, r and s of 32 bytes each, of a token signed with ES256."""

    def make(now_s: int) -> bytes:
        key = signing_key("ES256")
        token = mint(_valid(now_s), key=key)
        return resigned(token, edit(key.sign(token.rpartition(b".")[0])))

    return TokenCase(row, make, reason) if reason else _good(row, make)


def _int32(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _negated_s(signature: bytes) -> bytes:
    return signature[:32] + _int32(_P256_ORDER - int.from_bytes(signature[32:], "big"))


def _der(_: bytes) -> bytes:
    """Return a signature in the form that X.509 uses and JWS does not."""
    return bytes(signing_key("ES256").private.sign(b"", ec.ECDSA(hashes.SHA256())))


def _public_der(pair: SigningKey) -> bytes:
    return bytes(
        pair.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _public_pkcs1(pair: SigningKey) -> bytes:
    return bytes(
        pair.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.PKCS1
        )
    )


def _part(number: int, edit: Edit) -> Edit:
    """Edit one of the three parts of a token's text."""

    def edited(token: bytes) -> bytes:
        parts = token.split(b".")
        parts[number] = edit(parts[number])
        return b".".join(parts)

    return edited


def _loose_tail(part: bytes) -> bytes:
    """Set a bit of the last character that stands for no byte (an HS256 signature has 43)."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + bytes([alphabet[alphabet.index(part[-1]) ^ 1]])


def _foreign(row: str, reason: str | None, header: dict[str, Any], **changes: Any) -> TokenCase:
    def make(now_s: int) -> bytes:
        return mint(_valid(now_s, **{"iss": FOREIGN, **changes}), header, key=_foreign_key())

    return TokenCase(row, make, reason) if reason else _good(row, make)


TOKEN_CASES: Final[tuple[TokenCase, ...]] = (
    _good("valid-hs256", lambda now_s: mint(_valid(now_s))),
    _good("valid-rs256", lambda now_s: mint(_valid(now_s), key=signing_key("RS256"))),
    _good("valid-es256", lambda now_s: mint(_valid(now_s), key=signing_key("ES256"))),
    _good("valid-without-kid", lambda now_s: mint(_valid(now_s), {"kid": REMOVED})),
    _good("valid-media-type", lambda now_s: mint(_valid(now_s), {"typ": "application/AT+JWT"})),
    _unsigned("JWT-01-none", "none", b".", "token_malformed"),
    _unsigned("JWT-01-none-signed", "none", b".AAAA", "token_algorithm"),
    _unsigned("JWT-01-none-mixed-case", "nOnE", b".AAAA", "token_algorithm"),
    _unsigned("JWT-01-no-dot", "none", b"", "token_malformed"),
    _text("JWT-02-empty-signature", _part(2, lambda _: b"")),
    _text("JWT-02-other-signature", lambda token: resigned(token, b"x" * 32), "token_signature"),
    _hmac("JWT-03-pem-no-kid", "token_signature", lambda pair: pair.public, REMOVED),
    _hmac("JWT-03-pem", "token_key_unknown", lambda pair: pair.public, "rs256"),
    _hmac("JWT-03-der", "token_signature", _public_der, "hs256"),
    _hmac("JWT-04-blank-pem", "token_signature", lambda pair: b"\n " + pair.public, "hs256"),
    _hmac("JWT-04-pkcs1", "token_signature", _public_pkcs1, "hs256"),
    _header("JWT-05-algorithm-of-another-key", "token_key_unknown", alg="RS256"),
    _header("JWT-05-algorithm-without-key", "token_algorithm", alg="HS512"),
    _hmac("JWT-06-empty-secret", "token_signature", lambda _: b"", "hs256"),
    _hmac("JWT-06-empty-secret-unknown-kid", "token_key_unknown", lambda _: b"", "nobody"),
    _header("JWT-08-path", "token_key_unknown", kid="../../dev/null"),
    _header("JWT-08-sql", "token_key_unknown", kid="' OR 1--"),
    _header("JWT-08-number", "token_key_unknown", kid=5),
    _header("JWT-08-null", "token_key_unknown", kid=None),
    _header("JWT-08-list", "token_key_unknown", kid=["hs256"]),
    _header("JWT-08-long", "token_malformed", kid="k" * 10_000),
    _header("JWT-09-jku", jku="http://127.0.0.1:9/"),
    _header("JWT-09-x5u", x5u="http://127.0.0.1:9/"),
    _header("JWT-09-x5c", x5c=[]),
    _header("JWT-09-jwk", jwk={"kty": "oct", "k": "AAAA"}),
    _header("JWT-10-unknown", crit=["foo"]),
    _header("JWT-10-empty", crit=[]),
    _header("JWT-10-known", crit=["exp"], exp=1),
    _header("JWT-11-b64", b64=False),
    _header("JWT-11-b64-crit", b64=False, crit=["b64"]),
    _text("JWT-11-detached", _part(1, lambda _: b"")),
    _json_header("JWT-12-alg-twice", lambda text: b'{"alg":"none",' + text[1:]),
    _payload("JWT-12-sub-twice", lambda text: text[:-1] + b',"sub":"root"}'),
    _payload("JWT-12-exp-twice", lambda text: text[:-1] + b',"exp":9999999999}'),
    _json("JWT-12-nested-twice", org='{"plan":"free","plan":"pro"}'),
    _json("JWT-12-escaped-twice", nonce='1,"\\u0073ub":"root"'),
    _payload("JWT-13-utf-16", lambda text: text.decode().encode("utf-16")),
    _payload("JWT-13-utf-16-be", lambda text: text.decode().encode("utf-16-be")),
    _payload("JWT-13-byte-order-mark", lambda text: b"\xef\xbb\xbf" + text),
    _payload("JWT-13-not-utf-8", lambda text: text[:-1] + b',"x":"\xff"}'),
    _payload("JWT-13-trailing", lambda text: text + b"x"),
    _payload("JWT-13-array", lambda text: b"[" + text + b"]"),
    _payload("JWT-13-string", lambda _: b'"alice"'),
    _payload("JWT-13-nothing", lambda _: b" "),
    _payload("JWT-13-empty", lambda _: b"{}", "token_claim_missing"),
    _json_header("JWT-13-header-array", lambda text: b"[" + text + b"]"),
    _claims("JWT-14-missing", "token_claim_missing", exp=REMOVED),
    *(
        _json(f"JWT-14-{name}", exp=text)
        for name, text in {
            "null": "null",
            "true": "true",
            "string": '"9999999999"',
            "unicode-digits": '"٩٩٩٩٩٩٩٩٩٩"',
            "fraction": "9999999999.5",
            "float": "1e300",
            "infinite-float": "1e400",
            "nan": "NaN",
            "infinity": "Infinity",
            "negative": "-1",
            "zero": "0",
            "huge": "9" * 4000,
            "too-huge-to-read": "9" * 5000,
            "list": "[9999999999]",
            "beyond-2-53": "9007199254740992",
        }.items()
    ),
    _times("JWT-15-now", "token_expired", exp=0),
    _times("JWT-15-past", "token_expired", exp=-1),
    _times("JWT-15-last-second", None, exp=60),
    _times("JWT-16-nbf-future", "token_not_yet_valid", nbf=60),
    _times("JWT-16-iat-future", "token_not_yet_valid", iat=60),
    _times("JWT-16-now", None, nbf=0, iat=0),
    _json("JWT-16-nbf-infinity", nbf="Infinity"),
    _json("JWT-16-nbf-string", nbf='"0"'),
    _json("JWT-16-nbf-null", nbf="null"),
    _json("JWT-16-iat-huge", iat="9" * 400),
    _claims("JWT-16-iat-missing", "token_claim_missing", iat=REMOVED),
    _times("JWT-17-ten-years", "token_malformed", exp=10 * 365 * 24 * 3600),
    _header("JWT-18-refresh", "token_type", typ="rt+jwt"),
    _header("JWT-18-id-token", "token_type", typ="JWT"),
    _header("JWT-18-missing", "token_type", typ=REMOVED),
    _header("JWT-18-null", "token_type", typ=None),
    _header("JWT-18-list", "token_type", typ=["at+jwt"]),
    _foreign("JWT-19-foreign", None, {"typ": "JWT"}),
    _foreign("JWT-19-foreign-without-typ", None, {"typ": REMOVED}, jti=REMOVED, iat=REMOVED),
    _foreign("JWT-19-foreign-id-token", "token_type", {"typ": "logout+jwt"}),
    _foreign("JWT-19-same-kid-our-issuer", "token_key_unknown", {}, iss=ISSUER),
    _claims("JWT-19-same-kid-their-issuer", "token_algorithm", iss=FOREIGN),
    _claims("JWT-19-missing", "token_claim_missing", iss=REMOVED),
    _claims("JWT-19-empty", "token_issuer", iss=""),
    _claims("JWT-19-prefix", "token_issuer", iss=ISSUER[:-1]),
    _claims("JWT-19-longer", "token_issuer", iss=ISSUER + "/"),
    _claims("JWT-19-list", "token_issuer", iss=[ISSUER]),
    _claims("JWT-19-object", "token_issuer", iss={}),
    _claims("JWT-20-missing", "token_claim_missing", aud=REMOVED),
    _claims("JWT-20-null", "token_claim_missing", aud=None),
    _claims("JWT-20-other", "token_audience", aud="other"),
    _claims("JWT-20-longer", "token_audience", aud=AUDIENCE + "s"),
    _claims("JWT-20-number", "token_audience", aud=1),
    _claims("JWT-20-object", "token_audience", aud={AUDIENCE: 1}),
    _claims("JWT-20-empty-list", "token_audience", aud=[]),
    _claims("JWT-20-list-with-number", "token_audience", aud=[AUDIENCE, 1]),
    _good("JWT-20-list", lambda now_s: mint(_valid(now_s, aud=["x", AUDIENCE]))),
    _claims("JWT-21-missing", "token_claim_missing", sub=REMOVED),
    _claims("JWT-21-empty", sub=""),
    _claims("JWT-21-number", sub=7),
    _claims("JWT-21-nul", jti="a\0"),
    _claims("JWT-21-long", sub="a" * 256),
    _claims("JWT-21-very-long", sub="a" * 10_000),
    _claims("JWT-21-jti-missing", "token_claim_missing", jti=REMOVED),
    TokenCase(  # it verifies; it is the header that it was meant for which cannot be made
        "JWT-21-crlf",
        lambda now_s: mint(_valid(now_s, sub="u\r\nX-Role: admin")),
        "claim_mismatch",
        403,
    ),
    _ecdsa("JWT-22-zeros", lambda _: bytes(64), "token_signature"),
    _ecdsa("JWT-22-r-zero", lambda s: bytes(32) + s[32:], "token_signature"),
    _ecdsa("JWT-22-s-zero", lambda s: s[:32] + bytes(32), "token_signature"),
    _ecdsa("JWT-22-r-order", lambda s: _int32(_P256_ORDER) + s[32:], "token_signature"),
    _ecdsa("JWT-22-s-order", lambda s: s[:32] + _int32(_P256_ORDER), "token_signature"),
    _ecdsa("JWT-22-der", _der, "token_signature"),
    _ecdsa("JWT-22-short", lambda s: s[:63], "token_signature"),
    _ecdsa("JWT-22-long", lambda s: s + b"\0", "token_signature"),
    _ecdsa("JWT-23-negated-s", _negated_s, None),  # the same token in law: revoke by jti or sid
    _text("JWT-23-padded", lambda token: token + b"="),
    _text("JWT-24-standard-alphabet", _part(2, lambda part: b"+/" + part[2:])),
    _text("JWT-24-newline", _part(2, lambda part: part[:9] + b"\\n" + part[9:]), *_NOT_TOKEN68),
    _text("JWT-24-mark", _part(0, lambda part: part + b"!"), *_NOT_TOKEN68),
    _text("JWT-24-space", _part(1, lambda part: part[:9] + b" " + part[9:]), *_NOT_TOKEN68),
    _text("JWT-24-impossible-length", _part(0, lambda part: part + b"AAAAA"[len(part) % 4 :])),
    _text("JWT-24-loose-tail", _part(2, _loose_tail)),
    _text("JWT-25-four-parts", lambda token: token + b".AAAA"),
    _text("JWT-25-five-parts", lambda token: token + b".AAAA.AAAA"),
    _text("JWT-25-two-parts", lambda token: token.rpartition(b".")[0]),
    _text("JWT-25-nested", lambda token: assemble(b'{"alg":"HS256","cty":"JWT"}', token)),
    _text("JWT-25-json", lambda _: b'{"payload":"e30","signatures":[]}', *_NOT_TOKEN68),
    _text("JWT-26-dots", lambda _: b"." * (MAX_TOKEN_BYTES - 1)),
    _text("JWT-26-too-long", lambda token: token + b"A" * MAX_TOKEN_BYTES),
    _json_header("JWT-26-deep-header", lambda _: b"[" * 5000),
    _json("JWT-26-deep-claim", deep="[" * 2000 + "]" * 2000),
    _header("JWT-27-zip", zip="DEF"),
    _header("JWT-27-pbes2", "token_algorithm", alg="PBES2-HS256+A128KW", p2c=2**31),
    _header("algorithm-missing", "token_algorithm", alg=REMOVED),
    _header("algorithm-number", "token_algorithm", alg=5),
    _text("opaque", lambda _: b"0123456789abcdef"),
    _text("empty", lambda _: b"", *_NOT_TOKEN68),
)
