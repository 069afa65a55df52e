"""A policy that takes API keys and Basic, and what was looked up of them."""

from typing import Final

from gateway.policy.checked import ApiKey, CheckedCredential, CredentialKind
from gateway.policy.model import Auth, CredentialPlace, PlaceKind, Snapshot
from tests.kit.policy import BEARER, route, snapshot
from tests.kit.tokens import NOW_S, issuer_of

KEY: Final = ApiKey("0" * 32, "f" * 64).compose().encode()
KEY_PLACE: Final = CredentialPlace(PlaceKind.RAW, b"x-api-key", holds=CredentialKind.API_KEY)
BASIC_PLACE: Final = CredentialPlace(
    PlaceKind.SCHEME, b"authorization", b"basic", CredentialKind.BASIC
)
WITH_KEY: Final = b"X-Api-Key: " + KEY
BASIC: Final = b"em9lOnA="
WITH_BASIC: Final = b"Authorization: Basic " + BASIC


def keyed(**settings: object) -> Snapshot:
    """One route that takes tokens, API keys and Basic; so do the gateway's own endpoints."""
    places = (BEARER, KEY_PLACE, BASIC_PLACE)
    return snapshot(
        route("/p", places=places, **settings),
        route("/optional", places=places, auth=Auth.OPTIONAL),
        places=places,
    )


def remember(known: Snapshot, *, at_s: float = NOW_S, **claims: object) -> CheckedCredential:
    """Let the key and the password have been looked up."""
    owner = {"sub": "zoe", "jti": "k-1", "iat": NOW_S, **claims}
    for kind, credential in ((CredentialKind.API_KEY, KEY), (CredentialKind.BASIC, BASIC)):
        found = CheckedCredential(owner, issuer_of(), kind, checked_at_s=at_s, epoch=0)
        known.checked.remember(known.checked.unchecked(kind, credential), found)
    return known.checked.find(CredentialKind.API_KEY, KEY, at_s)
