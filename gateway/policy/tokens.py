"""From a credential's bytes to verified claims, or to the reason why not.

The order is: shape of the text, header, issuer, key, signature, claims. Every claim is checked
here, by type and by value: PyJWT accepts ``exp`` as a string, duplicate members, UTF-16 and any
``typ``.
"""

import json
import math
import re
from binascii import a2b_base64
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from gateway.errors import CredentialError, Reason
from gateway.memo import Memo
from gateway.policy.claims import Claims, roles_of, scopes_of
from gateway.policy.signature import VerificationKey

MAX_TOKEN_BYTES: Final = 8 * 1024  # before any decoding; Envoy caches none above 4 KiB
MAX_SUBJECT_CHARS: Final = 255  # OpenID Connect Core section 2
MAX_SECONDS: Final = 2**53  # the largest integer that every JSON reader keeps

# JWS Compact Serialization: three base64url parts without padding   -- RFC 7515 section 7.1
_COMPACT: Final = re.compile(rb"([A-Za-z0-9_\-]+)\.([A-Za-z0-9_\-]+)\.([A-Za-z0-9_\-]+)")
# token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="   -- RFC 9110 section 11.2
_TOKEN68: Final = re.compile(rb"[A-Za-z0-9\-._~+/]+=*")
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
# What a part may end with, by its length modulo 4: the bits of its last character that belong to no
# byte are zero, so that there is one spelling only   -- RFC 4648 section 3.5
_CANONICAL_ENDS: Final = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
# Members that would let a token bring its own key, or change what is signed (RFC 7515, 7516, 7797).
_FORBIDDEN_MEMBERS: Final = frozenset(("jku", "jwk", "x5u", "x5c", "crit", "zip", "b64"))
_ACCESS_TOKEN_TYPES: Final = frozenset(("at+jwt", "application/at+jwt"))  # RFC 9068 section 2.1
_FOREIGN_TYPES: Final = _ACCESS_TOKEN_TYPES | {"jwt", "application/jwt"}

CACHED_TOKENS: Final = (
    8192  # per generation; two generations of 8192 typical tokens are some 40 MiB
)
CACHED_TOKEN_BYTES: Final = 4 * 1024  # Envoy's JWT cache takes none above that either
CACHED_HEADERS: Final = 64  # per generation; there is one for each key, as a rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Whose tokens are accepted, and what they must say."""

    name: str  # ``iss``, exactly
    audiences: frozenset[str]  # a token must carry one of them
    keys: tuple[VerificationKey, ...]  # none: not known yet, or not any more
    own: bool = True  # our own tokens must be of type at+jwt and carry jti
    leeway_s: int = 30
    max_lifetime_s: int | None = None  # of ``exp - iat``
    algorithms: frozenset[str] = frozenset()  # taken though no key may have them yet


class VerifiedToken:
    """The claims of a token whose signature has been verified, and what was made of them."""

    __slots__ = (
        "checked_epoch",
        "claims",
        "expires_at_s",
        "is_new",
        "issuer",
        "rendered",
        "roles",
        "scopes",
        "valid_from_s",
    )

    def __init__(self, claims: dict[str, Any], issuer: Issuer) -> None:
        self.claims = claims
        self.issuer = issuer
        self.expires_at_s: int = (
            claims["exp"] + issuer.leeway_s
        )  # the first second it is refused in
        self.valid_from_s: int = max(claims.get("nbf", 0), claims.get("iat", 0)) - issuer.leeway_s
        self.roles = roles_of(claims)
        self.scopes = scopes_of(claims)
        self.rendered: dict[object, bytes] = {}  # identity headers by plan, made at first use
        self.is_new = True  # no request with it has ended yet; whoever counts requests unsets it
        self.checked_epoch: int = -1  # see ``revoked.RevocableToken``


class EndedTokenError(CredentialError):
    """A token that verifies in all else has ended; or nobody can say whether it has.

    It carries the token for whoever can do without that (``ControlEndpoint.takes_ended_tokens``);
    everybody else has a ``CredentialError`` like any other.
    """

    def __init__(self, reason: Reason, token: VerifiedToken, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.token = token


class TokenVerifier:
    """Verifies tokens of the configured issuers, and remembers those that it has verified.

    What is remembered is keyed by the exact bytes and changes nothing but time: the clock is asked
    anew each time, and all that depends on the route is decided elsewhere. A change of keys comes
    with a new snapshot, and so with an empty memory. Headers are remembered as well, which all
    tokens of a key share; only those of tokens that verify, so that nobody else fills that memory.
    """

    __slots__ = ("_headers", "_issuers", "_memo")

    def __init__(self, issuers: tuple[Issuer, ...]) -> None:
        self._issuers = {issuer.name: issuer for issuer in issuers}
        self._memo: Memo[bytes, VerifiedToken] = Memo(CACHED_TOKENS)
        self._headers: Memo[bytes, dict[str, Any]] = Memo(CACHED_HEADERS)

    @property
    def remembered_count(self) -> int:
        """How many tokens are remembered."""
        return len(self._memo)

    def verify(self, token: bytes, now_s: float) -> VerifiedToken:
        """Return the verified claims of a token that counts at *now_s*.

        Raises:
            CredentialError: It does not: one of the ``token_*`` reasons, or
                ``credential_malformed`` where it is not even a token68; ``keys_unavailable`` where
                nobody can say.
            EndedTokenError: Nothing is wrong with it but that it has expired: ``token_expired``.
        """
        verified = self._memo.find(token)
        if verified is None:
            verified = self._verify_signed(token)
            if len(token) <= CACHED_TOKEN_BYTES:
                self._memo.add(token, verified)
        if now_s >= verified.expires_at_s:
            raise EndedTokenError(Reason.TOKEN_EXPIRED, verified)
        if now_s < verified.valid_from_s:
            raise CredentialError(Reason.TOKEN_NOT_YET_VALID)
        return verified

    def _verify_signed(self, token: bytes) -> VerifiedToken:
        header_text, payload_text, signature_text = _split_token(token)
        signature = _decode_base64url(signature_text)
        known = self._headers.find(header_text)
        header = known or parse_json_object(_decode_base64url(header_text))
        claims = parse_json_object(_decode_base64url(payload_text))
        algorithm = _check_header(header)
        issuer = self._issuers.get(_text(claims, "iss", Reason.TOKEN_ISSUER))
        if issuer is None:
            raise CredentialError(Reason.TOKEN_ISSUER)
        key = _find_key(issuer, algorithm, header)
        signed = token[: len(header_text) + 1 + len(payload_text)]
        if not key.verifies(algorithm, signed, signature):
            raise CredentialError(Reason.TOKEN_SIGNATURE)
        if known is None:
            self._headers.add(header_text, header)
        _check_type(header, issuer)
        _check_claims(claims, issuer)
        return VerifiedToken(claims, issuer)


def _split_token(token: bytes) -> tuple[bytes, ...]:
    if len(token) > MAX_TOKEN_BYTES:
        raise CredentialError(Reason.TOKEN_MALFORMED, "The token is too long.")
    match = _COMPACT.fullmatch(token)
    if match is None:
        raise CredentialError(
            Reason.TOKEN_MALFORMED if _TOKEN68.fullmatch(token) else Reason.CREDENTIAL_MALFORMED
        )
    return match.groups()


def _decode_base64url(text: bytes) -> bytes:
    """Decode one part, which ``_COMPACT`` has matched; only the canonical spelling is taken."""
    rest = len(text) % 4
    if rest and text[-1] not in _CANONICAL_ENDS[rest]:
        raise CredentialError(Reason.TOKEN_MALFORMED)
    return a2b_base64(text.translate(_URL_SAFE) + b"=" * (-rest % 4))


def parse_json_object(data: bytes) -> dict[str, Any]:
    """Read one JSON object strictly: UTF-8, no duplicate members, no NaN, no lone surrogates.

    Raises:
        CredentialError: ``token_malformed``.
    """
    try:
        text = data.decode("utf-8")
        value = _DECODER.decode(text)
        if "\\u" in text:  # an escape may spell a lone surrogate, which is no Unicode text
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):  # also UnicodeError, and integers of over 4,300 digits
        raise CredentialError(Reason.TOKEN_MALFORMED) from None
    if not isinstance(value, dict):
        raise CredentialError(Reason.TOKEN_MALFORMED)
    return value


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):  # 1e400
        raise ValueError(text)
    return number


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique_members, parse_float=_finite, parse_constant=_refuse_constant
)


def _text(members: Claims, name: str, otherwise: Reason = Reason.TOKEN_MALFORMED) -> str:
    """Return a member that must be a non-empty string."""
    value = members.get(name)
    if value is None:
        raise CredentialError(Reason.TOKEN_CLAIM_MISSING, f"The token has no {name}.")
    if not isinstance(value, str) or not value:
        raise CredentialError(otherwise)
    return value


def _check_header(header: dict[str, Any]) -> str:
    if not _FORBIDDEN_MEMBERS.isdisjoint(header):
        raise CredentialError(Reason.TOKEN_MALFORMED, "The token's header has a refused member.")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str):
        raise CredentialError(Reason.TOKEN_ALGORITHM)
    return algorithm


def _find_key(issuer: Issuer, algorithm: str, header: dict[str, Any]) -> VerificationKey:
    """Return the issuer's key for a token; the algorithm is the key's, never only the header's."""
    candidates = [key for key in issuer.keys if key.algorithm == algorithm]
    if not candidates and algorithm not in issuer.algorithms:
        raise CredentialError(Reason.TOKEN_ALGORITHM)
    if not issuer.keys:
        raise CredentialError(Reason.KEYS_UNAVAILABLE, issuer=issuer.name)
    if "kid" in header:
        kid = header["kid"]
        candidates = [key for key in candidates if key.kid == kid]
    if len(candidates) != 1:
        raise CredentialError(Reason.TOKEN_KEY_UNKNOWN, issuer=issuer.name)
    return candidates[0]


def _check_type(header: dict[str, Any], issuer: Issuer) -> None:
    kind = header.get("typ")
    if kind is None and not issuer.own:
        return
    accepted = _ACCESS_TOKEN_TYPES if issuer.own else _FOREIGN_TYPES
    if not isinstance(kind, str) or kind.lower() not in accepted:
        raise CredentialError(Reason.TOKEN_TYPE)


def _check_claims(claims: dict[str, Any], issuer: Issuer) -> None:
    expires_at = _seconds(claims, "exp", required=True)
    issued_at = _seconds(claims, "iat", required=issuer.own)
    _seconds(claims, "nbf", required=False)
    if len(_text(claims, "sub")) > MAX_SUBJECT_CHARS:
        raise CredentialError(Reason.TOKEN_MALFORMED)
    if issuer.own and "\0" in _text(claims, "jti"):  # no database keeps it, nor its revocation
        raise CredentialError(Reason.TOKEN_MALFORMED)
    _check_audience(claims, issuer)
    lifetime_cap = issuer.max_lifetime_s
    if lifetime_cap is not None and expires_at - (issued_at or 0) > lifetime_cap:
        raise CredentialError(Reason.TOKEN_MALFORMED, "The token's lifetime is too long.")


def _seconds(claims: Claims, name: str, *, required: bool) -> int:
    """Check a NumericDate; whole seconds only, as every issuer sends them (RFC 7519 section 2)."""
    value = claims.get(name)
    if value is None and name not in claims:
        if required:
            raise CredentialError(Reason.TOKEN_CLAIM_MISSING, f"The token has no {name}.")
        return 0
    if type(value) is not int or not 0 < value < MAX_SECONDS:
        raise CredentialError(Reason.TOKEN_MALFORMED)
    return value


def _check_audience(claims: Claims, issuer: Issuer) -> None:
    audience = claims.get("aud")
    if audience is None:
        raise CredentialError(Reason.TOKEN_CLAIM_MISSING, "The token has no aud.")
    named = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(name, str) for name in named) or issuer.audiences.isdisjoint(named):
        raise CredentialError(Reason.TOKEN_AUDIENCE)
