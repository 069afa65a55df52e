"""Whom a request is counted for on a route with a rate limit; the counting itself is state.

The whole bucket belongs to one key: a claim of the verified token, together with its issuer, or the
client's address where the limit says so or where there is no such claim.
"""

import hashlib
import ipaddress
import json
from dataclasses import dataclass
from typing import Final

from gateway.policy.claims import find_claim
from gateway.policy.peers import find_address
from gateway.policy.tokens import VerifiedToken

ADDRESS: Final = "address"
LOCAL: Final = "local"  # each worker goes by its own buckets
REFUSE: Final = "refuse"
_MAX_KEY_BYTES: Final = 128  # longer ones are hashed, so that a full memory of keys is bounded
_NETWORK_BITS: Final = 64  # what one subscriber has of IPv6: every address in it is one client


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many requests at once, and as many again in each *per_s* seconds."""

    requests: int
    per_s: float
    key: str  # ``address``, or the path of a claim
    on_redis_failure: str = LOCAL  # where buckets are shared, and cannot be asked

    def key_for(self, client: str, token: VerifiedToken | None) -> bytes:
        """Return whom a request counts for.

        Args:
            client: The address that it comes from.
            token: The verified token; None where the request is anonymous.
        """
        if token is None or self.key == ADDRESS:
            return _address_key(client)
        known = token.rendered.get(self)
        if known is None:
            claim = find_claim(token.claims, self.key)
            if claim is None:
                return _address_key(client)
            known = token.rendered[self] = _claim_key(token.issuer.name, claim)
        return known


def _address_key(client: str) -> bytes:
    address = find_address(client)
    if isinstance(address, ipaddress.IPv6Address):
        network = int(address) >> (128 - _NETWORK_BITS)
        return b"6:%x" % network
    return b"4:" + client.encode("ascii", "replace")


def _claim_key(issuer: str, claim: object) -> bytes:
    key = b"c:" + json.dumps([issuer, claim], sort_keys=True).encode("ascii")
    if len(key) > _MAX_KEY_BYTES:
        return b"h:" + hashlib.sha256(key).digest()
    return key
