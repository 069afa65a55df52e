"""Access tokens: a user's claims, signed. The one module of the issuer that knows PyJWT.

Source: RFC 9068 (JWT profile for access tokens): ``typ`` is ``at+jwt``; RFC 7519 section 4.1.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jwt.api_jws import PyJWS

from gateway.issuer.keys import SigningKey
from gateway.issuer.users import User
from gateway.policy.claims import STANDARD_CLAIMS
from gateway.policy.tokens import MAX_TOKEN_BYTES

_ID_BYTES: Final = 16  # 128 random bits


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSettings:
    """What every token of ours says.

    Raises:
        ValueError: There is no audience, the lifetime is not positive, or a configured claim has
            the name of a standard one.
    """

    issuer: str
    audience: tuple[str, ...]  # at least one
    access_lifetime_s: int
    claims: Mapping[str, str] = field(default_factory=dict)  # claim -> name of a user's attribute

    def __post_init__(self) -> None:
        if not self.audience:
            raise ValueError("a token needs an audience")
        if self.access_lifetime_s <= 0:
            raise ValueError("a token's lifetime must be positive")
        taken = sorted(STANDARD_CLAIMS.intersection(self.claims))
        if taken:
            raise ValueError(f"the gateway itself sets these claims: {', '.join(taken)}")


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A signed token, and for how long it will count."""

    text: str = field(repr=False)
    expires_in_s: int


def make_id() -> str:
    """Return a new identifier that cannot be guessed, for a token or a session."""
    return secrets.token_urlsafe(_ID_BYTES)


class Minter:
    """Makes access tokens with the key that signs now."""

    __slots__ = ("_jws", "_key", "_settings")

    def __init__(self, key: SigningKey, settings: TokenSettings) -> None:
        self._key = key
        self._settings = settings
        self._jws = PyJWS(algorithms=[key.algorithm])

    def use(self, key: SigningKey) -> None:
        """Sign with another key of the same algorithm from now on."""
        self._key = key

    def mint(
        self, user: User, *, session_id: str, now_s: float, lifetime_s: int | None = None
    ) -> AccessToken:
        """Sign a token for *user*, valid from *now_s* (seconds since the epoch) on.

        Args:
            user: Whose.
            session_id: What it ends with.
            now_s: The time.
            lifetime_s: Less than the configured one. Never more: what revokes a token is kept for
                as long as the configured lifetime, and a token must not outlive it.

        Raises:
            ValueError: The user's claims make a token that no gateway would take, or the lifetime
                is none of those.
        """
        longest_s = self._settings.access_lifetime_s
        lifetime_s = longest_s if lifetime_s is None else lifetime_s
        if not 0 < lifetime_s <= longest_s:
            raise ValueError(f"a token counts for 1 to {longest_s} seconds, not {lifetime_s}")
        claims = self._claims(user, session_id, int(now_s), lifetime_s)
        payload = json.dumps(claims, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        key = self._key
        header = {"typ": "at+jwt", "kid": key.kid}  # PyJWT adds ``alg``
        text = self._jws.encode(payload.encode("utf-8"), key.private, key.algorithm, header)
        if len(text) > MAX_TOKEN_BYTES:
            raise ValueError(f"the token of user '{user.id}' is over {MAX_TOKEN_BYTES} bytes")
        return AccessToken(text, lifetime_s)

    def _claims(self, user: User, session_id: str, now_s: int, lifetime_s: int) -> dict[str, Any]:
        return claims_of(user, self._settings, now_s) | {
            "exp": now_s + lifetime_s,
            "nbf": now_s,
            "jti": make_id(),
            "sid": session_id,
        }


def claims_of(user: User, settings: TokenSettings, now_s: int) -> dict[str, Any]:
    """Return what is claimed of *user* at *now_s*, in whole seconds, however it was let in."""
    audience = settings.audience
    claims: dict[str, Any] = {
        "iss": settings.issuer,
        "sub": user.id,
        "aud": audience[0] if len(audience) == 1 else list(audience),
        "iat": now_s,
        "username": user.username,
        "roles": list(user.roles),
    }
    if user.scopes:
        claims["scope"] = " ".join(user.scopes)  # RFC 9068 section 2.2.3, RFC 8693 section 4.2
    for claim, attribute in settings.claims.items():
        value = user.attributes.get(attribute)
        if value is not None:
            claims[claim] = value
    return claims
