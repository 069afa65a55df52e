"""Reading one claim out of a verified set by its path."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Claims: TypeAlias = Mapping[str, Any]

ALL_CLAIMS: Final = "*"

# What the gateway itself says in each token; no configured claim can take the place of one.
STANDARD_CLAIMS: Final = frozenset(
    ("iss", "sub", "aud", "exp", "iat", "nbf", "jti", "sid", "username", "roles", "scope")
)


def find_claim(claims: Claims, path: str) -> Any:  # noqa: ANN401 (a claim is any JSON value)
    """Return the claim at *path*, or None where it is absent or null.

    ``org.plan`` is the member ``plan`` of the claim ``org``, unless a claim is itself named
    ``org.plan`` (names such as ``https://example.com/roles`` have dots). ``*`` is the whole set.
    """
    if path == ALL_CLAIMS:
        return claims
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value


def roles_of(claims: Claims) -> frozenset[str]:
    """Return the roles held; a single string is one role, whatever else it contains."""
    roles = claims.get("roles")
    return frozenset(_strings(roles))


def scopes_of(claims: Claims) -> frozenset[str]:
    """Return the scopes held, from ``scope`` (RFC 8693 section 4.2) or ``scp``."""
    value = claims.get("scope", claims.get("scp"))
    if isinstance(value, str):
        return frozenset(value.split(" ")) - {""}
    return frozenset(_strings(value))


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
